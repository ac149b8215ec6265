import { describe, expect, it } from 'vitest';
import { ERRNO } from '../../../abi/errno.js';
import { kvmCapabilities } from '../../../abi/kvm/ioctls.js';
import { memoryFault } from '../../../abi/kvm/payloads.js';
import { SEED_CAP_MEMORY_FAULT_INFO } from '../../../abi/kvm/seed-v13.js';
import { exitReasonIn, type GuestAccess, type KvmRunResult } from '../../../src/device/kvm/backend.js';
import { exitFields, exitPayload } from '../../../src/engine/vcpu/exit-fields.js';
import { SimulatedKvm } from '../../../src/engine/vcpu/simulated-kvm.js';
import type { KvmStep } from '../../../src/engine/scenario/steps.js';
import { compareKvmResults, type KvmStepResult, runKvmSteps } from '../../../src/engine/vcpu/steps.js';
import { runVmm, VMM_RULES } from '../../../src/engine/vcpu/vmm.js';
import { decodeSnapshot } from '../../../src/kvm/snapshot.js';

const PRIVATE = 8;
const EINVAL = { ret: -1, errno: ERRNO.EINVAL };
const fine = { ret: 0, errno: 0 };
const read = (gpa: number, bytes: 1 | 2 | 4 = 4): GuestAccess => ({ op: 'read', gpa, bytes });

/** A VM with private memory, a slot of 1 MiB at 256 MiB, with or without guest_memfd. */
function machine(options: { readonly guestMemfd?: boolean; readonly numbering?: 'seed-v13' } = {}): SimulatedKvm {
  const kvm = new SimulatedKvm({ type: 'sw-protected', ...(options.numbering === undefined ? {} : { numbering: options.numbering }) });
  if (options.guestMemfd === true) expect(kvm.createGuestMemfd('g', 0x100000, 0)).toEqual(fine);
  expect(kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x100000, fill: 0x53, ...(options.guestMemfd === true ? { guestMemfd: 'g' } : {}) })).toEqual(
    fine,
  );
  return kvm;
}
const once = (kvm: SimulatedKvm, access: GuestAccess): KvmRunResult => {
  kvm.load([access]);
  return kvm.run();
};

describe('memory faults', () => {
  it('private without a slot, private without guest_memfd, guest_memfd lost', () => {
    const kvm = machine();
    kvm.setAttributes(0x20000000, 0x1000, PRIVATE);
    expect(exitFields(once(kvm, read(0x20000ff0)))).toEqual({
      ret: -1,
      errno: ERRNO.EFAULT,
      reason: 'KVM_EXIT_MEMORY_FAULT',
      fields: { flags: '0x8', gpa: '0x20000000', size: '0x1000' },
    });
    const backed = machine({ guestMemfd: true });
    backed.setAttributes(0x10000000, 0x1000, PRIVATE);
    expect(once(backed, read(0x10000000))).toMatchObject({ ret: 0, rax: 0n });
    backed.closeGuestMemfd('g');
    expect(once(backed, read(0x10000000))).toMatchObject({ ret: -1, errno: ERRNO.EFAULT });
  });

  it('hwpoison: EHWPOISON with a payload from guest_memfd, SIGBUS from ordinary memory', () => {
    const kvm = machine({ guestMemfd: true });
    kvm.setAttributes(0x10000000, 0x2000, PRIVATE);
    kvm.poison(1, 0x1000);
    const broken = once(kvm, read(0x10001234));
    expect(broken).toMatchObject({ ret: -1, errno: ERRNO.EHWPOISON });
    expect(decodeSnapshot(broken.page, { errno: broken.errno })).toMatchObject({ exitReason: 39, stale: false });
    const shared = machine();
    shared.poison(1, 0x1000);
    const signalled = once(shared, read(0x10001234));
    expect(signalled).toMatchObject({ ret: -1, errno: ERRNO.EINTR, signal: 'SIGBUS' });
    expect(exitReasonIn(signalled.page)).toBe(10);
    shared.setMapping(1, 0x1000, 0x1000, 'mapped', 7);
    expect(once(shared, read(0x10001234)).rax).toBe(0x07070707n);
  });

  it('an access over two pages reports the first that faults, then the second', () => {
    const kvm = machine({ guestMemfd: true });
    const bare = machine();
    bare.setAttributes(0x10001000, 0x2000, PRIVATE);
    bare.load([read(0x10001ffe)]);
    expect(exitPayload(bare.run().page, memoryFault).gpa).toBe(0x10001000n);
    bare.setAttributes(0x10001000, 0x1000, 0);
    expect(exitPayload(bare.run().page, memoryFault).gpa).toBe(0x10002000n);
    bare.setAttributes(0x10002000, 0x1000, 0);
    expect(bare.run()).toMatchObject({ ret: 0, rax: 0x53535353n });
    kvm.close();
    expect(() => kvm.run()).toThrow(/closed/);
  });

  it('an access over the end of a slot is memory and MMIO', () => {
    const kvm = machine();
    kvm.load([read(0x100ffffe)]);
    expect(exitFields(kvm.run()).fields).toMatchObject({ phys_addr: '0x10100000', len: '0x2' });
    kvm.answer(0xabcdn);
    expect(kvm.run().rax).toBe(0xabcd5353n);
  });

  it('the numbering of the v13 patches', () => {
    const kvm = machine({ numbering: 'seed-v13' });
    kvm.setAttributes(0x10000000, 0x1000, PRIVATE);
    const run = once(kvm, read(0x10000000));
    expect(exitReasonIn(run.page)).toBe(38);
    expect(decodeSnapshot(run.page, { errno: run.errno, abi: 'seed-v13' })).toMatchObject({ stale: false, exit: { name: 'KVM_EXIT_MEMORY_FAULT' } });
    expect(kvm.checkExtension(SEED_CAP_MEMORY_FAULT_INFO).ret).toBe(1);
    expect(kvm.enableCapability(SEED_CAP_MEMORY_FAULT_INFO, [1])).toEqual(EINVAL);
    const plain = machine();
    expect(plain.checkExtension(kvmCapabilities.KVM_CAP_MEMORY_FAULT_INFO).ret).toBe(1);
    expect(plain.enableCapability(kvmCapabilities.KVM_CAP_MEMORY_FAULT_INFO, [0])).toEqual(EINVAL);
  });
});

