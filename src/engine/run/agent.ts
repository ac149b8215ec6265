/** User space: the agent that carries out a scenario's steps as system calls of the running kernel. */
import { flagsIn } from '../../../abi/layout.js';
import { F_SEAL } from '../../../abi/memfd/v2.js';
import { type Encodable, encodeStruct } from '../../codec/encode.js';
import { negative } from '../faults.js';
import { OpenFile, PlainFile } from '../fs/open-file.js';
import { addSeals, fallocate, ftruncate, mmap, seek, traitsOf, positionOf, pwrite } from '../fs/vfs.js';
import { LOOK, sealBits, ShmemInode, HugetlbInode } from '../fs/shmem.js';
import { VfioDeviceFile } from '../handlers/vfio-pci-core.js';
import { isDeviceStep, type IoctlShape, type ScenarioStep, type Fill, type Step } from '../scenario/types.js';
import type { Kernel } from '../kernel/kernel.js';
import { FIRST_PROCESS } from '../kernel/processes.js';
import { LiveupdateDevice } from '../luo/luo.js';
import { type IoctlOp, luoIoctls, structOf, type UserBuffer } from '../luo/ioctl.js';
import { SessionFile } from '../luo/session.js';
import type { Steps } from '../machine.js';
import type * as scenario from '../scenario/types.js';
import { runDeviceStep } from './device-steps.js';
import { isKvmStep, KvmAgent } from '../vcpu/kvm-agent.js';
import type { Struct } from '../../../abi/layout.js';
import { liveupdateIoctlCreateSession } from '../../../abi/uapi/liveupdate.js';
import { layoutTable, sizeOf } from '../../codec/layout-table.js';
import type { ArgValue, StepArgs } from '../trace/step.js';
import { createHash } from 'node:crypto';
import { patternPage } from '../fs/pattern.js';

/** What a step answered. */
export interface Answer {
  /** 0 or a negative errno */
  readonly result: number;
  /** what the system call returned: a descriptor, bytes written, 0, or -1 */
  readonly ret: number;
  /** the descriptor it made */
  readonly fd: number | null;
  /** the name GET_NAME gave */
  readonly name: Uint8Array | null;
  /** what the process got meanwhile; SIGKILL: it is gone */
  readonly signal: scenario.SignalName | null;
  /** what a step that looks at something found otherwise */
  readonly why?: string | null;
}

type Request = Pick<IoctlOp, 'request' | 'struct'>;

const BAD_FD = -1;
const SIGKILL = 9;
/** Position of the exit code in the status of wait(2). */
const EXIT_CODE_SHIFT = 8;

export const answered = (result: number): Answer => ({ result: Math.min(result, 0), ret: result < 0 ? -1 : result, fd: null, name: null, signal: null });
/** What a check found otherwise, or null. */
const checked = (why: string | null): Answer => ({ ...answered(why === null ? 0 : negative('EILSEQ')), why });
const opened = (fd: number): Answer => ({ ...answered(0), ret: fd, fd });

