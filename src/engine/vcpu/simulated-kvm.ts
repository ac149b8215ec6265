/**
 * The embedded machine's KVM: requests, checks and errnos of 7.3 on x86, for one VM with one vCPU. The same interface as the
 * driver of /dev/kvm. Source: 7.3 virt/kvm/kvm_main.c, virt/kvm/guest_memfd.c, arch/x86/kvm/x86.c.
 */
import { ERRNO } from '../../../abi/errno.js';
import { KVM_HC_MAP_GPA_RANGE, KVM_MEMORY_ATTRIBUTE_PRIVATE, kvmCapabilities } from '../../../abi/kvm/ioctls.js';
import { IN_PLACE_CAPABILITY_V8 } from '../../../abi/kvm/proposed.js';
import { SEED_CAP_MEMORY_FAULT_INFO } from '../../../abi/kvm/seed-v13.js';
import { UserError } from '../../codec/user-error.js';
import {
  answerIn,
  type GuestAccess,
  type HostMapping,
  type KvmBackend,
  type KvmCall,
  type KvmOptions,
  type KvmRunResult,
  type MemoryRegion,
  type RunOptions,
} from '../../device/kvm/backend.js';
import { Memslots, faultIn, type AccessKind, type PageOutcome } from './memslots.js';
import { type GuestBytes, type GuestMemfd, GuestMemory, PAGE, RangeMap } from './guest-memory.js';
import { type Numbering, RunPage } from './run-page.js';

interface SimulatedKvmOptions extends KvmOptions {
  /** `mainline` unless given */
  readonly numbering?: Numbering;
  /** the bytes of a file of the scenario that a memslot maps. @throws UserError where it can't be mapped */
  readonly fileOf?: (fd: string | number) => GuestBytes;
}

const fine: KvmCall = { ret: 0, errno: 0 };
const answered = (errno: number): KvmCall => (errno === 0 ? fine : { ret: -1, errno });
const GUEST_MEMFD_FLAGS = 3;
/** GUEST_MEMFD_FLAG_INIT_SHARED */
const INIT_SHARED = 2;
const SYNC_REGS = 7;
const VM_TYPES = 3;
const HYPERCALLS = 1n << KVM_HC_MAP_GPA_RANGE;
/** KVM_MSR_EXIT_REASON_VALID_MASK */
const MSR_REASONS = 7;

export class SimulatedKvm implements KvmBackend {
  readonly name = 'simulated';
  readonly #hasPrivate: boolean;
  readonly #numbering: Numbering;
  readonly #fileOf: (fd: string | number) => GuestBytes;
  readonly #slots = new Memslots();
  readonly #inPlace: boolean;
  /** by gfn; 0 is shared */
  readonly #attributes = new RangeMap(0n);
  readonly #guestMemfds = new Map<string, GuestMemfd>();
  readonly #page: RunPage;
  readonly #vcpu: Vcpu;
  #exitHypercalls = 0n;
  #exitMsrs = false;
  #race: RunOptions['race'];
  #open = true;

