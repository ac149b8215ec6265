/**
 * A vCPU that carries out a list of accesses, with the exits KVM makes of them. KVM_RUN as 7.3 does it: an access that waited for
 * user space is completed first, immediate_exit comes next, then exit_reason is reset and the guest runs. Source: 7.3
 * arch/x86/kvm/x86.c (kvm_arch_vcpu_ioctl_run, vcpu_run).
 */
import { ERRNO } from '../../../abi/errno.js';
import { KVM_HC_MAP_GPA_RANGE } from '../../../abi/kvm/ioctls.js';
import { UserError } from '../../codec/user-error.js';
import type { GuestAccess, KvmCall } from '../../device/kvm/backend.js';
import type { AccessKind, PageOutcome } from './memslots.js';
import { PAGE } from './guest-memory.js';
import type { RunPage } from './run-page.js';

/** -KVM_ENOSYS */
const KVM_ENOSYS = 1000;
const HLT = 0xf4;

/** What the vCPU asks of its VM. */
interface VcpuHost {
  readonly page: RunPage;
  faultIn(gpa: number, kind: AccessKind): PageOutcome;
  /** hypercalls user space wants to answer, a bit each (KVM_CAP_EXIT_HYPERCALL) */
  readonly exitHypercalls: bigint;
  /** RDMSR of unknown registers exits (KVM_CAP_X86_USER_SPACE_MSR) */
  readonly exitMsrs: boolean;
}

/** How a run ended; `signal` where the kernel sent one to the thread. */
interface VcpuResult extends KvmCall {
  readonly signal: 'SIGBUS' | null;
}

const exit: VcpuResult = { ret: 0, errno: 0, signal: null };
const failed = (errno: number, signal: VcpuResult['signal'] = null): VcpuResult => ({ ret: -1, errno, signal });

export class Vcpu {
  readonly #host: VcpuHost;
  #program: readonly GuestAccess[] = [];
  #next = 0;
  #rax = 0n;
  /** what completes an access that user space carries out; returns false where it needs another exit */
  #complete: (() => boolean) | null = null;

  constructor(host: VcpuHost) {
    this.#host = host;
  }

  get rax(): bigint {
    return this.#rax;
  }

  load(program: readonly GuestAccess[]): void {
    this.#program = program;
    this.#next = 0;
    this.#rax = 0n;
    this.#complete = null;
  }

  run(): VcpuResult {
    const { page } = this.#host;
    const complete = this.#complete;
    this.#complete = null;
    if (complete !== null && !complete()) return exit;
    if (page.immediateExit) return failed(ERRNO.EINTR);
    page.reason('UNKNOWN');
    for (;;) {
      const result = this.#step(this.#program[this.#next] ?? { op: 'hlt' });
      if (result !== null) return result;
    }
  }

