/** The driver of this machine's /dev/kvm. Where there is none, one test says so. */
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { ERRNO } from '../../../abi/errno.js';
import { kvmCapabilities } from '../../../abi/kvm/ioctls.js';
import { UserError } from '../../../src/codec/user-error.js';
import type { KvmBackend, KvmRunResult } from '../../../src/device/kvm/backend.js';
import { assemble, type KvmCapabilities, kvmCapabilitiesHere, openKvm } from '../../../src/device/kvm/real-kvm.js';
import { decodeSnapshot } from '../../../src/kvm/snapshot.js';
import { snapshotJson } from '../../../src/report/kvm-text.js';

/** Why the tests of the real device can't run, or what it can do. */
async function probe(): Promise<KvmCapabilities | string> {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return await kvmCapabilitiesHere();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const here = await probe();
const exit = (result: KvmRunResult): unknown => {
  const { exitName, exit: payload, stale } = snapshotJson(decodeSnapshot(result.page, { arch: 'x86_64', errno: result.errno }));
  return { ret: result.ret, errno: result.errno, exitName, payload, stale };
};
const ours = (): { readonly fds: number; readonly mappings: number } => ({
  fds: readdirSync('/proc/self/fd').length,
  mappings: readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => /^2[0-9a-f]{11}-|kvm/.test(line)).length,
});