describe('requests and their errors', () => {
  it('memslots', () => {
    const kvm = machine();
    expect(kvm.setMemoryRegion({ slot: 2, gpa: 0x10000800, size: 0x1000 })).toEqual(EINVAL);
    expect(kvm.setMemoryRegion({ slot: 2, gpa: 0x10080000, size: 0x1000 })).toEqual({ ret: -1, errno: ERRNO.EEXIST });
    expect(kvm.setMemoryRegion({ slot: 9, gpa: 0, size: 0 })).toEqual(EINVAL);
    expect(kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x1000 })).toEqual(EINVAL);
    kvm.createGuestMemfd('g', 0x2000, 0);
    expect(kvm.setMemoryRegion({ slot: 2, gpa: 0x20000000, size: 0x3000, guestMemfd: 'g' })).toEqual(EINVAL);
    expect(kvm.setMemoryRegion({ slot: 2, gpa: 0x20000000, size: 0x2000, guestMemfd: 'g', readOnly: true })).toEqual(EINVAL);
    expect(kvm.setMemoryRegion({ slot: 2, gpa: 0x20000000, size: 0x2000, guestMemfd: 'g' })).toEqual(fine);
    expect(kvm.setMemoryRegion({ slot: 2, gpa: 0x30000000, size: 0x2000, guestMemfd: 'g' })).toEqual(EINVAL);
    expect(kvm.setMemoryRegion({ slot: 3, gpa: 0x30000000, size: 0x1000, guestMemfd: 'g' })).toEqual({ ret: -1, errno: ERRNO.EEXIST });
    expect(() => kvm.setMemoryRegion({ slot: 4, gpa: 0x40000000, size: 0x1000, guestMemfd: 'h' })).toThrow(/no guest_memfd/);
  });

  it('attributes and guest_memfd', () => {
    const kvm = machine();
    for (const [gpa, size, attributes] of [
      [1, 0x1000, PRIVATE],
      [0, 0, PRIVATE],
      [0, 0x1001, PRIVATE],
      [0, 0x1000, 1],
    ] as const) {
      expect(kvm.setAttributes(gpa, size, attributes)).toEqual(EINVAL);
    }
    expect(new SimulatedKvm({ type: 'default' }).setAttributes(0, 0x1000, PRIVATE)).toEqual(EINVAL);
    expect(kvm.createGuestMemfd('x', 0x800, 0)).toEqual(EINVAL);
    expect(kvm.createGuestMemfd('x', 0x1000, 4)).toEqual(EINVAL);
    expect(kvm.setAttributes(0, 2 ** 50, PRIVATE)).toEqual(fine);
    expect(exitFields(once(kvm, read(0x10000000))).reason).toBe('KVM_EXIT_MEMORY_FAULT');
  });

  it('KVM_PRE_FAULT_MEMORY: what it mapped counts', () => {
    const kvm = machine();
    expect(kvm.preFault(0x10000000, 0x1000)).toEqual(fine);
    expect(kvm.preFault(0x20000000, 0x1000)).toEqual({ ret: -1, errno: ERRNO.ENOENT });
    kvm.setAttributes(0x10001000, 0x1000, PRIVATE);
    expect(kvm.preFault(0x10000000, 0x2000)).toEqual(fine);
    expect(kvm.preFault(0x10001000, 0x1000)).toEqual({ ret: -1, errno: ERRNO.EFAULT });
    expect(kvm.preFault(0x10000001, 0x1000)).toEqual(EINVAL);
  });

  it('hypercalls: unknown ones and bad ranges are answered by KVM itself', () => {
    const kvm = machine();
    expect(once(kvm, { op: 'hypercall', nr: 12, args: [0x10000000, 1, 0x10] })).toMatchObject({ ret: 0, rax: 2n ** 32n - 1000n });
    expect(kvm.enableCapability(kvmCapabilities.KVM_CAP_EXIT_HYPERCALL, [1])).toEqual(EINVAL);
    kvm.enableCapability(kvmCapabilities.KVM_CAP_EXIT_HYPERCALL, [1 << 12]);
    expect(once(kvm, { op: 'hypercall', nr: 12, args: [0x10000000, 0, 0x10] }).rax).toBe(2n ** 32n - 22n);
    expect(once(kvm, { op: 'hypercall', nr: 5, args: [] }).rax).toBe(2n ** 32n - 1000n);
  });

  it('answers of user space reach the guest', () => {
    const kvm = machine();
    kvm.enableCapability(kvmCapabilities.KVM_CAP_EXIT_HYPERCALL, [1 << 12]);
    kvm.load([
      { op: 'hypercall', nr: 12, args: [0x10000000, 1, 0x10] },
      { op: 'in', port: 0x60, bytes: 1 },
    ]);
    kvm.run();
    kvm.answer(-1n);
    expect(kvm.run().rax).toBe(0xffffffffn);
    kvm.answer(0x42n);
    expect(kvm.run().rax).toBe(0xffffff42n);
  });
});