  /** One access; null where the guest goes on. */
  #step(access: GuestAccess): VcpuResult | null {
    const { page } = this.#host;
    switch (access.op) {
      case 'hlt':
        this.#next++;
        page.reason('HLT');
        return exit;
      case 'triple-fault':
        page.reason('SHUTDOWN');
        return exit;
      case 'loop':
        // Nothing in here ends it but a signal.
        page.reason('INTR');
        return failed(ERRNO.EINTR);
      case 'in':
        page.io(0, access.port, new Uint8Array(access.bytes));
        return this.#waits(() => this.#setRax(page.ioData(access.bytes)));
      case 'out':
        this.#rax = BigInt(access.value >>> 0);
        page.io(1, access.port, littleEndian(access.value, access.bytes));
        return this.#waits(() => undefined);
      case 'rdmsr':
        return this.#readMsr(access.index);
      case 'hypercall':
        return this.#hypercall(access);
      case 'fetch':
        return this.#fetch(access.gpa);
      case 'read':
        return this.#memory(access.gpa, access.bytes, null);
      case 'write':
        this.#rax = BigInt(access.value >>> 0);
        return this.#memory(access.gpa, access.bytes, littleEndian(access.value, access.bytes));
    }
  }

  /** An exit whose access ends when the vCPU runs again. */
  #waits(finish: () => void): VcpuResult {
    this.#complete = () => {
      finish();
      this.#next++;
      return true;
    };
    return exit;
  }

  #setRax(bytes: Uint8Array): void {
    const value = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    // A 32-bit register is cleared above, a part of one kept.
    const keep = bytes.length === 4 ? 0n : (this.#rax >> BigInt(bytes.length * 8)) << BigInt(bytes.length * 8);
    this.#rax = keep | value;
  }

  #readMsr(index: number): VcpuResult {
    const { page, exitMsrs } = this.#host;
    if (!exitMsrs) {
      // #GP with no handler: a triple fault.
      page.reason('SHUTDOWN');
      return exit;
    }
    page.readMsr(index);
    return this.#waits(() => {
      const { data, error } = page.msrAnswer();
      if (!error) this.#rax = data & 0xffffffffn;
    });
  }

  #hypercall({ nr, args, longMode = false }: GuestAccess & { readonly op: 'hypercall' }): VcpuResult | null {
    const { page, exitHypercalls } = this.#host;
    const [gpa = 0, pages = 0, attributes = 0] = args;
    const answered = (errno: number): null => {
      this.#rax = BigInt.asUintN(longMode ? 64 : 32, -BigInt(errno));
      this.#next++;
      return null;
    };
    if (BigInt(nr) !== KVM_HC_MAP_GPA_RANGE || ((exitHypercalls >> KVM_HC_MAP_GPA_RANGE) & 1n) === 0n) return answered(KVM_ENOSYS);
    if (gpa % PAGE !== 0 || pages === 0) return answered(ERRNO.EINVAL);
    page.hypercall(KVM_HC_MAP_GPA_RANGE, [BigInt(gpa), BigInt(pages), BigInt(attributes)], longMode);
    return this.#waits(() => {
      this.#rax = BigInt.asUintN(longMode ? 64 : 32, page.hypercallResult());
    });
  }

  #fetch(gpa: number): VcpuResult {
    const outcome = this.#host.faultIn(gpa, 'fetch');
    if (outcome.kind === 'emulate') {
      this.#host.page.emulationFailure(gpa);
      return exit;
    }
    if (outcome.kind !== 'memory') return this.#refused(outcome, gpa);
    if (outcome.memory.read(outcome.offset, 1)[0] !== HLT) {
      throw new UserError(
        `the page at gpa 0x${gpa.toString(16)} holds no code that the simulated vCPU knows; fill it with 0xf4 (HLT) before it is fetched from`,
      );
    }
    this.#host.page.reason('HLT');
    return exit;
  }

  /** A read (`written` null) or write that may touch two pages. */
  #memory(gpa: number, length: number, written: Uint8Array | null): VcpuResult | null {
    const data = written === null ? new Uint8Array(length) : written;
    const emulated: { readonly gpa: number; readonly at: number; readonly length: number }[] = [];
    for (const part of pagesOf(gpa, length)) {
      const outcome = this.#host.faultIn(part.gpa, written === null ? 'read' : 'write');
      if (outcome.kind === 'emulate') emulated.push(part);
      else if (outcome.kind !== 'memory') return this.#refused(outcome, part.gpa);
      else if (written === null) data.set(outcome.memory.read(outcome.offset, part.length), part.at);
      else outcome.memory.write(outcome.offset, written.subarray(part.at, part.at + part.length));
    }
    const finish = (): void => {
      if (written === null) this.#setRax(data);
      this.#next++;
    };
    if (emulated.length === 0) {
      finish();
      return null;
    }
    this.#emulate(emulated, data, written !== null, finish);
    return exit;
  }

  /** One MMIO exit for each fragment. */
  #emulate(
    fragments: readonly { readonly gpa: number; readonly at: number; readonly length: number }[],
    data: Uint8Array,
    isWrite: boolean,
    finish: () => void,
  ): void {
    const { page } = this.#host;
    const [first, ...rest] = fragments;
    if (first === undefined) return;
    page.mmio(first.gpa, first.length, isWrite ? data.subarray(first.at, first.at + first.length) : null);
    this.#complete = () => {
      if (!isWrite) data.set(page.mmioData(first.length), first.at);
      if (rest.length === 0) {
        finish();
        return true;
      }
      this.#emulate(rest, data, isWrite, finish);
      return false;
    };
  }

  #refused(outcome: Exclude<PageOutcome, { readonly kind: 'memory' | 'emulate' }>, gpa: number): VcpuResult {
    const { page } = this.#host;
    switch (outcome.kind) {
      case 'memory-fault':
        page.memoryFault(gpa, outcome.isPrivate);
        return failed(outcome.errno);
      case 'error':
        return failed(outcome.errno);
      case 'sigbus':
        // The signal is pending before the guest gets to try again, so the run ends as with any signal.
        page.reason('INTR');
        return failed(ERRNO.EINTR, 'SIGBUS');
    }
  }
}

function pagesOf(gpa: number, length: number): readonly { readonly gpa: number; readonly at: number; readonly length: number }[] {
  const inFirst = Math.min(length, PAGE - (gpa % PAGE));
  const first = { gpa, at: 0, length: inFirst };
  return inFirst === length ? [first] : [first, { gpa: gpa + inFirst, at: inFirst, length: length - inFirst }];
}

function littleEndian(value: number, bytes: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value >>> 0, true);
  return out.slice(0, bytes);
}
