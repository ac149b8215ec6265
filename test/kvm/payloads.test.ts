import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Endian } from '../../abi/layout.js';
import { type KvmArch, kvmArches } from '../../abi/kvm/arch.js';
import { exitReasons, unionChoices } from '../../abi/kvm/exits.js';
import { kvmRun, kvmRunParts, kvmRunS390, payloadStruct, kvmCoalescedMmioRing } from '../../abi/kvm/run.js';
import { encodeInto, encodeStruct } from '../../src/codec/encode.js';
import { offsetOf } from '../../src/codec/layout-table.js';
import { decodeSnapshot } from '../../src/kvm/snapshot.js';
import { kvmTree } from '../../src/kvm/kvm-tree.js';
import { type TreeNode, walk } from '../../src/tree/tree.js';
import { snapshotJson, snapshotText } from '../../src/report/kvm-text.js';
import { captureOf } from './captures.js';
import { extent } from '../extent.js';

function find(root: TreeNode, path: string): TreeNode {
  let found: TreeNode | null = null;
  walk(root, (node) => {
    if (node.path === path) found = node;
    return found === null;
  });
  return found ?? root;
}

const leavesOf = (node: TreeNode): readonly TreeNode[] => {
  const children = node.children();
  return children.length === 0 ? [node].filter(({ type, bits }) => type !== 'gap' && bits > 0) : children.flatMap(leavesOf);
};

const arches: readonly KvmArch[] = ['x86_64', 'arm64', 's390', 'powerpc', 'riscv', 'loongarch'];

/** A kvm_run of `arch` with that reason and the bytes 1, 2, 3 … as payload. */
function page(arch: KvmArch, reason: number, endian: Endian, payload: Uint8Array | null = null): Uint8Array {
  const bytes = new Uint8Array(kvmArches[arch].mappedPages * 4096);
  const layout = kvmRun[arch];
  encodeInto(layout, { exit_reason: reason }, bytes, 0, { endian });
  bytes.set(payload ?? Uint8Array.from({ length: 256 }, (_, index) => (index + 1) & 255), offsetOf(layout, 'exit'));
  return bytes;
}

describe.each(arches)('%s', (arch) => {
  const endian: Endian = kvmArches[arch].endian === 'big' ? 'big' : 'little';
  const reasons = exitReasons.filter(({ archs }) => archs === null || archs.includes(arch));

  it.each(reasons)('$name has its payload under the kernel names', ({ number, name, payload }) => {
    const snapshot = decodeSnapshot(page(arch, number, endian), { arch, errno: 0 });
    const json = snapshotJson(snapshot);
    expect(json).toMatchObject({ arch, exitReason: number, exitName: name, stale: false });
    expect(kvmTree(snapshot).meaning).toBe(`${name} (${number})`);
    if (payload === null) {
      expect(json.exit).toEqual({});
      return;
    }
    // Field by field, read back by hand from the bytes 1, 2, 3 …
    const struct = payloadStruct(arch, payload);
    if (payload === 'memory_fault') return;
    const choice = unionChoices[payload];
    const expected = Object.keys(struct.fields).filter((field) => field !== choice?.field);
    expect(Object.keys(json.exit ?? {})).toEqual(expect.arrayContaining(expected));
    for (const node of leavesOf(find(kvmTree(snapshot), 'kvm_run/exit')).filter(({ path }) => !path.includes('emulation'))) {
      const at = (node.address ?? 0) - offsetOf(kvmRun[arch], 'exit');
      const raw = Array.from({ length: node.bits / 8 }, (_, index) => ((at + index + 1) & 255).toString(16).padStart(2, '0'));
      if (typeof node.value === 'string') expect(node.value, node.path).toBe(raw.slice(0, 64).join('') + (raw.length > 64 ? '…' : ''));
      else expect(BigInt(node.value ?? -1), node.path).toBe(BigInt.asUintN(node.bits, BigInt(`0x${(endian === 'big' ? raw : raw.reverse()).join('')}`)));
    }
  });

  it('names every number below 44 and none above', () => {
    expect(exitReasons.map(({ number }) => number)).toEqual(Array.from({ length: 44 }, (_, index) => index));
    const unknown = decodeSnapshot(page(arch, 44, endian), { arch });
    expect(snapshotJson(unknown)).toMatchObject({ exitReason: 44, exitName: null, exit: null });
    expect(unknown.findings.map(({ rule }) => rule)).toContain('kvm.exit-reason-unknown');
  });

  it('says so where a reason belongs to another architecture', () => {
    for (const reason of exitReasons.filter(({ archs }) => archs !== null && !archs.includes(arch) && archs.length === 1)) {
      expect(decodeSnapshot(page(arch, reason.number, endian), { arch }).findings.map(({ rule }) => rule)).toContain('kvm.exit-reason-foreign');
    }
  });
});

