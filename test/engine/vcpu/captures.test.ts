/** The simulated KVM against runs of a real one: same return, errno, exit reason and payload, byte for byte. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '../../../abi/errno.js';
import { kvmCapabilities } from '../../../abi/kvm/ioctls.js';
import { kvmRunX86, payloadStruct } from '../../../abi/kvm/run.js';
import { offsetOf, sizeOf } from '../../../src/codec/layout-table.js';
import { exitReasonIn, payloadIn, type GuestAccess, type KvmRunResult, type RunOptions } from '../../../src/device/kvm/backend.js';
import { SimulatedKvm } from '../../../src/engine/vcpu/simulated-kvm.js';

const FOLDER = join(import.meta.dirname, '../../../samples/kvm');

interface Run {
  readonly file: string;
  readonly name: string;
  readonly ret: number;
  readonly errno: number;
  readonly exit_reason: number;
  readonly rax: number | string;
}
const isRun = (value: unknown): value is Run => typeof value === 'object' && value !== null && 'file' in value;
const parsed: unknown = JSON.parse(readFileSync(join(FOLDER, 'kvm.json'), 'utf8'));
const truth = typeof parsed === 'object' && parsed !== null && 'runs' in parsed && Array.isArray(parsed.runs) ? parsed.runs.filter(isRun) : [];
const capabilities: Readonly<Record<string, unknown>> =
  typeof parsed === 'object' && parsed !== null && 'capabilities' in parsed && typeof parsed.capabilities === 'object' ? { ...parsed.capabilities } : {};

/** Captures the engine has no model for, and why. */
const NOT_MODELLED: Readonly<Record<string, string>> = {
  'debug-singlestep': 'KVM_SET_GUEST_DEBUG',
  'system-event-crash': 'Hyper-V MSRs',
};

const seen = new Map<string, KvmRunResult>();
const PRIVATE = 8;
const read = (gpa: number): GuestAccess => ({ op: 'read', gpa, bytes: 4 });
const write = (gpa: number, value: number): GuestAccess => ({ op: 'write', gpa, bytes: 4, value });

/** The program, run once as `name`; a run that completes what it asked of user space follows, as in the captures. */
function capture(kvm: SimulatedKvm, name: string, access: GuestAccess, options: RunOptions = {}): void {
  kvm.load([access]);
  const run = kvm.run(options);
  seen.set(name, run);
  // What an interrupted or failed run left is to be seen by the next; an exit for user space is completed.
  if (run.ret === 0 && payloadIn(run.page) !== null) kvm.run();
}

function first(): void {
  const kvm = new SimulatedKvm({ type: 'default' });
  capture(kvm, 'hlt', { op: 'hlt' });
  capture(kvm, 'io-out-1', { op: 'out', port: 0x3f8, bytes: 1, value: 0x41 });
  capture(kvm, 'io-out-4', { op: 'out', port: 0xcf8, bytes: 4, value: 0xdeadbeef });
  capture(kvm, 'io-in-4', { op: 'in', port: 0x71, bytes: 4 });
  capture(kvm, 'mmio-read', read(0xd0000010));
  capture(kvm, 'mmio-write', write(0xd0000020, 0xcafef00d));
  capture(kvm, 'shutdown', { op: 'triple-fault' });
  capture(new SimulatedKvm({ type: 'default' }), 'internal-error', { op: 'fetch', gpa: 0xd0000000 });
  const calls = new SimulatedKvm({ type: 'default' });
  expect(calls.enableCapability(kvmCapabilities.KVM_CAP_EXIT_ON_EMULATION_FAILURE, [1])).toEqual({ ret: 0, errno: 0 });
  expect(calls.enableCapability(kvmCapabilities.KVM_CAP_EXIT_HYPERCALL, [1 << 12])).toEqual({ ret: 0, errno: 0 });
  capture(calls, 'hypercall-32', { op: 'hypercall', nr: 12, args: [0x10000000, 4, 0x10] });
  capture(calls, 'hypercall-64', { op: 'hypercall', nr: 12, args: [0x10000000, 4, 0], longMode: true });
  capture(calls, 'hypercall-64-unaligned', { op: 'hypercall', nr: 12, args: [0x10000005, 4, 0], longMode: true });
  capture(calls, 'intr-signal', { op: 'loop' }, { interruptAfter: 200 });
  expect(calls.enableCapability(kvmCapabilities.KVM_CAP_X86_USER_SPACE_MSR, [2])).toEqual({ ret: 0, errno: 0 });
  capture(calls, 'rdmsr-user', { op: 'rdmsr', index: 0x12345678 });
}

function mappings(type: 'default' | 'sw-protected', suffix: string): void {
  const kvm = new SimulatedKvm({ type });
  expect(kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x10000 })).toEqual({ ret: 0, errno: 0 });
  kvm.setMapping(1, 0, 0x10000, 'missing');
  capture(kvm, `novma-read${suffix}`, read(0x10000000));
  capture(kvm, `novma-write${suffix}`, write(0x10001000, 1));
  kvm.setMapping(1, 0, 0x10000, 'mapped');
  capture(kvm, `novma-repaired${suffix}`, read(0x10000000));
  kvm.setMapping(1, 0, 0x10000, 'prot-none');
  capture(kvm, `nonevma-read${suffix}`, read(0x10000000));
  expect(kvm.setMemoryRegion({ slot: 2, gpa: 0x10100000, size: 0x1000, readOnly: true })).toEqual({ ret: 0, errno: 0 });
  capture(kvm, `roslot-write${suffix}`, write(0x10100000, 0x77));
}

