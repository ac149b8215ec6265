import { describe, expect, it } from 'vitest';
import { memoryFault } from '../../abi/kvm/payloads.js';
import { kvmRun } from '../../abi/kvm/run.js';
import { encodeInto } from '../../src/codec/encode.js';
import { offsetOf } from '../../src/codec/layout-table.js';
import { explain } from '../../src/kvm/explain.js';
import { faultRange, looksLikeFault } from '../../src/kvm/memory-fault.js';
import { decodeSnapshot } from '../../src/kvm/snapshot.js';
import type { KvmSnapshotOptions } from '../../src/kvm/snapshot-model.js';
import { snapshotJson } from '../../src/report/kvm-text.js';
import { captureOf } from './captures.js';

function fault(reason: number, flags: bigint, gpa: bigint, size: bigint): Uint8Array {
  const bytes = captureOf('fault-private-read');
  encodeInto(kvmRun.x86_64, { exit_reason: reason }, bytes, 0);
  encodeInto(memoryFault, { flags, gpa, size }, bytes, offsetOf(kvmRun.x86_64, 'exit'));
  return bytes;
}
const decode = (bytes: Uint8Array, options: KvmSnapshotOptions = {}) => {
  const snapshot = decodeSnapshot(bytes, options);
  return { snapshot, json: snapshotJson(snapshot), rules: snapshot.findings.map(({ rule }) => rule), text: explain(snapshot).join('\n') };
};

