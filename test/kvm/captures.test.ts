import { describe, expect, it } from 'vitest';
import { decodeSnapshot } from '../../src/kvm/snapshot.js';
import { looksLikeKvmRun } from '../../src/kvm/recognise.js';
import { kvmTree } from '../../src/kvm/kvm-tree.js';
import { walk } from '../../src/tree/tree.js';
import { snapshotJson, snapshotText } from '../../src/report/kvm-text.js';
import { capture, runs } from './captures.js';

const hex = (value: number): string => `0x${value.toString(16)}`;

/** What the ground truth says about the payload, in the form of the JSON. */
function expectedExit(run: (typeof runs)[number]): Record<string, unknown> | null {
  const { io, mmio, memory_fault: fault, hypercall, internal, system_event: event } = run;
  if (io !== undefined) return { direction: io.direction, size: io.size, port: io.port, count: io.count, data_offset: io.data_offset, data: io.data_hex };
  if (mmio !== undefined) return { phys_addr: hex(mmio.phys_addr), data: mmio.data_hex, len: mmio.len, is_write: mmio.is_write === 1 };
  if (fault !== undefined) return { flags: hex(fault.flags), private: fault.flags === 8, gpa: hex(fault.gpa), size: fault.size };
  if (hypercall !== undefined) return { nr: hypercall.nr, args: hypercall.args.map(hex), ret: hex(hypercall.ret), flags: hex(hypercall.flags) };
  if (internal !== undefined) return { suberror: internal.suberror, ndata: internal.ndata };
  if (event !== undefined) return { type: event.type, ndata: event.ndata };
  return null;
}

describe('captures of a real kernel', () => {
  it('are all there', () => {
    expect(runs.length).toBe(37);
  });

  it.each(runs)('$file decodes as its ground truth says', (run) => {
    const bytes = capture(run.file);
    const json = snapshotJson(decodeSnapshot(bytes, { errno: run.errno }));
    expect(json).toMatchObject({
      schema: 'luo-inspect.kvm/1',
      arch: 'x86_64',
      exitReason: run.exit_reason,
      stale: run.stale,
      header: {
        immediate_exit: run.immediate_exit === 1,
        exit_reason: run.exit_reason,
        if_flag: run.if_flag === 1,
        flags: hex(run.run_flags),
        cr8: hex(run.cr8),
        apic_base: hex(run.apic_base),
      },
    });
    const expected = expectedExit(run);
    if (expected !== null) expect(json.exit).toMatchObject(expected);
    const words = run.internal?.data ?? run.system_event?.data;
    if (words !== undefined) expect(json).toMatchObject({ exit: { data: expect.arrayContaining(words.map(hex)) } });
    if (run.memory_fault !== undefined) expect(Object.keys(json.exit ?? {})).toEqual(['flags', 'private', 'gpa', 'size']);
  });

  it.each(runs)('$file says nothing about staleness without an errno', (run) => {
    expect(decodeSnapshot(capture(run.file)).stale).toBeNull();
  });

  it.each(runs)('$file is recognised, has rows inside its bytes, and reads as text', (run) => {
    const bytes = capture(run.file);
    expect(looksLikeKvmRun(bytes.subarray(0, 4096), bytes.length)).toBe(true);
    const snapshot = decodeSnapshot(bytes, { errno: run.errno });
    walk(kvmTree(snapshot), ({ address, bits }) => {
      expect((address ?? 0) + bits / 8).toBeLessThanOrEqual(bytes.length);
      return undefined;
    });
    expect(snapshotText(snapshot)).toContain(`(${run.exit_reason})`);
    expect(snapshot.findings.every((finding) => finding.rule === 'kvm.exit-reason-stale' || finding.rule === 'kvm.leftover-memory-fault')).toBe(true);
  });

  it('the debug exit carries the registers of the processor', () => {
    const json = snapshotJson(decodeSnapshot(capture('23-debug-singlestep.kvm_run'), { errno: 0 }));
    expect(json.exit).toEqual({ arch: { exception: 1, pad: '0x0', pc: '0x1000', dr6: '0xffff4ff0', dr7: '0x400' } });
  });

  it('instruction bytes that were not fetched are null', () => {
    const json = snapshotJson(decodeSnapshot(capture('14-internal-error.kvm_run'), { errno: 0 }));
    expect(json).toMatchObject({ exit: { emulation_failure: { flags: '0x0', insn_size: null, insn_bytes: null } } });
  });
});