/** The agent in one kernel. Descriptors and their names end with it. */
export class Agent {
  readonly #kernel: Kernel;
  readonly #kvm: KvmAgent;
  #device = BAD_FD;
  #session = BAD_FD;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#kvm = new KvmAgent(kernel.machine, (ref) => this.fileOf(ref)?.body ?? null);
  }

  /** The descriptor a reference stands for; -1 for a name that nothing got. */
  resolve(ref: scenario.FdRef): number {
    return typeof ref === 'number' ? ref : (this.#kernel.processes.current.names.get(ref) ?? BAD_FD);
  }

  fileOf(ref: scenario.FdRef): OpenFile | null {
    return this.#kernel.processes.get(this.resolve(ref));
  }

  /** Carries out a step that is no kexec. */
  *perform(step: scenario.ScenarioStep): Steps<Answer> {
    const { processes } = this.#kernel;
    const process = processes.named(step.by ?? FIRST_PROCESS);
    if (process === null) return answered(negative('ESRCH'));
    processes.enter(process);
    const answer = yield* this.#perform(step);
    if (process.doomed && process.alive) {
      yield* processes.end(process, SIGKILL);
      return { ...answer, signal: 'SIGKILL' };
    }
    if (answer.fd !== null && 'as' in step && step.as !== null) this.#kernel.processes.current.names.set(step.as, answer.fd);
    return answer;
  }

  *#perform(step: scenario.ScenarioStep): Steps<Answer> {
    if (isDeviceStep(step)) return yield* this.#onDevice(step);
    if (isKvmStep(step)) return { ...answered(0), ...(yield* this.#kvm.perform(step.index, step)) };
    switch (step.do) {
      case 'open':
        return yield* this.#open();
      case 'create-session':
      case 'retrieve-session':
        return yield* this.#makeSession(step);
      case 'get-name':
      case 'finish':
        return yield* this.#ioctl(step.session, luoIoctls[step.do], { reserved: step.reserved }, step.shape);
      case 'preserve':
        return yield* this.#ioctl(step.session, luoIoctls[step.do], { fd: this.resolve(step.fd), token: step.token }, step.shape);
      case 'retrieve':
        return yield* this.#ioctl(step.session, luoIoctls[step.do], { token: step.token }, step.shape);
      case 'ioctl':
        return yield* this.#anyIoctl(step);
      case 'memfd':
        return this.#installed(yield* memfdFile(this.#kernel, step));
      case 'fd':
        return yield* this.#makeFd(step);
      case 'dup':
        return this.#dup(step);
      case 'reopen':
        return yield* this.#reopen(step);
      case 'close':
        return yield* this.#close(step);
      case 'kexec-load':
        return answered(yield* this.#kernel.kexecLoad(step.call === 'kexec_file_load'));
      case 'kexec-unload':
        this.#kernel.image = null;
        return answered(0);
      case 'fork':
      case 'exit':
      case 'kill':
      case 'exec':
      case 'send-fd':
      case 'rlimit':
        return yield* this.#onProcess(step);
      case 'kexec':
      case 'reboot':
        throw new Error('leaving the kernel is the run’s business, not the agent’s');
      default:
        return yield* this.#onFile(step);
    }
  }

  *#onDevice(step: Parameters<typeof runDeviceStep>[1]): Steps<Answer> {
    const { pci } = this.#kernel;
    if (pci === null) return answered(negative('ENODEV'));
    const host = { pci, fileOf: (ref: scenario.FdRef) => this.fileOf(ref), removeModule: () => this.#kernel.removeVfioPci() };
    const { result, file, why } = yield* runDeviceStep(host, step);
    return file === null ? { ...answered(result), why: why ?? null } : this.#installed(file);
  }

  *#open(): Steps<Answer> {
    const file = yield* this.#kernel.luo.open();
    const answer = this.#installed(file);
    if (answer.fd !== null) this.#device = answer.fd;
    return answer;
  }

  *#makeSession(step: scenario.Step<'create-session' | 'retrieve-session'>): Steps<Answer> {
    const answer = yield* this.#ioctl(step.device ?? this.#device, luoIoctls[step.do], { name: [...nameField(step.name)] }, step.shape);
    if (answer.fd !== null) this.#session = answer.fd;
    return answer;
  }

  *#anyIoctl(step: scenario.Step<'ioctl'>): Steps<Answer> {
    const struct = structOf(step.request);
    const all: Record<string, Encodable> = { name: [...nameField(step.name)], fd: this.resolve(step.fd), token: step.token, reserved: step.reserved };
    const values = Object.fromEntries(Object.entries(all).filter(([name]) => name in struct.fields));
    return yield* this.#ioctl(step.target, { request: step.request, struct }, values, step.shape);
  }

  *#ioctl(target: scenario.FdRef, { request, struct }: Request, values: Readonly<Record<string, Encodable>>, shape: scenario.IoctlShape): Steps<Answer> {
    const file = this.fileOf(target);
    if (file === null) return answered(negative('EBADF'));
    if (!(file.body instanceof SessionFile || file.body instanceof LiveupdateDevice)) return answered(negative(traitsOf(file.body.kind).ioctl));
    const { result, fd, name } = yield* this.#kernel.luo.ioctl(file, request, userBuffer(struct, values, shape));
    return { ...answered(result), fd, name };
  }

  #installed(file: OpenFile | number, closeOnExec = true): Answer {
    if (typeof file === 'number') return answered(file);
    const fd = this.#kernel.processes.install(file, closeOnExec);
    return fd < 0 ? answered(fd) : opened(fd);
  }

  *#makeFd(step: scenario.Step<'fd'>): Steps<Answer> {
    switch (step.kind) {
      case 'number':
        return opened(step.number);
      case 'session':
        return this.#installed(this.fileOf(step.session ?? this.#session)?.get() ?? negative('EBADF'));
      case 'device':
        return this.#installed(this.fileOf(this.#device)?.get() ?? negative('EBADF'));
      case 'tmpfs':
      case 'tmpfs-unlinked':
      case 'o-tmpfile':
        return this.#installed(yield* tmpfsFile(this.#kernel, step.kind, step));
      default:
        return this.#installed(new OpenFile(new PlainFile(step.kind), traitsOf(step.kind).access));
    }
  }

  #dup(step: scenario.Step<'dup'>): Answer {
    return this.#installed(this.#raw(step.fd)?.get() ?? negative('EBADF'), false);
  }

  /** fget_raw: O_PATH descriptors too. */
  #raw(ref: scenario.FdRef): OpenFile | null {
    return this.#kernel.processes.current.fds.raw(this.resolve(ref));
  }

  // open("/proc/self/fd/N"): another open file of the same inode.
  *#reopen(step: scenario.Step<'reopen'>): Steps<Answer> {
    const file = this.#raw(step.fd);
    if (file === null) return answered(negative('ENOENT'));
    const { body } = file;
    const { reopen } = traitsOf(body.kind);
    if (step.mode === 'path') return this.#installed(new OpenFile(body, 'path'), false);
    if (reopen !== null) return answered(negative(reopen));
    // A device is opened again.
    if (body instanceof LiveupdateDevice) return this.#installed(yield* this.#kernel.luo.open());
    if (body instanceof VfioDeviceFile) return yield* this.#reopenDevice(body);
    return this.#installed(new OpenFile(body, step.mode));
  }

  *#reopenDevice(body: VfioDeviceFile): Steps<Answer> {
    const opened = body.via === 'group' ? negative('ENXIO') : yield* body.openAgain();
    return this.#installed(typeof opened === 'number' ? opened : new OpenFile(opened));
  }

  *#close(step: scenario.Step<'close'>): Steps<Answer> {
    const fd = this.resolve(step.fd);
    const { current } = this.#kernel.processes;
    const file = current.fds.remove(fd);
    if (file === null) return answered(negative('EBADF'));
    // What the last release answers is not passed on: close(2) of a stranded session says 0.
    yield* file.put();
    if (typeof step.fd === 'string') current.names.delete(step.fd);
    return answered(0);
  }

  *#onProcess(step: scenario.Step<'fork' | 'exit' | 'kill' | 'exec' | 'send-fd' | 'rlimit'>): Steps<Answer> {
    const { processes } = this.#kernel;
    switch (step.do) {
      case 'fork':
        if (processes.named(step.process) !== null) return answered(negative('EEXIST'));
        return { ...answered(0), ret: processes.fork(step.process) };
      case 'exit':
        yield* processes.end(processes.current, step.code << EXIT_CODE_SHIFT);
        return answered(0);
      case 'kill': {
        const process = processes.named(step.process);
        if (process === null) return answered(negative('ESRCH'));
        // PID 1 gets no signal that it has no handler for.
        if (process.pid !== 1) yield* processes.end(process, SIGKILL);
        return answered(0);
      }
      case 'exec':
        yield* processes.exec();
        return answered(0);
      case 'send-fd':
        return this.#sendFd(step);
      case 'rlimit':
        processes.current.fds.limit = step.nofile;
        return answered(0);
    }
  }

  #sendFd(step: scenario.Step<'send-fd'>): Answer {
    const file = this.#raw(step.fd);
    const to = this.#kernel.processes.named(step.to);
    if (file === null) return answered(negative('EBADF'));
    if (to === null) return answered(negative('ESRCH'));
    const fd = to.fds.install(file.get(), false);
    if (fd < 0) return answered(fd);
    const name = step.as ?? (typeof step.fd === 'string' ? step.fd : null);
    if (name !== null) to.names.set(name, fd);
    return answered(0);
  }

  *#onFile(step: scenario.Step<'write' | 'mmap' | 'munmap' | 'truncate' | 'fallocate' | 'seal' | 'seek' | 'check'>): Steps<Answer> {
    const file = this.fileOf(step.fd);
    if (file === null) return answered(negative('EBADF'));
    switch (step.do) {
      case 'write':
        return answered(writeFile(this.#kernel, file, step));
      case 'truncate':
        return answered(ftruncate(file, step.size));
      case 'fallocate':
        return answered(fallocate(file, step.mode, step.offset, step.size));
      case 'seal':
        return answered(addSeals(file, sealBits(step.seals)));
      case 'seek':
        return answered(seek(file, step.pos));
      case 'mmap':
        return this.#mmap(file, step);
      case 'munmap':
        yield* this.#kernel.processes.unmap(file);
        return answered(0);
      case 'check':
        return checked(checkFile(this.#kernel, file, step));
    }
  }

  #mmap(file: OpenFile, step: scenario.Step<'mmap'>): Answer {
    const inode = file.body instanceof ShmemInode ? file.body : null;
    const before = inode?.writableMappings ?? 0;
    const result = mmap(file, step);
    const counted = (inode?.writableMappings ?? 0) > before;
    // A store that gets SIGBUS leaves the mapping there.
    const faulted = result === negative('EFAULT');
    if (result === 0 || counted || faulted) this.#kernel.processes.mapped(file, counted);
    return { ...answered(result), signal: faulted ? 'SIGBUS' : null };
  }
}

/** Keys that say nothing about what is done. */
const SILENT = new Set(['do', 'index', 'position', 'expect', 'shape', 'fill', 'writes', 'bytes']);
/** An argument is mapped no further: no program has gigabytes of zeros there. */
const MOST_USER_BYTES = 1 << 20;
const SIZE_FIELD = 'size';

/** The step's own words as arguments of the agent's step. */
export function argsOf(step: ScenarioStep): StepArgs {
  const args: Record<string, ArgValue> = {};
  for (const [key, value] of Object.entries(step)) {
    if (SILENT.has(key) || value === null) continue;
    const shown = shownValue(value);
    if (shown !== null) args[key] = shown;
  }
  return args;
}

function shownValue(value: unknown): ArgValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return value;
  if (value instanceof Uint8Array) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(value);
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value.join(',') : null;
}