describe('policies of a VMM', () => {
  const guest = (): SimulatedKvm => {
    const kvm = machine({ guestMemfd: true });
    kvm.setAttributes(0x10001000, 0x1000, PRIVATE);
    kvm.load([read(0x10000000), { op: 'write', gpa: 0x10001000, bytes: 4, value: 1 }, read(0x10001000)]);
    return kvm;
  };
  const stuck = (): SimulatedKvm => {
    const kvm = machine();
    kvm.setAttributes(0x10001000, 0x1000, PRIVATE);
    kvm.load([read(0x10001000)]);
    return kvm;
  };

  it('nothing to convert: the guest halts under each', () => {
    for (const rules of Object.values(VMM_RULES)) expect(runVmm(guest(), { rules }).outcome).toBe('halted');
  });

  it('converting what cannot be private loops; with a guard it stops, ignored it loops, killed it ends', () => {
    expect(runVmm(stuck(), { rules: VMM_RULES.convert, runs: 10 })).toMatchObject({ outcome: 'endless', events: { length: 10 } });
    const guarded = runVmm(stuck(), { rules: VMM_RULES.guard });
    expect([guarded.outcome, guarded.events.length]).toEqual(['no-progress', 2]);
    expect(runVmm(stuck(), { rules: VMM_RULES.ignore, runs: 5 }).outcome).toBe('endless');
    expect(runVmm(stuck(), { rules: VMM_RULES.kill })).toMatchObject({ outcome: 'killed', events: { length: 1 } });
    const own = { ...VMM_RULES.kill, memoryFault: 'retry' } as const;
    expect(runVmm(stuck(), { rules: own, runs: 3 }).outcome).toBe('endless');
  });

  it('explicit conversion: granted, the guest then reads its private memory', () => {
    const kvm = machine({ guestMemfd: true });
    kvm.enableCapability(kvmCapabilities.KVM_CAP_EXIT_HYPERCALL, [1 << 12]);
    kvm.load([{ op: 'hypercall', nr: 12, args: [0x10000000, 1, 0x10] }, read(0x10000000)]);
    const granted = runVmm(kvm, { rules: VMM_RULES.convert });
    expect([granted.outcome, granted.events.map(({ reaction }) => reaction), granted.events.at(-1)?.run.rax]).toEqual(['halted', ['convert', 'halt'], 0n]);
    const denied = machine({ guestMemfd: true });
    denied.enableCapability(kvmCapabilities.KVM_CAP_EXIT_HYPERCALL, [1 << 12]);
    denied.load([{ op: 'hypercall', nr: 12, args: [0x10000000, 1, 0x10] }, read(0x10000000)]);
    expect(runVmm(denied, { rules: VMM_RULES.kill }).events.at(-1)?.run.rax).toBe(0x53535353n);
  });

  it('implicit conversion: a guest that reaches into the wrong half is converted and goes on', () => {
    const kvm = machine({ guestMemfd: true });
    kvm.setAttributes(0x10001000, 0x1000, PRIVATE);
    kvm.load([{ op: 'write', gpa: 0x10001000, bytes: 4, value: 0x1234 }, read(0x10001000)]);
    const first = kvm.run({ race: { gpa: 0x10001000, size: 0x1000, attributes: 0 } });
    expect(exitFields(first)).toMatchObject({ errno: ERRNO.EFAULT, fields: { flags: '0x8' } });
    expect(kvm.setAttributes(0x10001000, 0x1000, PRIVATE)).toEqual(fine);
    expect(runVmm(kvm, { rules: VMM_RULES.guard }).events.at(-1)?.run.rax).toBe(0x1234n);
  });

  it('broken memory is never converted, an unexplained EFAULT ends or loops', () => {
    const kvm = machine({ guestMemfd: true });
    kvm.setAttributes(0x10000000, 0x1000, PRIVATE);
    kvm.poison(1, 0);
    kvm.load([read(0x10000000)]);
    expect(runVmm(kvm, { rules: VMM_RULES.convert })).toMatchObject({ outcome: 'killed', events: { length: 1 } });
    const unmapped = machine();
    unmapped.setMapping(1, 0, 0x1000, 'missing');
    unmapped.load([read(0x10000000)]);
    expect(runVmm(unmapped, { rules: VMM_RULES.guard }).outcome).toBe('killed');
    expect(runVmm(unmapped, { rules: VMM_RULES.ignore, runs: 4 }).outcome).toBe('endless');
  });
});

