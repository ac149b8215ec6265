/**
 * This machine's /dev/kvm as a KvmBackend: a VM with one vCPU that runs a few bytes of 32-bit code. What the kernel can't do is
 * said before it is tried. Nothing outside this process changes; whatever was opened is released on every way out.
 */
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { ERRNO, errnoText } from '../../../abi/errno.js';
import {
  KVM_API_VERSION,
  KVM_MEM_GUEST_MEMFD,
  KVM_MEM_READONLY,
  KVM_X86_SW_PROTECTED_VM,
  type KvmCapability,
  kvmCapabilities,
  type KvmRequestName,
  kvmRequests,
  requestNumber,
} from '../../../abi/kvm/ioctls.js';
import { kvmRunX86 } from '../../../abi/kvm/run.js';
import { KERNEL_SIGSET_BYTES, kvmSignalMask, itimerspec, kernelSigset, SIGEV_THREAD_ID, sigevent } from '../../../abi/kvm/signal.js';
import { kvmRegs, kvmSregs } from '../../../abi/kvm/sync-regs.js';
import type { Struct } from '../../../abi/layout.js';
import { decodeStruct } from '../../codec/decode.js';
import { encodeInto, encodeStruct, type EncodableStruct } from '../../codec/encode.js';
import { sizeOf } from '../../codec/layout-table.js';
import { UserError } from '../../codec/user-error.js';
import {
  answerIn,
  payloadIn,
  type GuestAccess,
  type HostMapping,
  type KvmBackend,
  type KvmCall,
  type KvmOptions,
  type KvmRunResult,
  type MemoryRegion,
  type RunOptions,
} from './backend.js';
import { FALLOC_FL, type Libc, loadLibc, type LibcResult, MAP, PROT } from '../libc.js';
import { RealMemory } from './real-memory.js';
import { atEnd } from '../../codec/at-end.js';

const DEVICE = '/dev/kvm';
const O_RDWR_CLOEXEC = 0o2000002;
/** A slot no scenario uses, for the code. */
const CODE_SLOT = 100;
const CODE_MEMORY = 0x10000;
const PAGE = 4096;
const HLT = 0xf4;
const DEFAULT_INTERRUPT = 1000;
/** Three pages Intel processors want somewhere below 4 GiB; any place that no slot uses. */
const TSS_ADDRESS = 0xfffbd000;
const CR0_PROTECTED = 1n;
const RFLAGS_RESERVED = 2n;

/** What a VMM of this kind can ask of the kernel, by capability. */
export type KvmCapabilities = Readonly<Record<KvmCapability, number>>;

/** What /dev/kvm says it can do. @throws UserError where the device or koffi is missing */
export async function kvmCapabilitiesHere(): Promise<KvmCapabilities> {
  const libc = await loadLibc();
  const device = openDevice(libc);
  using _libc = atEnd(() => libc.close(device));
  const entries = Object.entries(kvmCapabilities).map(([name, number]) => [name, check(libc, device, number).ret] as const);
  return Object.assign({ ...kvmCapabilities }, Object.fromEntries(entries));
}

/** @throws UserError where the device, koffi, or what `options` ask for is missing */
export async function openKvm(options: KvmOptions): Promise<KvmBackend> {
  return new RealKvm(await loadLibc(), options);
}

function openDevice(libc: Libc): number {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new UserError(`${DEVICE} is driven on Linux for x86-64 alone; this is ${process.platform} on ${process.arch}; try --device simulated`);
  if (!existsSync(DEVICE)) throw new UserError(`${DEVICE} is not here: no KVM on this machine, or the module is not loaded; try --device simulated`);
  const { ret, errno } = libc.open(DEVICE, O_RDWR_CLOEXEC);
  if (ret === -1)
    throw new UserError(`${DEVICE} cannot be opened (${errnoText(errno)}); may this user open it? Group kvm usually does; or try --device simulated`);
  return ret;
}