if (typeof here === 'string') {
  it(`the driver of /dev/kvm did NOT run here: ${here}`, async () => {
    await expect(openKvm({ type: 'default' })).rejects.toThrow(UserError);
  });
} else {
  describe('/dev/kvm of this machine', () => {
    let vm: KvmBackend | null = null;
    const open = async (): Promise<KvmBackend> => {
      vm = await openKvm({ type: 'default' });
      return vm;
    };
    afterEach(() => {
      vm?.close();
      vm = null;
    });

    it('HLT', async () => {
      const kvm = await open();
      kvm.load([]);
      const result = kvm.run();
      expect(exit(result)).toEqual({ ret: 0, errno: 0, exitName: 'KVM_EXIT_HLT', payload: {}, stale: false });
      expect(result.page.length).toBe(kvm.mappingSize);
    });

    it('port output and input, with the answer given to the guest', async () => {
      const kvm = await open();
      kvm.load([
        { op: 'out', port: 0xcf8, bytes: 4, value: 0xdeadbeef },
        { op: 'in', port: 0x71, bytes: 2 },
      ]);
      expect(exit(kvm.run())).toMatchObject({
        ret: 0,
        exitName: 'KVM_EXIT_IO',
        payload: { direction: 1, size: 4, port: 0xcf8, count: 1, data_offset: 4096, data: 'efbeadde' },
      });
      expect(exit(kvm.run())).toMatchObject({ exitName: 'KVM_EXIT_IO', payload: { direction: 0, size: 2, port: 0x71, count: 1 } });
      kvm.answer(0x1234n);
      const end = kvm.run();
      expect(exit(end)).toMatchObject({ exitName: 'KVM_EXIT_HLT' });
      expect(end.rax).toBe(0xdead1234n);
    });

    it('MMIO: a write, and a read with its answer', async () => {
      const kvm = await open();
      kvm.load([
        { op: 'write', gpa: 0xd0000020, bytes: 4, value: 0xcafef00d },
        { op: 'read', gpa: 0xd0000010, bytes: 4 },
      ]);
      expect(exit(kvm.run())).toMatchObject({
        ret: 0,
        exitName: 'KVM_EXIT_MMIO',
        payload: { phys_addr: '0xd0000020', len: 4, is_write: true, data: expect.stringMatching(/^0df0feca/) },
      });
      expect(exit(kvm.run())).toMatchObject({ exitName: 'KVM_EXIT_MMIO', payload: { phys_addr: '0xd0000010', len: 4, is_write: false } });
      kvm.answer(0x11223344n);
      expect(kvm.run().rax).toBe(0x11223344n);
    });

    it('memory of a slot, and a write to a read-only one', async () => {
      const kvm = await open();
      expect(kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x10000, fill: 0x53 })).toEqual({ ret: 0, errno: 0 });
      kvm.load([{ op: 'read', gpa: 0x10000000, bytes: 4 }]);
      expect(kvm.run()).toMatchObject({ ret: 0, rax: 0x53535353n });
      expect(kvm.setMemoryRegion({ slot: 2, gpa: 0x10100000, size: 0x1000, readOnly: true }).ret).toBe(0);
      kvm.load([{ op: 'write', gpa: 0x10100000, bytes: 4, value: 0x77 }]);
      expect(exit(kvm.run())).toMatchObject({ exitName: 'KVM_EXIT_MMIO', payload: { phys_addr: '0x10100000', is_write: true } });
      expect(kvm.setMemoryRegion({ slot: 3, gpa: 0x10000000, size: 0x1000 })).toEqual({ ret: -1, errno: ERRNO.EEXIST });
      expect(kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0 }).ret).toBe(0);
    });

    it('a mapping taken away and given back', async () => {
      const kvm = await open();
      kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x10000, fill: 1 });
      for (const mapping of ['missing', 'prot-none'] as const) {
        expect(kvm.setMapping(1, 0x1000, 0x1000, mapping).ret).toBe(0);
        kvm.load([{ op: 'read', gpa: 0x10001000, bytes: 4 }]);
        // Most KVMs fail with EFAULT and exit_reason 0; one that emulates the access makes it MMIO.
        const { ret, errno } = kvm.run();
        expect([0, -1]).toContain(ret);
        expect(errno).toBe(ret === 0 ? 0 : ERRNO.EFAULT);
        expect(kvm.setMapping(1, 0x1000, 0x1000, 'mapped', 0x55).ret).toBe(0);
        kvm.load([{ op: 'read', gpa: 0x10001000, bytes: 4 }]);
        expect(kvm.run()).toMatchObject({ ret: 0, rax: 0x55555555n });
      }
    });

    it('a guest that never exits is interrupted, as often as wanted', async () => {
      const kvm = await open();
      kvm.load([{ op: 'loop' }]);
      for (let round = 0; round < 3; round++) {
        expect(exit(kvm.run({ interruptAfter: 20 }))).toMatchObject({ ret: -1, errno: ERRNO.EINTR, exitName: 'KVM_EXIT_INTR', stale: false });
      }
      kvm.load([]);
      expect(exit(kvm.run())).toMatchObject({ ret: 0, exitName: 'KVM_EXIT_HLT' });
    });

    it('immediate_exit leaves the reason of the run before', async () => {
      const kvm = await open();
      kvm.load([]);
      kvm.run();
      expect(exit(kvm.run({ immediateExit: true }))).toMatchObject({ ret: -1, errno: ERRNO.EINTR, exitName: 'KVM_EXIT_HLT', stale: true });
    });

    it('a triple fault, and a jump to where no memory is', async () => {
      const kvm = await open();
      kvm.load([{ op: 'triple-fault' }]);
      expect(exit(kvm.run())).toMatchObject({ exitName: 'KVM_EXIT_SHUTDOWN' });
      kvm.close();
      const second = await open();
      second.load([{ op: 'fetch', gpa: 0xd0000000 }]);
      expect(exit(second.run())).toMatchObject({ exitName: 'KVM_EXIT_INTERNAL_ERROR', payload: { suberror: 1 } });
    });

    it('KVM_CAP_MEMORY_FAULT_INFO informs, and cannot be enabled', async () => {
      const kvm = await open();
      const number = kvmCapabilities.KVM_CAP_MEMORY_FAULT_INFO;
      expect(kvm.checkExtension(number).ret).toBe(here.KVM_CAP_MEMORY_FAULT_INFO);
      expect(kvm.enableCapability(number, [1])).toEqual({ ret: -1, errno: ERRNO.EINVAL });
    });

    if (here.KVM_CAP_MEMORY_ATTRIBUTES > 0 && (here.KVM_CAP_VM_TYPES & 2) !== 0) {
      it('a private page without guest_memfd is a memory fault', async () => {
        const kvm = await openKvm({ type: 'sw-protected' });
        vm = kvm;
        kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x10000 });
        expect(kvm.setAttributes(0x10001000, 0x1000, 8).ret).toBe(0);
        kvm.load([{ op: 'read', gpa: 0x10001008, bytes: 4 }]);
        expect(exit(kvm.run())).toEqual({
          ret: -1,
          errno: ERRNO.EFAULT,
          exitName: 'KVM_EXIT_MEMORY_FAULT',
          payload: { flags: '0x8', private: true, gpa: '0x10001000', size: 4096 },
          stale: false,
        });
      });
    } else {
      it('memory faults of private memory did NOT run: this kernel has no memory attributes, and says so before trying', async () => {
        const kvm = await open();
        expect(() => kvm.setAttributes(0x10000000, 0x1000, 8)).toThrow(/KVM_CAP_MEMORY_ATTRIBUTES/);
        await expect(openKvm({ type: 'sw-protected' })).rejects.toThrow(/KVM_X86_SW_PROTECTED_VM|KVM_CREATE_VM/);
      });
    }

    it('refuses what would reach beyond this process, or cannot be timed', async () => {
      const kvm = await open();
      expect(() => kvm.poison(1, 0)).toThrow(/out of use/);
      expect(() => kvm.run({ race: { gpa: 0, size: 4096, attributes: 8 } })).toThrow(/race/);
      expect(() => kvm.setMapping(1, 0, 4096, 'missing')).toThrow(/slot 1/);
      expect(() => kvm.punchHole('nobody', 0, 4096)).toThrow(/nobody/);
    });

    it('leaves no file descriptor and no mapping behind, also after errors and twice closed', async () => {
      const before = ours();
      for (let round = 0; round < 3; round++) {
        const kvm = await openKvm({ type: 'default' });
        if (here.KVM_CAP_GUEST_MEMFD > 0) kvm.createGuestMemfd('g', 0x10000, 0);
        kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x10000 });
        kvm.setMapping(1, 0x2000, 0x1000, 'missing');
        kvm.load([{ op: 'loop' }]);
        kvm.run({ interruptAfter: 5 });
        kvm.close();
        kvm.close();
        expect(() => kvm.run()).toThrow(UserError);
        await openKvm({ type: 'sw-protected' }).then(
          (other) => other.close(),
          () => undefined,
        );
      }
      expect(ours()).toEqual(before);
    });
  });
}