/** The argument of an ioctl as user space lays it out. @returns null for a NULL pointer */
export function userBuffer(struct: Struct, values: Readonly<Record<string, Encodable>>, shape: IoctlShape): UserBuffer | null {
  if (shape.memory === 'null') return null;
  const own = sizeOf(struct);
  const size = shape.size ?? own;
  const bytes = new Uint8Array(Math.max(own, Math.min(size, MOST_USER_BYTES)));
  bytes.set(encodeStruct(struct, { ...values, [SIZE_FIELD]: size }));
  const { tail } = shape;
  if (tail !== null && tail.length > 0) for (let at = own; at < Math.min(size, bytes.length); at++) bytes[at] = tail[(at - own) % tail.length] ?? 0;
  const mapped = shape.memory === 'unmapped' ? 0 : (shape.mapped ?? MOST_USER_BYTES);
  return { bytes, size, mapped, writable: shape.memory !== 'read-only' };
}

/** The bytes of a name field: as much of the name as fits, padded with NULs. */
export function nameField(name: Uint8Array): Uint8Array {
  const field = new Uint8Array(layoutTable(liveupdateIoctlCreateSession).field('name').size);
  field.set(name.subarray(0, field.length));
  return field;
}

const MODE_ALL = 0o777;
const MODE_NOEXEC = 0o666;
/** Bytes of a name, its NUL not counted. */
const MFD_NAME_MAX_LEN = 249;