describe('a memory fault', () => {
  it('asks for the conversion that the flag says', () => {
    expect(decode(fault(39, 8n, 0x10001000n, 4096n), { errno: 14 }).text).toContain(
      'KVM_SET_MEMORY_ATTRIBUTES { address 0x10001000, size 0x1000, attributes 0x8 (PRIVATE), flags 0 }',
    );
    expect(decode(fault(39, 0n, 0x10001000n, 4096n), { errno: 14 }).text).toContain('attributes 0x0, flags 0 }');
  });

  it('of poisoned memory asks for no conversion', () => {
    const { text } = decode(fault(39, 8n, 0x10001000n, 4096n), { errno: 133 });
    expect(text).toContain('is poisoned');
    expect(text).not.toContain('KVM_SET_MEMORY_ATTRIBUTES');
  });

  it.each([4, 11, 0x4])('of an earlier run (errno %i) asks for nothing', (errno) => {
    const { text } = decode(fault(39, 8n, 0x10001000n, 4096n), { errno });
    expect(text).toContain('gfn 0x10001');
    expect(text).not.toContain('KVM_SET_MEMORY_ATTRIBUTES');
  });

  it('names flags that are proposed as proposed, never as known', () => {
    const { snapshot, rules } = decode(fault(39, 0x18n, 0x10001000n, 4096n), { errno: 14 });
    expect(rules).toContain('kvm.memory-fault-flags');
    const message = snapshot.findings.find(({ rule }) => rule === 'kvm.memory-fault-flags')?.message;
    expect(message).toMatch(/0x10 have no meaning in 7\.3.*0x10 is proposed as KVM_MEMORY_EXIT_FLAG_USERFAULT/);
    expect(message).not.toContain('ASYNC_PF');
  });

  it('says where a conversion goes once guest_memfd converts in place', () => {
    const { text } = decode(fault(39, 8n, 0x10001000n, 4096n), { errno: 14 });
    expect(text).toMatch(/KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES above 0 \(proposed.*KVM_SET_MEMORY_ATTRIBUTES2 \(0xc080aed2\).*size 0x1000, attributes 0x8/);
  });

  it('may be a bug of the guest', () => {
    expect(decode(fault(39, 8n, 0x10001000n, 4096n), { errno: 14 }).text).toContain('bug of the guest');
  });

  it('of v13 09/35 does not tell private from shared: no flags are defined', () => {
    const { text, json } = decode(fault(38, 0n, 0x10001000n, 4096n), { errno: 14, abi: 'seed-v13' });
    expect(json.exit).toEqual({ flags: '0x0', private: null, gpa: '0x10001000', size: 4096 });
    expect(text).toContain('defines no flags');
    expect(text).not.toContain('as shared;');
  });

  it("says of a missing VMA what the patch's text says, and what mainline does", () => {
    const { text } = decode(captureOf('novma-read'), { errno: 14 });
    expect(text).toContain('a valid memslot but no backing VMA for the corresponding host virtual address');
    expect(text).toContain('leaves exit_reason 0');
  });

  it.each([9, 50])('in a page of %i bytes is cut once', (length) => {
    const { rules } = decode(fault(39, 8n, 0x10001000n, 4096n).subarray(0, length), { arch: 'x86_64' });
    expect(rules.filter((rule) => rule === 'kvm.truncated')).toHaveLength(1);
  });

  it('has a range in gfns, finer than a page too', () => {
    expect(faultRange({ flags: 8n, gpa: 0x10001080n, size: 128n })).toEqual({
      private: true,
      unknownFlags: 0n,
      end: 0x10001100n,
      firstGfn: 0x10001n,
      lastGfn: 0x10001n,
      subPage: true,
      conversion: { address: 0x10001000n, size: 4096n, attributes: 8n },
    });
    expect(faultRange({ flags: 0n, gpa: 0x1f80n, size: 256n })).toMatchObject({
      firstGfn: 1n,
      lastGfn: 2n,
      conversion: { address: 0x1000n, size: 8192n, attributes: 0n },
    });
    expect(faultRange({ flags: 0n, gpa: 0x200000n, size: 0x200000n })).toMatchObject({ firstGfn: 0x200n, lastGfn: 0x3ffn, subPage: false });
    const { rules, json } = decode(fault(39, 8n, 0x10001080n, 128n), { errno: 14 });
    expect(rules).toContain('kvm.memory-fault-range');
    expect(json.exit).toEqual({ flags: '0x8', private: true, gpa: '0x10001080', size: 128 });
  });

  it('keeps what it cannot mean', () => {
    expect(decode(fault(39, 0x13n, 0x1000n, 4096n)).rules).toContain('kvm.memory-fault-flags');
    expect(decode(fault(39, 0x13n, 0x1000n, 4096n)).json.exit).toMatchObject({ flags: '0x13', private: false });
    expect(decode(fault(39, 8n, 0x1000n, 0n)).text).toContain('cannot be converted');
    expect(faultRange({ flags: 0n, gpa: 0n, size: 0n })).toMatchObject({ end: null, conversion: null });
    const wrapping = decode(fault(39, 8n, 2n ** 64n - 4096n, 8192n));
    expect(wrapping.rules).toContain('kvm.memory-fault-range');
    expect(wrapping.json.exit).toMatchObject({ gpa: '0xfffffffffffff000', size: 8192 });
    expect(faultRange({ flags: 0n, gpa: 2n ** 64n - 4096n, size: 4096n }).end).toBe(2n ** 64n);
    expect(decode(fault(39, 8n, 0x1000n, 2n ** 60n)).json.exit).toMatchObject({ size: '0x1000000000000000' });
  });

  it('never comes with a return of 0, and is private on x86 alone', () => {
    expect(decode(fault(39, 8n, 0x1000n, 4096n), { errno: 0 })).toMatchObject({ json: { stale: false } });
    expect(decode(fault(39, 8n, 0x1000n, 4096n), { errno: 0 }).rules).toContain('kvm.memory-fault-return');
    expect(decode(fault(39, 8n, 0x1000n, 4096n), { arch: 'arm64' }).rules).toContain('kvm.memory-fault-foreign');
    expect(decode(fault(39, 0n, 0x1000n, 4096n), { arch: 'arm64' }).rules).not.toContain('kvm.memory-fault-foreign');
    expect(decode(fault(39, 0n, 0x1000n, 4096n), { arch: 'riscv' }).rules).toContain('kvm.memory-fault-foreign');
  });
});

describe('the numbers of the v13 patches', () => {
  const seed = fault(38, 8n, 0x10001000n, 4096n);

  it('38 with the payload of a fault is pointed out on x86', () => {
    const { json, snapshot } = decode(seed, { errno: 14 });
    expect(json).toMatchObject({ arch: 'x86_64', exitReason: 38, exitName: 'KVM_EXIT_LOONGARCH_IOCSR', stale: true });
    const found = snapshot.findings.find(({ rule }) => rule === 'kvm.seed-number');
    expect(found?.message).toMatch(/38.*231.*39 and 232.*--abi seed-v13/);
  });

  it('--abi seed-v13 reads it as a memory fault', () => {
    const { json, rules } = decode(seed, { errno: 14, abi: 'seed-v13' });
    expect(json).toMatchObject({ exitName: 'KVM_EXIT_MEMORY_FAULT', stale: false, exit: { flags: '0x8', private: true, gpa: '0x10001000', size: 4096 } });
    expect(rules).not.toContain('kvm.seed-number');
  });

  it('in that patch 39 is nothing', () => {
    expect(decode(fault(39, 0n, 0x1000n, 4096n), { errno: 14, abi: 'seed-v13' }).json).toMatchObject({ exitName: null, exit: null, stale: true });
  });

  it('on loongarch 38 is an IOCSR access, whatever the payload and the ABI', () => {
    for (const abi of ['mainline', 'seed-v13'] as const) {
      const { json, rules } = decode(seed, { arch: 'loongarch', abi, errno: 14 });
      expect(json).toMatchObject({ exitName: 'KVM_EXIT_LOONGARCH_IOCSR', stale: true });
      expect(rules).not.toContain('kvm.seed-number');
    }
  });

  it('an IOCSR access is none', () => {
    const bytes = fault(38, 0x1040n, 0x55n, 4n);
    expect(decode(bytes, { errno: 0 }).rules).not.toContain('kvm.seed-number');
    expect(looksLikeFault({ flags: 0x1040n, gpa: 0x55n, size: 4n })).toBe(false);
    bytes.fill(0, 16, 32);
    const guessed = decode(bytes, { errno: 0 });
    expect(guessed.json).toMatchObject({ arch: 'loongarch', exit: { phys_addr: '0x1040', data: '5500000000000000', len: 4, is_write: false } });
    expect(guessed.rules).toContain('kvm.arch-assumed');
  });
});

describe('what the seed does not tell', () => {
  it('EFAULT with reason 0 is a missing mapping, and its old payload none', () => {
    const { text, rules, json } = decode(captureOf('novma-after-memory-fault'), { errno: 14 });
    expect(json.stale).toBe(true);
    expect(text).toContain('no usable mapping');
    expect(rules).toEqual(['kvm.exit-reason-stale', 'kvm.leftover-memory-fault']);
  });

  it('EINTR after a fault leaves 39 behind', () => {
    const { text, json } = decode(captureOf('fault-then-immediate-exit'), { errno: 4 });
    expect(json).toMatchObject({ stale: true, exitReason: 39, exit: { gpa: '0x10001000' } });
    expect(text).toContain('not what this run came back for');
    expect(decode(captureOf('fault-then-immediate-exit')).rules).toContain('kvm.exit-reason-stale');
  });

  it('a hypercall for conversion says which', () => {
    expect(decode(captureOf('hypercall-32'), { errno: 0 }).text).toMatch(/make 4 pages from gpa 0x10000000 private/);
    expect(decode(captureOf('hypercall-64'), { errno: 0 }).text).toMatch(/make 4 pages from gpa 0x10000000 shared/);
  });
});