function faults(): void {
  const kvm = new SimulatedKvm({ type: 'sw-protected' });
  const fine = { ret: 0, errno: 0 };
  expect(kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x100000, fill: 0x53 })).toEqual(fine);
  expect(kvm.setAttributes(0x10000000, 0x4000, PRIVATE)).toEqual(fine);
  capture(kvm, 'fault-private-read', read(0x10001008));
  seen.set('fault-then-immediate-exit', kvm.run({ immediateExit: true }));
  expect(kvm.setAttributes(0x10001000, 0x1000, 0)).toEqual(fine);
  capture(kvm, 'fault-converted-shared', read(0x10001008));
  capture(kvm, 'fault-private-exec', { op: 'fetch', gpa: 0x10003000 });
  // A run between the captures, which the next one still holds the payload of.
  kvm.load([read(0x10002000)]);
  expect(kvm.run()).toMatchObject({ ret: -1, errno: ERRNO.EFAULT });
  expect(kvm.setMemoryRegion({ slot: 3, gpa: 0x10200000, size: 0x1000 })).toEqual(fine);
  kvm.setMapping(3, 0, 0x1000, 'missing');
  capture(kvm, 'novma-after-memory-fault', read(0x10200000));
  expect(kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0 })).toEqual(fine);
  capture(kvm, 'shared-noslot', read(0x10001000));
  expect(kvm.createGuestMemfd('g', 0x100000, 0)).toEqual(fine);
  expect(kvm.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x100000, guestMemfd: 'g', fill: 0x53 })).toEqual(fine);
  expect(kvm.setAttributes(0x10000000, 0x8000, PRIVATE)).toEqual(fine);
  capture(kvm, 'private-ok-write', write(0x10000000, 0));
  expect(kvm.setAttributes(0x10000000, 0x1000, 0)).toEqual(fine);
  capture(kvm, 'converted-to-shared-read', read(0x10000000));
  expect(kvm.setAttributes(0x10000000, 0x1000, PRIVATE)).toEqual(fine);
  expect(kvm.preFault(0x10000000, 0x4000)).toEqual(fine);
  kvm.punchHole('g', 0, 0x1000);
  capture(kvm, 'private-punched-read', read(0x10000000));
  kvm.closeGuestMemfd('g');
  // The request fills kvm_run without KVM_RUN; a run that returns at once shows it.
  const preFault = kvm.preFault(0x10006000, 0x1000);
  seen.set('prefault-gmem-closed', { ...kvm.run({ immediateExit: true }), ...preFault });
  expect(kvm.setAttributes(0x10000001, 0x1000, PRIVATE)).toEqual({ ret: -1, errno: ERRNO.EINVAL });
  expect(kvm.setAttributes(0x10000000, 0, PRIVATE)).toEqual({ ret: -1, errno: ERRNO.EINVAL });
  const racing = new SimulatedKvm({ type: 'sw-protected' });
  racing.createGuestMemfd('g', 0x100000, 0);
  racing.setMemoryRegion({ slot: 1, gpa: 0x10000000, size: 0x100000, guestMemfd: 'g' });
  capture(racing, 'race-shared-to-private', read(0x10000000), { race: { gpa: 0x10000000, size: 0x1000, attributes: PRIVATE } });
  capture(racing, 'race-private-to-shared', read(0x10000000), { race: { gpa: 0x10000000, size: 0x1000, attributes: 0 } });
}

first();
mappings('default', '');
mappings('sw-protected', '-swp');
faults();

describe('the simulated KVM does what the captured one did', () => {
  it('models every capture but these', () => {
    expect(truth.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual(Object.keys(NOT_MODELLED));
  });

  it.each(truth.filter(({ name }) => seen.has(name)))('$name', (run) => {
    const result = seen.get(run.name);
    if (result === undefined) throw new Error(run.name);
    expect([result.ret, result.errno, exitReasonIn(result.page)]).toEqual([run.ret, run.errno, run.exit_reason]);
    const captured = Uint8Array.from(readFileSync(join(FOLDER, run.file)));
    const payload = payloadIn(captured);
    if (payload !== null) {
      const start = offsetOf(kvmRunX86, 'exit');
      const end = start + sizeOf(payloadStruct('x86_64', payload));
      // A stale union holds what earlier runs wrote; that is compared where those runs are known.
      const known = run.exit_reason !== 0 || run.name === 'novma-after-memory-fault';
      if (known) expect(Buffer.from(result.page.subarray(start, end)).toString('hex')).toBe(Buffer.from(captured.subarray(start, end)).toString('hex'));
    }
    expect(result.page.length).toBe(captured.length);
    if (run.name.startsWith('io-')) expect(result.page.slice(4096, 4104)).toEqual(captured.slice(4096, 4104));
  });

  it.each([
    ['fault-converted-shared', 0x53535353n],
    ['converted-to-shared-read', 0x53535353n],
    ['private-punched-read', 0n],
    ['hypercall-64-unaligned', 0xffffffffffffffean],
  ] as const)('%s leaves the same in RAX', (name, rax) => {
    expect(seen.get(name)?.rax).toBe(rax);
    expect(BigInt(truth.find((run) => run.name === name)?.rax ?? 0)).toBe(rax);
  });

  it('answers KVM_CHECK_EXTENSION as the captured kernel', () => {
    const kvm = new SimulatedKvm({ type: 'sw-protected' });
    expect(Object.keys(capabilities).length).toBeGreaterThan(10);
    for (const [number, value] of Object.entries(capabilities)) expect(kvm.checkExtension(Number(number)).ret, number).toBe(value);
  });
});