describe('unions inside payloads', () => {
  const withPayload = (number: number, name: 'hyperv' | 'xen' | 'tdx', values: Record<string, number | Uint8Array>): unknown => {
    const payload = encodeStruct(payloadStruct('x86_64', name), values);
    return snapshotJson(decodeSnapshot(page('x86_64', number, 'little', payload), { errno: 0 })).exit;
  };
  const words = (...values: number[]): Uint8Array => {
    const bytes = new Uint8Array(values.length * 8);
    values.forEach((value, index) => {
      new DataView(bytes.buffer).setBigUint64(index * 8, BigInt(value), true);
    });
    return bytes;
  };

  it('hyperv by type', () => {
    expect(withPayload(27, 'hyperv', { type: 2, u: words(0x11, 0, 0x22, 0x33) })).toMatchObject({
      type: 2,
      u: { hcall: { input: '0x11', result: '0x0', params: ['0x22', '0x33'] } },
    });
    expect(withPayload(27, 'hyperv', { type: 3, u: words(0x40000080, 1, 2, 3, 4, 5) })).toMatchObject({
      u: { syndbg: { msr: '0x40000080', pending_page: '0x5' } },
    });
  });

  it('xen', () => {
    expect(withPayload(34, 'xen', { type: 1, u: words(1 + 2 ** 33, 7, 0, 9) })).toMatchObject({
      u: { hcall: { longmode: true, cpl: 2, input: '0x7', params: ['0x9', '0x0', '0x0', '0x0', '0x0', '0x0'] } },
    });
  });

  it('tdx by nr, beside the other fields as in C', () => {
    expect(withPayload(40, 'tdx', { nr: 0x10002, u: words(0, 0x1000, 0x2000) })).toEqual({
      flags: '0x0',
      nr: 0x10002,
      get_quote: { ret: '0x0', gpa: '0x1000', size: 0x2000 },
    });
    expect(withPayload(40, 'tdx', { nr: 0x10003, u: words(0, 1, 2, 3, 4, 5) })).toEqual({
      flags: '0x0',
      nr: 0x10003,
      unknown: { ret: '0x0', data: ['0x1', '0x2', '0x3', '0x4', '0x5'] },
    });
  });

  it('a type nobody knows keeps its bytes', () => {
    const payload = encodeStruct(payloadStruct('x86_64', 'hyperv'), { type: 9 });
    const snapshot = decodeSnapshot(page('x86_64', 27, 'little', payload));
    expect(snapshot.findings.map(({ rule }) => rule)).toContain('kvm.payload-form-unknown');
    expect(snapshotJson(snapshot)).toMatchObject({ exit: { type: 9, u: '00'.repeat(48) } });
  });
});

describe('header, rings and registers', () => {
  it('s390 has its PSW, in big-endian', () => {
    const bytes = page('s390', 13, 'big', Uint8Array.of(4, 0, 0xb2, 0x20, 0, 0, 0, 7));
    encodeInto(kvmRunS390, { psw_mask: 0x1122n, psw_addr: 0x334455n }, bytes, 0, { endian: 'big' });
    const json = snapshotJson(decodeSnapshot(bytes, { errno: 0 }));
    expect(json).toMatchObject({
      arch: 's390',
      exitName: 'KVM_EXIT_S390_SIEIC',
      header: { psw_mask: '0x1122', psw_addr: '0x334455' },
      exit: { icptcode: '0x4', ipa: '0xb220', ipb: '0x7' },
    });
  });

  it('synchronised registers hold where kvm_valid_regs says so', () => {
    const bytes = captureOf('hlt');
    encodeInto(kvmRun.x86_64, { kvm_valid_regs: 3 }, bytes, 0);
    const regs = kvmRunParts.x86_64.syncRegs;
    if (regs === null) throw new Error('none');
    encodeInto(regs, { regs: { rip: 0x1001, rax: 5n }, sregs: { cr3: 0x2000, cs: { selector: 8, l: 1 } } }, bytes, offsetOf(kvmRun.x86_64, 's'));
    const json = snapshotJson(decodeSnapshot(bytes, { errno: 0 }));
    expect(json).toMatchObject({ syncRegs: { regs: { rip: '0x1001', rax: '0x5' }, sregs: { cr3: '0x2000', cs: { selector: '0x8', l: true } } } });
    expect(Object.keys(json.syncRegs ?? {})).toEqual(['regs', 'sregs']);
    expect(find(kvmTree(decodeSnapshot(bytes)), 'kvm_run/s/regs/regs/rip')).toMatchObject({ address: 304 + 128, bits: 64, value: 0x1001n, role: 'opaque' });
  });

  it('coalesced writes wait between first and last, around the end', () => {
    const bytes = captureOf('hlt');
    const entries = Array.from({ length: 170 }, (_, index) => ({ phys_addr: 0x1000 + index, len: 4, data: Uint8Array.of(index, 0, 0, 0) }));
    encodeInto(kvmCoalescedMmioRing, { first: 169, last: 1, coalesced_mmio: entries }, bytes, 8192);
    const json = snapshotJson(decodeSnapshot(bytes));
    expect(json).toMatchObject({
      coalescedMmio: { first: 169, last: 1, pending: [{ phys_addr: '0x10a9' }, { phys_addr: '0x1000', len: 4, data: '0000000000000000' }] },
    });
    encodeInto(kvmCoalescedMmioRing, { first: 169, last: 170 }, bytes, 8192);
    const broken = decodeSnapshot(bytes);
    expect(broken.ring?.pending).toBeNull();
    expect(broken.findings.map(({ rule }) => rule)).toContain('kvm.ring-invalid');
  });
});