/** memfd_create, ftruncate, fallocate, writes, F_ADD_SEALS, lseek, in this order. @returns the file or a negative errno */
function* memfdFile(kernel: Kernel, step: Step<'memfd'>): Steps<OpenFile | number> {
  const { machine } = kernel;
  const full = kernel.processes.room();
  const noexec = step.flags.includes('NOEXEC_SEAL');
  const tooLong = new TextEncoder().encode(step.name).length > MFD_NAME_MAX_LEN;
  const refused = (noexec && step.flags.includes('EXEC')) || tooLong ? negative('EINVAL') : full;
  const file = refused === 0 ? made(kernel, step) : null;
  yield machine.event('kernel', 'memfd_create', { name: step.name, flags: step.flags.join(',') }, refused);
  if (file === null) return refused;
  let error = fillFile(kernel, file, step);
  if (error >= 0 && step.seals.length > 0) error = addSeals(file, sealBits(step.seals));
  if (error < 0) {
    yield* file.put();
    return error;
  }
  file.pos = step.pos;
  const { body } = file;
  if (body instanceof ShmemInode) yield machine.event('kernel', 'memfd ready', { size: body.size, seals: body.seals, folios: body.folioCount });
  return file;
}

function made(kernel: Kernel, step: Step<'memfd'>): OpenFile {
  const { machine } = kernel;
  const noexec = step.flags.includes('NOEXEC_SEAL');
  const sealing = noexec || step.flags.includes('ALLOW_SEALING');
  const mode = noexec ? MODE_NOEXEC : MODE_ALL;
  const seals = noexec ? F_SEAL.EXEC : sealing ? 0 : F_SEAL.SEAL;
  if (step.flags.includes('HUGETLB')) return new OpenFile(new HugetlbInode(machine.pageSize * 2 ** (machine.pageShift - 3), mode, seals));
  return new OpenFile(
    new ShmemInode(machine, kernel.pages, kernel.spec, {
      kind: 'memfd',
      name: step.name,
      ino: kernel.nextIno(),
      mode,
      seals,
      linked: false,
      huge: step.huge,
    }),
  );
}