describe('steps on two devices', () => {
  const gather = async (steps: readonly KvmStep[], change: (kvm: SimulatedKvm) => void = () => undefined): Promise<readonly KvmStepResult[]> => {
    const out: KvmStepResult[] = [];
    const open = (options: { readonly type: 'default' | 'sw-protected' }): SimulatedKvm => {
      const kvm = new SimulatedKvm(options);
      change(kvm);
      return kvm;
    };
    for await (const result of runKvmSteps(steps, open)) out.push(result);
    return out;
  };
  const steps: readonly KvmStep[] = [
    { do: 'vm', type: 'sw-protected', inPlaceConversion: false },
    { do: 'memslot', slot: 1, gpa: 0x10000000, size: 0x10000 },
    { do: 'attributes', gpa: 0x10000000, size: 0x1000, attributes: PRIVATE },
    { do: 'guest', program: [read(0x10000000)] },
    { do: 'vcpu-run', wanted: {} },
    { do: 'vmm', rules: VMM_RULES.guard, outcome: null, wanted: {} },
    { do: 'mapping', slot: 7, offset: 0, size: 0x1000, state: 'missing', fill: 0 },
  ];

  it('come out alike on the same device', async () => {
    const results = await gather(steps);
    expect(results.map(({ call, outcome, refused }) => outcome ?? call ?? refused)).toEqual([
      fine,
      fine,
      fine,
      null,
      { ret: -1, errno: ERRNO.EFAULT },
      'no-progress',
      expect.stringContaining('slot 7'),
    ]);
    expect(compareKvmResults(results, await gather(steps))).toEqual([]);
  });

  it('differences are named step by step', async () => {
    const other = steps.map((step) => (step.do === 'attributes' ? { ...step, gpa: 0x10001000 } : step));
    const found = compareKvmResults(await gather(steps), await gather(other));
    expect(found.map(({ index, what, left, right }) => [index, what, left, right])).toEqual([
      [4, 'return', '-1', '0'],
      [4, 'errno', '14', '0'],
      [4, 'exit_reason', 'KVM_EXIT_MEMORY_FAULT', 'KVM_EXIT_HLT'],
      [4, 'exit flags', '0x8', ''],
      [4, 'exit gpa', '0x10000000', ''],
      [4, 'exit size', '0x1000', ''],
      [5, 'outcome', 'no-progress', 'halted'],
      [5, 'runs', '2', '1'],
      [5, 'run 1: return', '-1', '0'],
      [5, 'run 1: errno', '14', '0'],
      [5, 'run 1: exit_reason', 'KVM_EXIT_MEMORY_FAULT', 'KVM_EXIT_HLT'],
      [5, 'run 1: exit flags', '0x8', ''],
      [5, 'run 1: exit gpa', '0x10000000', ''],
      [5, 'run 1: exit size', '0x1000', ''],
    ]);
  });
});