describe('hostile bytes', () => {
  it('every prefix of a capture decodes, and says what is missing', () => {
    const whole = captureOf('fault-private-read');
    for (const length of [0, 1, 8, 11, 12, 32, 39, 40, 55, 56, 200, 288, 2351, 2352, 4095, 4096, 8192, 12287]) {
      const snapshot = decodeSnapshot(whole.slice(0, length), { errno: 14 });
      const json = snapshotJson(snapshot);
      expect(json.exitReason).toBe(length >= 12 ? 39 : null);
      expect(json.exit).toEqual(
        length < 12
          ? null
          : length < 56
            ? { flags: length < 40 ? null : '0x8', private: null, gpa: length < 48 ? null : '0x10001000', size: null }
            : { flags: '0x8', private: true, gpa: '0x10001000', size: 4096 },
      );
      if (length < 2352) expect(snapshot.findings.map(({ rule }) => rule)).toContain('kvm.truncated');
      expect(snapshotText(snapshot).length).toBeGreaterThan(0);
    }
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2600 }),
        fc.constantFrom(...arches),
        fc.integer({ min: 0, max: 50 }),
        fc.boolean(),
        (bytes, arch, reason, known) => {
          if (known && bytes.length >= 12) {
            const little = kvmArches[arch].endian !== 'big';
            new DataView(bytes.buffer, bytes.byteOffset).setUint32(offsetOf(kvmRun[arch], 'exit_reason'), reason, little);
          }
          for (const options of [{ arch }, {}, { arch, abi: 'seed-v13' } as const]) {
            const snapshot = decodeSnapshot(bytes, options);
            expect(JSON.stringify(snapshotJson(snapshot))).toContain('luo-inspect.kvm/1');
            // Nothing of the bytes reaches a terminal unescaped.
            expect(/[\p{Cc}]/u.test(snapshotText(snapshot).replaceAll('\n', ''))).toBe(false);
          }
        },
      ),
      { numRuns: extent(100, 300) },
    );
  });

  it('port data outside the file is null, never invented', () => {
    const bytes = captureOf('io-out-4');
    encodeInto(payloadStruct('x86_64', 'io'), { data_offset: 0x100000 }, bytes, 32);
    const snapshot = decodeSnapshot(bytes, { errno: 0 });
    expect(snapshotJson(snapshot)).toMatchObject({ exit: { data_offset: 0x100000, data: null } });
    expect(snapshot.findings.map(({ rule }) => rule)).toContain('kvm.io-data-unreadable');
    const short = decodeSnapshot(captureOf('io-out-4').slice(0, 4096), { errno: 0 });
    expect(snapshotJson(short)).toMatchObject({ exit: { port: 3320, data: null } });
    encodeInto(payloadStruct('x86_64', 'io'), { data_offset: 2n ** 64n - 2n, count: 0xffffffff, size: 255 }, bytes, 32);
    expect(snapshotJson(decodeSnapshot(bytes))).toMatchObject({ exit: { data_offset: '0xfffffffffffffffe', data: null } });
  });
});