  constructor(options: SimulatedKvmOptions) {
    this.#hasPrivate = options.type === 'sw-protected';
    this.#inPlace = options.inPlaceConversion ?? false;
    this.#numbering = options.numbering ?? 'mainline';
    this.#fileOf =
      options.fileOf ??
      (() => {
        throw new UserError('this device has no files that a memslot could map; leave fd out');
      });
    this.#page = new RunPage(this.#numbering);
    const self = this;
    this.#vcpu = new Vcpu({
      page: this.#page,
      get exitHypercalls() {
        return self.#exitHypercalls;
      },
      get exitMsrs() {
        return self.#exitMsrs;
      },
      faultIn: (gpa, kind) =>
        faultIn(
          this.#slots,
          (at) => this.#attributesAt(at),
          gpa,
          kind,
          () => this.#runRace(gpa),
        ),
    });
  }

  get mappingSize(): number {
    return this.#page.bytes.length;
  }

  checkExtension(capability: number): KvmCall {
    return { ret: this.#capabilities().get(capability) ?? 0, errno: 0 };
  }

  enableCapability(capability: number, args: readonly number[]): KvmCall {
    const [first = 0] = args;
    if (capability === kvmCapabilities.KVM_CAP_EXIT_HYPERCALL) {
      if ((BigInt(first) & ~HYPERCALLS) !== 0n) return answered(ERRNO.EINVAL);
      this.#exitHypercalls = BigInt(first);
      return fine;
    }
    if (capability === kvmCapabilities.KVM_CAP_X86_USER_SPACE_MSR) {
      if ((first & ~MSR_REASONS) !== 0) return answered(ERRNO.EINVAL);
      this.#exitMsrs = (first & 2) !== 0;
      return fine;
    }
    // Every emulation failure of the simulated vCPU exits, with or without it.
    if (capability === kvmCapabilities.KVM_CAP_EXIT_ON_EMULATION_FAILURE) return answered((first & ~1) === 0 ? 0 : ERRNO.EINVAL);
    // KVM_CAP_MEMORY_FAULT_INFO among them: it informs, and is on without being asked for.
    return answered(ERRNO.EINVAL);
  }

  createGuestMemfd(name: string, size: number, flags: number): KvmCall {
    if (size <= 0 || size % PAGE !== 0 || (flags & ~GUEST_MEMFD_FLAGS) !== 0) return answered(ERRNO.EINVAL);
    // Whoever does not ask for INIT_SHARED gets private memory.
    const attributes = new RangeMap((flags & INIT_SHARED) === 0 ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0n);
    this.#guestMemfds.set(name, { name, memory: new GuestMemory(size), flags, attributes, closed: false });
    return fine;
  }

  punchHole(name: string, offset: number, size: number): KvmCall {
    const file = this.#guestMemfd(name);
    if (offset % PAGE !== 0 || size % PAGE !== 0 || size <= 0 || offset < 0) return answered(ERRNO.EINVAL);
    file.memory.replace(offset, Math.min(size, Math.max(0, file.memory.size - offset)), 0);
    return fine;
  }

  closeGuestMemfd(name: string): KvmCall {
    this.#guestMemfd(name).closed = true;
    this.#guestMemfds.delete(name);
    return fine;
  }

  setMemoryRegion(region: MemoryRegion): KvmCall {
    if (region.guestMemfd !== undefined) this.#guestMemfd(region.guestMemfd);
    return answered(this.#slots.set(region, this.#guestMemfds, region.fd === undefined ? null : this.#fileOf(region.fd)));
  }

  /** What kvm_mem_is_private looks at: the VM's attributes, or with in-place conversion those of the slot's guest_memfd. */
  #attributesAt(gpa: number): bigint {
    if (!this.#inPlace) return this.#attributes.get(Math.floor(gpa / PAGE));
    const file = this.#fileAt(gpa);
    return file === null ? 0n : file.file.attributes.get(Math.floor(file.offset / PAGE));
  }

  #fileAt(gpa: number): { readonly file: GuestMemfd; readonly offset: number } | null {
    const slot = this.#slots.find(gpa);
    return slot?.guestMemfd == null ? null : { file: slot.guestMemfd, offset: slot.guestMemfdOffset + (gpa - slot.gpa) };
  }

  convertsIn(gpa: number): { readonly name: string; readonly offset: number } | null {
    const found = this.#inPlace ? this.#fileAt(gpa) : null;
    return found === null ? null : { name: found.file.name, offset: found.offset };
  }

  /** Source: the series "guest_memfd in-place conversion", v8. */
  setFileAttributes(name: string, offset: number, size: number, attributes: number, pinned: number | null = null): KvmCall & { readonly errorOffset?: number } {
    const file = this.#guestMemfd(name);
    if (!this.#inPlace) return answered(ERRNO.ENOTTY);
    const known = this.#hasPrivate ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0n;
    const outside = offset < 0 || size <= 0 || offset % PAGE !== 0 || size % PAGE !== 0 || offset + size > file.memory.size;
    if (outside || (BigInt(attributes) & ~known) !== 0n) return answered(ERRNO.EINVAL);
    if (pinned !== null && pinned >= offset && pinned < offset + size) return { ...answered(ERRNO.EAGAIN), errorOffset: pinned - (pinned % PAGE) };
    file.attributes.set(offset / PAGE, (offset + size) / PAGE, BigInt(attributes));
    return fine;
  }

  setAttributes(gpa: number, size: number, attributes: number): KvmCall {
    // KVM_CAP_MEMORY_ATTRIBUTES is 0 then, and the request of the VM not to be had.
    if (this.#inPlace) return answered(ERRNO.ENOTTY);
    const supported = this.#hasPrivate ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0n;
    if ((BigInt(attributes) & ~supported) !== 0n || size <= 0 || gpa < 0 || gpa % PAGE !== 0 || size % PAGE !== 0) return answered(ERRNO.EINVAL);
    this.#attributes.set(gpa / PAGE, (gpa + size) / PAGE, BigInt(attributes));
    return fine;
  }

  setMapping(slot: number, offset: number, size: number, mapping: HostMapping, fill = 0): KvmCall {
    const found = this.#slots.get(slot);
    if (found === null || offset < 0 || size <= 0 || offset % PAGE !== 0 || size % PAGE !== 0 || offset + size > found.size) {
      throw new UserError(`slot ${slot} has no ${size} bytes of memory, whole pages, at offset ${offset}`);
    }
    found.host.change(offset, size, mapping, fill);
    return fine;
  }

  poison(slot: number, offset: number): KvmCall {
    const found = this.#slots.get(slot);
    if (found === null || offset < 0 || offset >= found.size) throw new UserError(`slot ${slot} has no memory at offset ${offset}`);
    if (found.guestMemfd === null) found.host.memory.poison(offset);
    else found.guestMemfd.memory.poison(found.guestMemfdOffset + offset);
    return fine;
  }

  preFault(gpa: number, size: number): KvmCall {
    if (size <= 0 || gpa % PAGE !== 0 || size % PAGE !== 0) return answered(ERRNO.EINVAL);
    for (let at = gpa; at < gpa + size; at += PAGE) {
      const errno = this.#preFaultPage(at);
      // Some pages mapped is success: user space sees in the structure how far it came.
      if (errno !== 0) return at === gpa ? answered(errno) : fine;
    }
    return fine;
  }

  load(program: readonly GuestAccess[]): void {
    this.#vcpu.load(program);
  }

  answer(value: bigint): void {
    answerIn(this.#page.bytes, value);
  }

  run({ immediateExit = false, race }: RunOptions = {}): KvmRunResult & { readonly signal: 'SIGBUS' | null } {
    if (!this.#open) throw new UserError('the vCPU has been closed');
    this.#race = race;
    this.#page.immediateExit = immediateExit;
    const result = this.#vcpu.run();
    const page = Uint8Array.from(this.#page.bytes);
    this.#page.immediateExit = false;
    this.#race = undefined;
    return { ...result, page, rax: this.#vcpu.rax };
  }

  close(): void {
    this.#open = false;
  }

  #preFaultPage(gpa: number): number {
    const outcome = faultIn(this.#slots, (at) => this.#attributesAt(at), gpa, 'read');
    switch (outcome.kind) {
      case 'memory':
        return 0;
      case 'emulate':
        return ERRNO.ENOENT;
      case 'sigbus':
        return ERRNO.EINTR;
      case 'error':
        return outcome.errno;
      case 'memory-fault':
        this.#page.memoryFault(gpa, outcome.isPrivate);
        return outcome.errno;
    }
  }

  /** The other thread's conversion, once in a run, when a fault on its range is being handled. */
  #runRace(gpa: number): void {
    const race = this.#race;
    if (race === undefined || gpa < race.gpa || gpa >= race.gpa + race.size) return;
    this.#race = undefined;
    const file = this.convertsIn(race.gpa);
    if (file === null) this.setAttributes(race.gpa, race.size, race.attributes);
    else this.setFileAttributes(file.name, file.offset, race.size, race.attributes);
  }

  #guestMemfd(name: string): GuestMemfd {
    const file = this.#guestMemfds.get(name);
    if (file === undefined) throw new UserError(`no guest_memfd is called ${JSON.stringify(name)}; create it first`);
    return file;
  }

  #capabilities(): ReadonlyMap<number, number> {
    const cap = kvmCapabilities;
    const seed = this.#numbering === 'seed-v13';
    return new Map<number, number>([
      [cap.KVM_CAP_USER_MEMORY, 1],
      [cap.KVM_CAP_EXT_CPUID, 1],
      [cap.KVM_CAP_SYNC_MMU, 1],
      [cap.KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1],
      [cap.KVM_CAP_SYNC_REGS, SYNC_REGS],
      [cap.KVM_CAP_READONLY_MEM, 1],
      [cap.KVM_CAP_IMMEDIATE_EXIT, 1],
      [cap.KVM_CAP_X86_USER_SPACE_MSR, 1],
      [cap.KVM_CAP_EXIT_HYPERCALL, Number(HYPERCALLS)],
      ...(seed
        ? // The series numbers what it adds one lower than what was released.
          ([
            [SEED_CAP_MEMORY_FAULT_INFO - 1, 1],
            [SEED_CAP_MEMORY_FAULT_INFO, 1],
            [SEED_CAP_MEMORY_FAULT_INFO + 1, this.#hasPrivate ? 8 : 0],
            [SEED_CAP_MEMORY_FAULT_INFO + 2, 1],
            [SEED_CAP_MEMORY_FAULT_INFO + 3, VM_TYPES],
          ] as const)
        : ([
            [cap.KVM_CAP_USER_MEMORY2, 1],
            [cap.KVM_CAP_MEMORY_FAULT_INFO, 1],
            [cap.KVM_CAP_MEMORY_ATTRIBUTES, this.#hasPrivate && !this.#inPlace ? 8 : 0],
            [IN_PLACE_CAPABILITY_V8, this.#hasPrivate && this.#inPlace ? 8 : 0],
            [cap.KVM_CAP_GUEST_MEMFD, 1],
            [cap.KVM_CAP_VM_TYPES, VM_TYPES],
            [cap.KVM_CAP_PRE_FAULT_MEMORY, 1],
            [cap.KVM_CAP_GUEST_MEMFD_FLAGS, GUEST_MEMFD_FLAGS],
          ] as const)),
    ]);
  }
}

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

class Vcpu {
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