describe('in-place conversion, as v8 of the series has it', () => {
  const inPlace = (flags = 1): SimulatedKvm => {
    const kvm = new SimulatedKvm({ type: 'sw-protected', inPlaceConversion: true });
    expect(kvm.createGuestMemfd('g', 0x100000, flags)).toEqual(fine);
    expect(kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x80000, guestMemfd: 'g', guestMemfdOffset: 0x40000 })).toEqual(fine);
    return kvm;
  };

  it('attributes are those of the file: the VM has none, and a memory fault is converted there', () => {
    const kvm = inPlace();
    expect(kvm.checkExtension(kvmCapabilities.KVM_CAP_MEMORY_ATTRIBUTES).ret).toBe(0);
    expect(kvm.checkExtension(250).ret).toBe(8);
    expect(kvm.setAttributes(0x10000000, 0x1000, PRIVATE)).toEqual({ ret: -1, errno: ERRNO.ENOTTY });
    expect(kvm.convertsIn(0x10002000)).toEqual({ name: 'g', offset: 0x42000 });
    // A range that is converted back behind the guest's fault says so, with the address of the guest.
    kvm.load([read(0x10000000)]);
    const run = kvm.run({ race: { gpa: 0x10000000, size: 0x1000, attributes: 0 } });
    expect(exitFields(run)).toMatchObject({ errno: ERRNO.EFAULT, fields: { gpa: expect.anything() } });
  });

  it.each([
    ['unaligned', { offset: 0x40001, size: 0x1000 }, ERRNO.EINVAL],
    ['no size', { offset: 0x40000, size: 0 }, ERRNO.EINVAL],
    ['behind the end', { offset: 0xff000, size: 0x2000 }, ERRNO.EINVAL],
    ['an attribute that is not known', { offset: 0x40000, size: 0x1000, attributes: 4 }, ERRNO.EINVAL],
    ['a page that is pinned', { offset: 0x40000, size: 0x4000, pinned: 0x42010 }, ERRNO.EAGAIN],
    ['a page that is pinned elsewhere', { offset: 0x40000, size: 0x1000, pinned: 0x42010 }, 0],
  ])('%s', (_, { offset, size, attributes = PRIVATE, pinned }: { offset: number; size: number; attributes?: number; pinned?: number }, errno) => {
    const answer = inPlace().setFileAttributes('g', offset, size, attributes, pinned);
    expect(answer.errno).toBe(errno);
    expect(answer.errorOffset).toBe(errno === ERRNO.EAGAIN ? 0x42000 : undefined);
  });

  it('a kernel without it does not know the request; a file starts private unless INIT_SHARED', () => {
    expect(machine({ guestMemfd: true }).setFileAttributes('g', 0, 0x1000, PRIVATE).errno).toBe(ERRNO.ENOTTY);
    for (const [flags, isPrivate] of [
      [1, true],
      [3, false],
    ] as const) {
      const kvm = inPlace(flags);
      kvm.load([read(0x10000000)]);
      const attributes = isPrivate ? 0 : PRIVATE;
      const { page } = kvm.run({ race: { gpa: 0x10000000, size: 0x1000, attributes } });
      expect(exitPayload(page, memoryFault).flags === 8n).toBe(isPrivate);
    }
  });

  it('a scenario converts a range on the guest_memfd', async () => {
    const steps: readonly KvmStep[] = [
      { do: 'vm', type: 'sw-protected', inPlaceConversion: true },
      { do: 'guest-memfd', name: 'g', size: 0x10000, flags: 3 },
      { do: 'memslot', slot: 1, gpa: 0x10000000, size: 0x10000, guestMemfd: 'g' },
      { do: 'file-attributes', name: 'g', offset: 0, size: 0x1000, attributes: PRIVATE, pinned: 0 },
      { do: 'file-attributes', name: 'g', offset: 0, size: 0x1000, attributes: PRIVATE, pinned: null },
    ];
    const answers: unknown[] = [];
    for await (const { call } of runKvmSteps(steps, (options) => new SimulatedKvm(options))) answers.push(call?.errno);
    expect(answers).toEqual([0, 0, 0, ERRNO.EAGAIN, 0]);
  });
});