function fillFile(kernel: Kernel, file: OpenFile, step: Step<'memfd'>): number {
  let error = step.size > 0 ? ftruncate(file, step.size) : 0;
  if (error === 0 && step.fallocate !== null) error = fallocate(file, 'allocate', step.fallocate.offset, step.fallocate.size);
  if (error === 0) error = fillPages(kernel, file, step.fill, true);
  for (const { offset, bytes } of step.writes) if (error >= 0) error = pwrite(file, offset, bytes);
  // Filling whole pages must not make the file longer than it was made.
  if (error >= 0 && step.size > 0 && file.body instanceof ShmemInode && file.body.size > step.size) error = ftruncate(file, step.size);
  return Math.min(error, 0);
}

/** One pwrite(2) a page. @param clipped a page in which the file ends is written up to its end @returns bytes written, or what the first that failed answered */
function fillPages(kernel: Kernel, file: OpenFile, fills: readonly Fill[], clipped: boolean): number {
  const { pageSize } = kernel.machine;
  const inode = file.body instanceof ShmemInode ? file.body : null;
  const end = clipped && inode !== null && inode.size > 0 ? inode.size : Number.POSITIVE_INFINITY;
  let written = 0;
  for (const { page, pages, seed } of fills) {
    for (let index = page; index < page + pages; index++) {
      const whole = patternPage(seed, index, pageSize);
      const at = index * pageSize;
      const part = at < end && at + pageSize > end ? whole.subarray(0, end - at) : whole;
      const result = inode !== null && file.mode === 'rw' && part === whole ? inode.writePage(index, whole) : pwrite(file, at, part);
      if (result < 0) return result;
      written += result;
    }
  }
  return written;
}