describe('guest code', () => {
  it('is what an assembler makes of it', () => {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    expect(hex(assemble([{ op: 'read', gpa: 0x10000008, bytes: 4 }], 'vmcall'))).toBe('bb080000108b03f4');
    expect(hex(assemble([{ op: 'write', gpa: 0x1000, bytes: 2, value: 0x77 }], 'vmcall'))).toBe('bb00100000b877000000668903f4');
    expect(hex(assemble([{ op: 'out', port: 0x3f8, bytes: 1, value: 0x41 }], 'vmcall'))).toBe('baf8030000b841000000eef4');
    expect(hex(assemble([{ op: 'fetch', gpa: 0xd0000000 }], 'vmmcall'))).toBe('bb000000d0ffe3f4');
    expect(hex(assemble([{ op: 'hypercall', nr: 12, args: [1, 2, 3] }], 'vmmcall'))).toBe('b80c000000bb01000000b902000000ba03000000be000000000f01d9f4');
  });

  it('says what 32-bit code cannot do', () => {
    expect(() => assemble([{ op: 'read', gpa: 2 ** 32, bytes: 1 }], 'vmcall')).toThrow(RangeError);
    expect(() => assemble([{ op: 'hypercall', nr: 1, args: [], longMode: true }], 'vmcall')).toThrow(RangeError);
  });
});