const check = (libc: Libc, fd: number, capability: number): KvmCall => libc.ioctl(fd, requestOf('KVM_CHECK_EXTENSION'), capability);

function requestOf(name: KvmRequestName): bigint {
  const request = kvmRequests[name];
  return requestNumber(request, request.struct === null ? 0 : sizeOf(request.struct));
}

class RealKvm implements KvmBackend {
  readonly name = 'kvm';
  readonly mappingSize: number;
  readonly #libc: Libc;
  readonly #memory: RealMemory;
  /** file descriptors, in the order they were opened */
  readonly #fds: number[] = [];
  readonly #guestMemfds = new Map<string, number>();
  #alarm: Alarm | null = null;
  #mapping = 0;
  #vm = -1;
  #vcpu = -1;
  #open = true;

  constructor(libc: Libc, options: KvmOptions) {
    this.#libc = libc;
    this.#memory = new RealMemory(libc);
    try {
      const device = this.#keep({ ret: openDevice(libc), errno: 0 }, DEVICE);
      const version = libc.ioctl(device, requestOf('KVM_GET_API_VERSION'), 0).ret;
      if (version !== KVM_API_VERSION) throw new UserError(`${DEVICE} speaks API version ${version}, this driver ${KVM_API_VERSION}; try --device simulated`);
      const type = options.type === 'sw-protected' ? KVM_X86_SW_PROTECTED_VM : 0;
      if (((check(libc, device, kvmCapabilities.KVM_CAP_VM_TYPES).ret >> type) & 1) === 0 && type !== 0) {
        throw new UserError('this kernel has no VMs of type KVM_X86_SW_PROTECTED_VM (KVM_CAP_VM_TYPES), so no private memory; try --device simulated');
      }
      this.#vm = this.#keep(libc.ioctl(device, requestOf('KVM_CREATE_VM'), type), 'KVM_CREATE_VM');
      libc.ioctl(this.#vm, requestOf('KVM_SET_TSS_ADDR'), TSS_ADDRESS);
      this.#vcpu = this.#keep(libc.ioctl(this.#vm, requestOf('KVM_CREATE_VCPU'), 0), 'KVM_CREATE_VCPU');
      this.mappingSize = done(libc.ioctl(device, requestOf('KVM_GET_VCPU_MMAP_SIZE'), 0), 'KVM_GET_VCPU_MMAP_SIZE');
      this.#mapping = done(libc.mmap(0, this.mappingSize, PROT.READ | PROT.WRITE, MAP.SHARED, this.#vcpu, 0), 'mmap of the vCPU');
      this.#alarm = openAlarm(libc);
      this.#setSignalMask(this.#alarm.runMask);
      done(this.setMemoryRegion({ slot: CODE_SLOT, gpa: 0, size: CODE_MEMORY }), 'the memslot of the code');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  checkExtension(capability: number): KvmCall {
    return check(this.#libc, this.#vm, capability);
  }

  enableCapability(capability: number, args: readonly number[]): KvmCall {
    // KVM_CAP_EXIT_HYPERCALL and its kin belong to the VM, others to the vCPU; which is told by who does not say EINVAL.
    const argument = { cap: capability, args: [...args] };
    const onVm = this.#ioctl(this.#vm, 'KVM_ENABLE_CAP', argument);
    return onVm.errno === ERRNO.EINVAL ? this.#ioctl(this.#vcpu, 'KVM_ENABLE_CAP', argument) : onVm;
  }

  createGuestMemfd(name: string, size: number, flags: number): KvmCall {
    this.#need('KVM_CAP_GUEST_MEMFD', 'there is no guest_memfd');
    const made = this.#ioctl(this.#vm, 'KVM_CREATE_GUEST_MEMFD', { size, flags });
    if (made.ret !== -1) {
      this.#fds.push(made.ret);
      this.#guestMemfds.set(name, made.ret);
    }
    return made.ret === -1 ? made : { ret: 0, errno: 0 };
  }

  punchHole(name: string, offset: number, size: number): KvmCall {
    return this.#libc.fallocate(this.#guestMemfd(name), FALLOC_FL.KEEP_SIZE | FALLOC_FL.PUNCH_HOLE, offset, size);
  }

  closeGuestMemfd(name: string): KvmCall {
    const fd = this.#guestMemfd(name);
    this.#guestMemfds.delete(name);
    this.#fds.splice(this.#fds.indexOf(fd), 1);
    return this.#libc.close(fd);
  }

  setMemoryRegion({ slot, gpa, size, readOnly = false, guestMemfd, guestMemfdOffset = 0, fd, fill = 0 }: MemoryRegion): KvmCall {
    if (fd !== undefined)
      throw new UserError("files of a scenario are the embedded machine's, no guest of /dev/kvm can have them; leave fd out, or try --device simulated");
    const flags = (readOnly ? KVM_MEM_READONLY : 0) | (guestMemfd === undefined ? 0 : KVM_MEM_GUEST_MEMFD);
    if (readOnly) this.#need('KVM_CAP_READONLY_MEM', 'there are no read-only memslots');
    const existing = this.#memory.of(slot);
    const memory = size === 0 || existing !== null ? existing : this.#memory.map(slot, size, fill);
    if (memory !== null && 'errno' in memory) return memory;
    const common = { slot, flags, guest_phys_addr: gpa, memory_size: size, userspace_addr: memory?.address ?? 0 };
    const second = guestMemfd === undefined ? {} : { guest_memfd: this.#guestMemfd(guestMemfd), guest_memfd_offset: guestMemfdOffset };
    if (guestMemfd !== undefined) this.#need('KVM_CAP_USER_MEMORY2', 'a memslot cannot have a guest_memfd');
    const call =
      this.checkExtension(kvmCapabilities.KVM_CAP_USER_MEMORY2).ret > 0
        ? this.#ioctl(this.#vm, 'KVM_SET_USER_MEMORY_REGION2', { ...common, ...second })
        : this.#ioctl(this.#vm, 'KVM_SET_USER_MEMORY_REGION', common);
    // Memory no slot points to any more, and memory a refused slot would have had, goes.
    if ((call.ret === 0 && size === 0) || (call.ret === -1 && existing === null)) this.#memory.release(slot);
    return call;
  }

  setFileAttributes(): KvmCall {
    throw new UserError('KVM_SET_MEMORY_ATTRIBUTES2 is proposed, and its numbers are not settled: it is not sent to a real kernel; try --device simulated');
  }

  convertsIn(): null {
    return null;
  }

  setAttributes(gpa: number, size: number, attributes: number): KvmCall {
    this.#need('KVM_CAP_MEMORY_ATTRIBUTES', 'memory cannot be made private or shared, so there are no conversions and no memory faults from them');
    return this.#ioctl(this.#vm, 'KVM_SET_MEMORY_ATTRIBUTES', { address: gpa, size, attributes });
  }

  setMapping(slot: number, offset: number, size: number, mapping: HostMapping, fill = 0): KvmCall {
    const memory = this.#memory.of(slot);
    if (memory === null || offset < 0 || size <= 0 || offset % PAGE !== 0 || size % PAGE !== 0 || offset + size > memory.size) {
      throw new UserError(`slot ${slot} has no ${size} bytes of memory, whole pages, at offset ${offset}`);
    }
    return this.#memory.change(memory, offset, size, mapping, fill);
  }

  poison(): KvmCall {
    throw new UserError('hwpoison is not done on this machine: it would take a page of its memory out of use; try --device simulated');
  }

  preFault(gpa: number, size: number): KvmCall {
    this.#need('KVM_CAP_PRE_FAULT_MEMORY', 'guest memory cannot be mapped in advance');
    return this.#ioctl(this.#vcpu, 'KVM_PRE_FAULT_MEMORY', { gpa, size });
  }

  load(program: readonly GuestAccess[]): void {
    // An access that waits for user space would otherwise end inside the new program.
    if (payloadIn(this.#page()) !== null) this.run({ immediateExit: true });
    const code = this.#memory.of(CODE_SLOT);
    if (code === null) throw new UserError('the vCPU has been closed');
    const bytes = this.#libc.view(code.address, code.size);
    // Whoever runs past the end halts again.
    bytes.fill(HLT);
    bytes.set(assemble(program, cpus()[0]?.model.includes('AMD') === true ? 'vmmcall' : 'vmcall'), CODE_START);
    const sregs = this.#get('KVM_GET_SREGS', kvmSregs);
    const flat = { base: 0n, limit: 0xffffffff, present: 1, dpl: 0, db: 1, s: 1, l: 0, g: 1, avl: 0, unusable: 0, padding: 0 };
    const data = { ...flat, type: 3, selector: 16 };
    const values = {
      ...sregs,
      cs: { ...flat, type: 11, selector: 8 },
      ds: data,
      es: data,
      fs: data,
      gs: data,
      ss: data,
      cr0: sregs.cr0 | CR0_PROTECTED,
      idt: { base: 0n, limit: 0 },
    };
    done(this.#ioctl(this.#vcpu, 'KVM_SET_SREGS', values), 'KVM_SET_SREGS');
    done(this.#ioctl(this.#vcpu, 'KVM_SET_REGS', { rip: CODE_START, rflags: RFLAGS_RESERVED }), 'KVM_SET_REGS');
  }

  answer(value: bigint): void {
    answerIn(this.#page(), value);
  }

  run({ immediateExit = false, interruptAfter = DEFAULT_INTERRUPT, race }: RunOptions = {}): KvmRunResult {
    if (race !== undefined) throw new UserError('a race between a fault and a conversion cannot be timed on a real machine; try --device simulated');
    if (this.#alarm === null) throw new UserError('the vCPU has been closed');
    encodeInto(kvmRunX86, { immediate_exit: immediateExit ? 1 : 0 }, this.#page(), 0);
    this.#alarm.arm(interruptAfter);
    const call = this.#libc.ioctl(this.#vcpu, requestOf('KVM_RUN'), 0);
    this.#alarm.disarm();
    const page = Uint8Array.from(this.#page());
    encodeInto(kvmRunX86, { immediate_exit: 0 }, this.#page(), 0);
    return { ...call, page, rax: this.#get('KVM_GET_REGS', kvmRegs).rax };
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#alarm?.close();
    this.#alarm = null;
    if (this.#mapping !== 0) this.#libc.munmap(this.#mapping, this.mappingSize);
    this.#mapping = 0;
    for (const fd of this.#fds.reverse()) this.#libc.close(fd);
    this.#fds.length = 0;
    this.#guestMemfds.clear();
    // KVM lets go of the memory with its last file descriptor.
    this.#memory.releaseAll();
  }

  #page(): Uint8Array {
    if (this.#mapping === 0) throw new UserError('the vCPU has been closed');
    return this.#libc.view(this.#mapping, this.mappingSize);
  }

  #keep(call: KvmCall, what: string): number {
    const fd = done(call, what);
    this.#fds.push(fd);
    return fd;
  }

  #guestMemfd(name: string): number {
    const fd = this.#guestMemfds.get(name);
    if (fd === undefined) throw new UserError(`no guest_memfd is called ${JSON.stringify(name)}; create it first`);
    return fd;
  }

  #need(capability: KvmCapability, without: string): void {
    if (this.checkExtension(kvmCapabilities[capability]).ret > 0) return;
    throw new UserError(`this kernel lacks ${capability} (${kvmCapabilities[capability]}): ${without}; try --device simulated`);
  }

  #ioctl(fd: number, name: KvmRequestName, values: EncodableStruct<Struct>): KvmCall {
    const { struct } = kvmRequests[name];
    if (struct === null) throw new TypeError(`${name} takes no structure`);
    return this.#libc.ioctl(fd, requestOf(name), encodeStruct<Struct>(struct, values));
  }

  #get<S extends Struct>(name: 'KVM_GET_REGS' | 'KVM_GET_SREGS', struct: S) {
    const bytes = new Uint8Array(sizeOf(struct));
    done(this.#libc.ioctl(this.#vcpu, requestOf(name), bytes), name);
    return decodeStruct(struct, bytes);
  }

  #setSignalMask(sigset: Uint8Array): void {
    done(
      this.#libc.ioctl(this.#vcpu, requestOf('KVM_SET_SIGNAL_MASK'), encodeStruct(kvmSignalMask, { len: KERNEL_SIGSET_BYTES, sigset })),
      'KVM_SET_SIGNAL_MASK',
    );
  }
}

/** @throws UserError with the errno where the request failed */
function done({ ret, errno }: KvmCall, what: string): number {
  if (ret === -1) throw new UserError(`${DEVICE}: ${what} failed with ${errnoText(errno)}; try --device simulated`);
  return ret;
}

/*
 * A guest program as bytes of x86 machine code, 32-bit, flat segments, no paging. For the real device. Source: Intel SDM volume 2.
 */

/** Where programs are put, guest physical: like the captures. */
const CODE_START = 0x1000;
/** KVM_HC_* by the instruction the processor's maker has for it; KVM rewrites the other. */
type HypercallInstruction = 'vmcall' | 'vmmcall';

const imm32 = (value: number): readonly number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255];
const MOV = { eax: 0xb8, ecx: 0xb9, edx: 0xba, ebx: 0xbb, esi: 0xbe } as const;
const mov = (register: keyof typeof MOV, value: number): readonly number[] => [MOV[register], ...imm32(value)];
const OPERAND_16 = 0x66;

/** An instruction that exists for bytes, and for words and doublewords. */
const sized = (bytes: 1 | 2 | 4, byteForm: number, wordForm: number, rest: readonly number[]): readonly number[] => [
  ...(bytes === 2 ? [OPERAND_16] : []),
  bytes === 1 ? byteForm : wordForm,
  ...rest,
];

/** Register operand EAX, memory operand [EBX] */
const EAX_AT_EBX = 0x03;

/** The machine code of `program`, and HLT after it. @throws RangeError for what 32-bit code cannot do */
export function assemble(program: readonly GuestAccess[], hypercall: HypercallInstruction): Uint8Array {
  return Uint8Array.from([...program.flatMap((access) => instruction(access, hypercall)), ...instruction({ op: 'hlt' }, hypercall)]);
}

function instruction(access: GuestAccess, hypercall: HypercallInstruction): readonly number[] {
  switch (access.op) {
    case 'read':
      return [...mov('ebx', address(access.gpa)), ...sized(access.bytes, 0x8a, 0x8b, [EAX_AT_EBX])];
    case 'write':
      return [...mov('ebx', address(access.gpa)), ...mov('eax', access.value), ...sized(access.bytes, 0x88, 0x89, [EAX_AT_EBX])];
    case 'fetch':
      return [...mov('ebx', address(access.gpa)), 0xff, 0xe3];
    case 'in':
      return [...mov('edx', access.port), ...sized(access.bytes, 0xec, 0xed, [])];
    case 'out':
      return [...mov('edx', access.port), ...mov('eax', access.value), ...sized(access.bytes, 0xee, 0xef, [])];
    case 'hypercall': {
      if (access.longMode === true) throw new RangeError('a hypercall in long mode needs a guest in long mode; the driver runs 32-bit code');
      const [first = 0, second = 0, third = 0, fourth = 0] = access.args;
      return [
        ...mov('eax', access.nr),
        ...mov('ebx', first),
        ...mov('ecx', second),
        ...mov('edx', third),
        ...mov('esi', fourth),
        0x0f,
        0x01,
        hypercall === 'vmcall' ? 0xc1 : 0xd9,
      ];
    }
    case 'rdmsr':
      return [...mov('ecx', access.index), 0x0f, 0x32];
    case 'hlt':
      return [0xf4];
    case 'triple-fault':
      return [0x0f, 0x0b];
    case 'loop':
      return [0xeb, 0xfe];
  }
}

function address(gpa: number): number {
  if (gpa < 0 || gpa > 0xffffffff) throw new RangeError(`gpa 0x${gpa.toString(16)} is beyond what 32-bit code reaches`);
  return gpa;
}

/*
 * Ends a KVM_RUN that does not come back by itself. A timer sends a signal to this very thread; the signal is blocked but while
 * KVM_RUN runs (KVM_SET_SIGNAL_MASK), so that it ends the run with EINTR and is never delivered to a handler. It is then taken
 * off the queue. Nothing else of the process is touched.
 */

/** A real-time signal that neither the C library nor Node uses. */
const SIGNAL = 50;
const CLOCK_MONOTONIC = 1;
const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
/** The C library's sigset_t, of which the kernel's is the first part. */
const LIBC_SIGSET_BYTES = 128;
const NANOSECONDS = 1_000_000;
const ID_BYTES = 8;

interface Alarm {
  /** signals blocked while KVM_RUN runs, as KVM_SET_SIGNAL_MASK takes them */
  readonly runMask: Uint8Array;
  arm(milliseconds: number): void;
  /** Stops the timer and takes a signal that came off the queue. */
  disarm(): void;
  close(): void;
}

/** @throws UserError where the system gives no timer */
function openAlarm(libc: Libc): Alarm {
  const bit = 1n << BigInt(SIGNAL - 1);
  const set = new Uint8Array(LIBC_SIGSET_BYTES);
  set.set(encodeStruct(kernelSigset, { sig: bit }));
  const before = new Uint8Array(LIBC_SIGSET_BYTES);
  const blocked = libc.pthreadSigmask(SIG_BLOCK, set, before);
  if (blocked.ret !== 0)
    throw new UserError(`a signal could not be blocked (errno ${blocked.ret}), so an endless guest could not be stopped; try --device simulated`);
  const id = new Uint8Array(ID_BYTES);
  const event = encodeStruct(sigevent, { sigev_signo: SIGNAL, sigev_notify: SIGEV_THREAD_ID, _tid: libc.gettid().ret });
  const made = libc.timerCreate(CLOCK_MONOTONIC, event, id);
  if (made.ret !== 0) {
    libc.pthreadSigmask(SIG_SETMASK, before, null);
    throw new UserError(`no timer could be made (errno ${made.errno}), so an endless guest could not be stopped; try --device simulated`);
  }
  const timer = new DataView(id.buffer).getBigInt64(0, true);
  const set0 = (milliseconds: number): LibcResult => {
    const whole = Math.floor(milliseconds / 1000);
    return libc.timerSettime(
      timer,
      0,
      encodeStruct(itimerspec, { it_value: { tv_sec: whole, tv_nsec: Math.round((milliseconds - whole * 1000) * NANOSECONDS) } }),
    );
  };
  const drain = (): void => {
    const now = new Uint8Array(16);
    // A timer queues its signal once; the loop ends at the first time that none waits.
    for (;;) {
      const { ret, errno } = libc.sigtimedwait(set, now);
      if (ret === -1 && errno !== ERRNO.EINTR) return;
    }
  };
  let open = true;
  const { sig } = decodeStruct(kernelSigset, before);
  return {
    runMask: encodeStruct(kernelSigset, { sig: sig & ~bit }).subarray(0, KERNEL_SIGSET_BYTES),
    arm: (milliseconds) => {
      set0(Math.max(1, milliseconds));
    },
    disarm: () => {
      set0(0);
      drain();
    },
    close: () => {
      if (!open) return;
      open = false;
      libc.timerDelete(timer);
      drain();
      libc.pthreadSigmask(SIG_SETMASK, before, null);
    },
  };
}