/** pwrite(2): the pages of `fill`, then `bytes` at `offset`. @returns what the last write answered, or the first that failed */
function writeFile(kernel: Kernel, file: OpenFile, step: Step<'write'>): number {
  const filled = fillPages(kernel, file, step.fill, false);
  return filled < 0 || step.bytes.length === 0 ? Math.min(filled, 0) : pwrite(file, step.offset, step.bytes);
}

/** A file on tmpfs: with a name, unlinked while open, or made with O_TMPFILE. */
function* tmpfsFile(kernel: Kernel, kind: ShmemInode['kind'], { size, fill, limit }: Step<'fd'>): Steps<OpenFile | number> {
  const inode = new ShmemInode(kernel.machine, kernel.pages, kernel.spec, {
    kind,
    name: kind,
    ino: kernel.nextIno(),
    mode: MODE_NOEXEC,
    // Files that no memfd_create made can't be sealed.
    seals: F_SEAL.SEAL,
    linked: kind === 'tmpfs',
    huge: false,
    ...(limit === null ? {} : { limit }),
  });
  const file = new OpenFile(inode);
  const error = size > 0 ? inode.truncate(size) : 0;
  const filled = error < 0 ? error : fillPages(kernel, file, fill, true);
  yield kernel.machine.event('kernel', 'shmem_file_open', { kind, ino: inode.ino, size: inode.size }, Math.min(filled, 0));
  if (filled >= 0) return file;
  yield* file.put();
  return filled;
}

/** Compares what user space can see with what the step says. @returns what differs, null where nothing does */
function checkFile(kernel: Kernel, file: OpenFile, step: Step<'check'>): string | null {
  const { body } = file;
  const sized = body instanceof ShmemInode || body instanceof HugetlbInode;
  const differing: string[] = [];
  const look = (what: string, wanted: unknown, found: unknown): void => {
    if (wanted !== null && wanted !== found) differing.push(`${what} is ${String(found)}, not ${String(wanted)}`);
  };
  look('size', step.size, sized || body instanceof PlainFile ? body.size : 0);
  look('seals', step.seals === null ? null : sealNames(sealBits(step.seals)), sized ? sealNames(body.seals) : 'none to be had');
  look('pos', step.pos, positionOf(file) ?? 'none to be had');
  look('mode', step.mode, sized ? body.mode : null);
  if (step.fill !== null && !(body instanceof ShmemInode && holdsPattern(kernel, body, step.fill))) differing.push('the pages hold something else');
  look('sha256', step.sha256, step.sha256 !== null && body instanceof ShmemInode ? digest(kernel, body) : null);
  return differing.length === 0 ? null : differing.join('; ');
}

const sealNames = (bits: number): string => flagsIn(F_SEAL, bits).join(' ') || 'none';

function holdsPattern(kernel: Kernel, inode: ShmemInode, fills: readonly Fill[]): boolean {
  const { pageSize } = kernel.machine;
  return fills.every(({ page, pages, seed }) => {
    for (let index = page; index < page + pages; index++) {
      // The page to hold it against takes as long to make as three to read.
      kernel.machine.work.look((3 * pageSize) / LOOK);
      const length = Math.min(pageSize, inode.size - index * pageSize);
      const there = inode.readPage(index).subarray(0, length);
      if (length <= 0 || Buffer.compare(there, patternPage(seed, index, pageSize).subarray(0, length)) !== 0) return false;
    }
    return true;
  });
}

function digest(kernel: Kernel, inode: ShmemInode): string | null {
  const { pageSize, size } = kernel.machine;
  // A damaged handover may claim a file of exabytes: nobody could read it.
  if (inode.size > size) return null;
  const hash = createHash('sha256');
  for (let at = 0; at < inode.size; at += pageSize) hash.update(inode.readPage(at / pageSize).subarray(0, inode.size - at));
  return hash.digest('hex');
}
