/**
 * A scenario's steps as real system calls of this machine's kernel: the counterpart of the engine's agent. What a real kernel can't be
 * asked (devices that are simulated, processes that are forked) is refused, with the reason, and never answered for it.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync, readFileSync, writeFileSync } from 'node:fs';
import { ERRNO } from '../../abi/errno.js';
import { decodeStruct } from '../codec/decode.js';
import type { Encodable } from '../codec/encode.js';
import { sizeOf } from '../codec/layout-table.js';
import { FALLOC_FL, type Libc, type LibcResult, MAP, PROT } from '../device/libc.js';
import { patternPage } from '../engine/fs/pattern.js';
import { sealBits } from '../engine/fs/shmem.js';
import { type IoctlOp, type UserBuffer, luoIoctls } from '../engine/luo/ioctl.js';
import { type Answer, nameField, userBuffer } from '../engine/run/agent.js';
import type { FdRef, Fill, IoctlShape, ScenarioStep, Step } from '../engine/scenario/types.js';
import { UserError } from '../codec/user-error.js';
import { atEnd } from '../codec/at-end.js';

/** A step that this machine was not asked. */
export interface Refused {
  readonly refused: string;
}

const MFD = { CLOEXEC: 1, ALLOW_SEALING: 2, HUGETLB: 4, NOEXEC_SEAL: 8, EXEC: 16 } as const;
const F_GETFD = 1;
const FD_CLOEXEC = 1;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
const SEEK_SET = 0;
const SEEK_CUR = 1;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const O_TMPFILE = 0o20200000;
const CLOCK_MONOTONIC = 1;
const SYS_PIDFD_OPEN = 434;
const SYS_MEMFD_SECRET = 447;
const LIVEUPDATE_DEVICE = '/dev/liveupdate';
const BAD_FD = -1;
/** Kinds of descriptor that have a path. */
const PATHS: Readonly<Record<string, string>> = {
  'dev-null': '/dev/null',
  'dev-zero': '/dev/zero',
  'dev-mem': '/dev/mem',
  'dev-kvm': '/dev/kvm',
  'dev-vfio': '/dev/vfio/vfio',
  iommufd: '/dev/iommu',
  proc: '/proc/self/status',
};

const answered = (errno: number, ret = 0): Answer => ({ result: -errno, ret: errno === 0 ? ret : -1, fd: null, name: null, signal: null });
const opened = (fd: number): Answer => ({ ...answered(0), ret: fd, fd });
const ofCall = ({ ret, errno }: LibcResult): Answer => answered(errno, ret);

export class LiveAgent {
  readonly #libc: Libc;
  readonly #pageSize: number;
  readonly #names = new Map<string, number>();
  #device = BAD_FD;
  #session = BAD_FD;

  /** @param pageSize in bytes, of this machine */
  constructor(libc: Libc, pageSize: number) {
    this.#libc = libc;
    this.#pageSize = pageSize;
  }

  /** The descriptor a reference stands for; -1 for a name that nothing got. */
  resolve(ref: FdRef): number {
    return typeof ref === 'number' ? ref : (this.#names.get(ref) ?? BAD_FD);
  }

  /** The same for Node's own calls, which refuse a negative number themselves. @throws an error with EBADF, as such a call would be answered */
  #opened(ref: FdRef): number {
    const fd = this.resolve(ref);
    if (fd < 0) throw Object.assign(new Error(`descriptor ${fd}`), { errno: -ERRNO.EBADF });
    return fd;
  }

  /** What tells files apart: device and inode; null for a descriptor that is not open. */
  identity(ref: FdRef): string | null {
    try {
      const { dev, ino } = fstatSync(this.resolve(ref), { bigint: true });
      return `${dev}:${ino}`;
    } catch {
      return null;
    }
  }

  /** FD_CLOEXEC of a descriptor. */
  closeOnExec(fd: number): boolean {
    const { ret, errno } = this.#libc.fcntl(fd, F_GETFD, 0);
    return errno === 0 && (ret & FD_CLOEXEC) !== 0;
  }

  /** Carries out a step that is no kexec. */
  perform(step: ScenarioStep): Answer | Refused {
    const answer = this.#perform(step);
    if ('refused' in answer) return answer;
    if (answer.fd !== null && 'as' in step && typeof step.as === 'string') this.#names.set(step.as, answer.fd);
    return answer;
  }

  #perform(step: ScenarioStep): Answer | Refused {
    if (step.by !== null) return { refused: 'processes are not forked on a real machine' };
    switch (step.do) {
      case 'open': {
        const answer = attempt(() => opened(openSync(LIVEUPDATE_DEVICE, (step.mode === 'ro' ? constants.O_RDONLY : constants.O_RDWR) | O_CLOEXEC)));
        if (answer.fd !== null) this.#device = answer.fd;
        return answer;
      }
      case 'create-session':
      case 'retrieve-session':
        return this.#makeSession(step);
      case 'get-name':
      case 'finish':
        return this.#ioctl(step.session, luoIoctls[step.do], { reserved: step.reserved }, step.shape);
      case 'preserve':
        return this.#ioctl(step.session, luoIoctls[step.do], { fd: this.resolve(step.fd), token: step.token }, step.shape);
      case 'retrieve':
        return this.#ioctl(step.session, luoIoctls[step.do], { token: step.token }, step.shape);
      case 'memfd':
        return this.#memfd(step);
      case 'fd':
        return this.#makeFd(step);
      case 'dup':
        return this.#installed(this.#libc.dup(this.resolve(step.fd)));
      case 'reopen':
        return this.#reopen(step);
      case 'write':
        return this.#write(step);
      case 'truncate':
        return attempt(() => {
          ftruncateSync(this.#opened(step.fd), step.size);
          return answered(0);
        });
      case 'fallocate':
        return this.#fallocate(step);
      case 'seal':
        return ofCall(this.#libc.fcntl(this.resolve(step.fd), F_ADD_SEALS, sealBits(step.seals)));
      case 'seek': {
        const { ret, errno } = this.#libc.lseek(this.resolve(step.fd), step.pos, SEEK_SET);
        return answered(errno, errno === 0 ? 0 : ret);
      }
      case 'mmap':
        return this.#mmap(step);
      case 'check':
        return this.#check(step);
      case 'close': {
        const answer = attempt(() => {
          closeSync(this.#opened(step.fd));
          return answered(0);
        });
        if (answer.result === 0 && typeof step.fd === 'string') this.#names.delete(step.fd);
        return answer;
      }
      default:
        return { refused: `${step.do} is not carried out on a real machine` };
    }
  }

  #installed(call: LibcResult): Answer {
    return call.errno === 0 ? opened(call.ret) : answered(call.errno);
  }

  #makeSession(step: Step<'create-session' | 'retrieve-session'>): Answer {
    const answer = this.#ioctl(step.device ?? this.#device, luoIoctls[step.do], { name: [...nameField(step.name)] }, step.shape);
    if (answer.fd !== null) this.#session = answer.fd;
    return answer;
  }

  #ioctl(target: FdRef, op: IoctlOp, values: Readonly<Record<string, Encodable>>, shape: IoctlShape): Answer {
    const { request, struct } = op;
    const memory = userMemory(this.#libc, userBuffer(struct, values, shape), this.#pageSize);
    using _memory = atEnd(() => memory.release());
    const { errno } = this.#libc.ioctl(this.resolve(target), BigInt(request), memory.address);
    if (errno !== 0) return answered(errno);
    const bytes = memory.bytes();
    if (bytes.length < sizeOf(struct)) return answered(0);
    const out: Readonly<Record<string, unknown>> = decodeStruct(struct, bytes);
    const gives = op !== luoIoctls.preserve && typeof out.fd === 'number';
    const name = op === luoIoctls['get-name'] && Array.isArray(out.name) ? Uint8Array.from(out.name, Number) : null;
    const end = name === null ? -1 : name.indexOf(0);
    return { ...answered(0), fd: gives ? Number(out.fd) : null, name: name === null ? null : name.subarray(0, end === -1 ? name.length : end) };
  }

  #memfd(step: Step<'memfd'>): Answer | Refused {
    if (step.huge) return { refused: 'huge folios are a choice of the machine (shmem_enabled), not of a step' };
    const flags = step.flags.reduce((bits: number, flag) => bits | MFD[flag], MFD.CLOEXEC);
    const made = this.#libc.memfdCreate(step.name, flags);
    if (made.errno !== 0) return answered(made.errno);
    const fd = made.ret;
    const answer = attempt(() => {
      if (step.size > 0) ftruncateSync(fd, step.size);
      if (step.fallocate !== null) {
        const { errno } = this.#libc.fallocate(fd, 0, step.fallocate.offset, step.fallocate.size);
        if (errno !== 0) return answered(errno);
      }
      this.#fillPages(fd, step.fill, true);
      for (const { offset, bytes } of step.writes) writeSync(fd, bytes, 0, bytes.length, offset);
      if (step.size > 0 && fstatSync(fd).size > step.size) ftruncateSync(fd, step.size);
      if (step.seals.length > 0) {
        const { errno } = this.#libc.fcntl(fd, F_ADD_SEALS, sealBits(step.seals));
        if (errno !== 0) return answered(errno);
      }
      const { errno } = this.#libc.lseek(fd, step.pos, SEEK_SET);
      return errno === 0 ? opened(fd) : answered(errno);
    });
    if (answer.fd === null) closeSync(fd);
    return answer;
  }

  /** One pwrite(2) a page. @returns bytes written */
  #fillPages(fd: number, fills: readonly Fill[], clipped: boolean): number {
    const size = fstatSync(fd).size;
    const end = clipped && size > 0 ? size : Number.POSITIVE_INFINITY;
    let written = 0;
    for (const { page, pages, seed } of fills)
      for (let index = page; index < page + pages; index++) {
        const at = index * this.#pageSize;
        const whole = patternPage(seed, index, this.#pageSize);
        const part = at < end && at + whole.length > end ? whole.subarray(0, end - at) : whole;
        written += writeSync(fd, part, 0, part.length, at);
      }
    return written;
  }

  #write(step: Step<'write'>): Answer {
    return attempt(() => {
      const fd = this.#opened(step.fd);
      const filled = step.fill.length === 0 ? 0 : Math.min(this.#fillPages(fd, step.fill, false), 0);
      return answered(0, step.bytes.length === 0 ? filled : writeSync(fd, step.bytes, 0, step.bytes.length, step.offset));
    });
  }

  #fallocate(step: Step<'fallocate'>): Answer {
    const mode = step.mode === 'allocate' ? 0 : step.mode === 'keep-size' ? FALLOC_FL.KEEP_SIZE : FALLOC_FL.PUNCH_HOLE | FALLOC_FL.KEEP_SIZE;
    return ofCall(this.#libc.fallocate(this.resolve(step.fd), mode, step.offset, step.size));
  }

  #mmap(step: Step<'mmap'>): Answer | Refused {
    const fd = this.resolve(step.fd);
    if (this.#libc.fcntl(fd, F_GETFD, 0).errno !== 0) return answered(ERRNO.EBADF);
    const { size } = fstatSync(fd);
    if (step.bytes.length > 0 && step.offset + step.bytes.length > Math.ceil(size / this.#pageSize) * this.#pageSize)
      return { refused: 'a store past the end of the file kills this process with SIGBUS' };
    const { ret, errno } = this.#libc.mmap(
      0,
      Math.max(size, this.#pageSize),
      PROT.READ | (step.write ? PROT.WRITE : 0),
      step.shared ? MAP.SHARED : MAP.PRIVATE,
      fd,
      0,
    );
    if (errno !== 0) return answered(errno);
    if (step.bytes.length > 0 && !step.write) return { refused: 'a store through a read-only mapping kills this process with SIGSEGV' };
    this.#libc.view(ret, Math.max(size, this.#pageSize)).set(step.bytes, step.offset);
    return answered(0);
  }

  #makeFd(step: Step<'fd'>): Answer | Refused {
    const libc = this.#libc;
    const path = PATHS[step.kind];
    if (path !== undefined) return attempt(() => opened(openSync(path, (step.kind === 'proc' ? constants.O_RDONLY : constants.O_RDWR) | O_CLOEXEC)));
    switch (step.kind) {
      case 'number':
        return opened(step.number);
      case 'session':
        return this.#installed(libc.dup(this.resolve(step.session ?? this.#session)));
      case 'device':
        return this.#installed(libc.dup(this.#device));
      case 'eventfd':
        return this.#installed(libc.eventfd(0, O_CLOEXEC));
      case 'epoll':
        return this.#installed(libc.epollCreate1(O_CLOEXEC));
      case 'timerfd':
        return this.#installed(libc.timerfdCreate(CLOCK_MONOTONIC, O_CLOEXEC));
      case 'signalfd':
        return this.#installed(libc.signalfd(-1, new Uint8Array(128), O_CLOEXEC));
      case 'inotify':
        return this.#installed(libc.inotifyInit1(O_CLOEXEC));
      case 'pipe': {
        const ends = new Uint8Array(8);
        const { errno } = libc.pipe2(ends, O_CLOEXEC);
        return errno === 0 ? opened(new DataView(ends.buffer).getInt32(0, true)) : answered(errno);
      }
      case 'socket':
        return this.#installed(libc.socket(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0));
      case 'pidfd':
        return this.#installed(libc.syscall(SYS_PIDFD_OPEN, process.pid, 0));
      case 'secretmem':
        return this.#installed(libc.syscall(SYS_MEMFD_SECRET, O_CLOEXEC));
      case 'tmpfs':
      case 'tmpfs-unlinked':
      case 'o-tmpfile':
        return this.#tmpfs(step);
      default:
        return { refused: `a descriptor of kind ${step.kind} is not made on a real machine` };
    }
  }

  #tmpfs(step: Step<'fd'>): Answer {
    const name = `/dev/shm/luo-inspect-${process.pid}-${step.index}`;
    return attempt(() => {
      const fd = step.kind === 'o-tmpfile' ? openSync('/dev/shm', constants.O_RDWR | O_TMPFILE, 0o666) : openSync(name, 'wx+', 0o666);
      if (step.kind === 'tmpfs-unlinked') unlinkSync(name);
      if (step.size > 0) ftruncateSync(fd, step.size);
      this.#fillPages(fd, step.fill, true);
      return opened(fd);
    });
  }

  #reopen(step: Step<'reopen'>): Answer {
    const flags = { rw: constants.O_RDWR, ro: constants.O_RDONLY, wo: constants.O_WRONLY, append: constants.O_RDWR | constants.O_APPEND, path: O_PATH }[
      step.mode
    ];
    return attempt(() => opened(openSync(`/proc/self/fd/${this.resolve(step.fd)}`, flags | O_CLOEXEC)));
  }

  #check(step: Step<'check'>): Answer {
    return attempt(() => {
      const fd = this.#opened(step.fd);
      const stat = fstatSync(fd);
      const seals = this.#libc.fcntl(fd, F_GET_SEALS, 0);
      const pos = this.#libc.lseek(fd, 0n, SEEK_CUR);
      const differs =
        (step.size !== null && step.size !== stat.size) ||
        (step.seals !== null && sealBits(step.seals) !== seals.ret) ||
        (step.pos !== null && step.pos !== BigInt(pos.ret)) ||
        (step.mode !== null && step.mode !== (stat.mode & 0o777)) ||
        (step.fill !== null && !step.fill.every((fill) => this.#holds(fd, stat.size, fill))) ||
        (step.sha256 !== null && step.sha256 !== sha256Of(fd, stat.size));
      return answered(differs ? ERRNO.EILSEQ : 0);
    });
  }

  #holds(fd: number, size: number, { page, pages, seed }: Fill): boolean {
    for (let index = page; index < page + pages; index++) {
      const at = index * this.#pageSize;
      const length = Math.min(this.#pageSize, size - at);
      if (length <= 0) return false;
      const there = new Uint8Array(length);
      readSync(fd, there, 0, length, at);
      if (Buffer.compare(there, patternPage(seed, index, this.#pageSize).subarray(0, length)) !== 0) return false;
    }
    return true;
  }
}

const PIECE = 1 << 20;

function sha256Of(fd: number, size: number): string {
  const hash = createHash('sha256');
  const piece = new Uint8Array(PIECE);
  for (let at = 0; at < size; ) {
    const got = readSync(fd, piece, 0, Math.min(PIECE, size - at), at);
    if (got === 0) break;
    hash.update(piece.subarray(0, got));
    at += got;
  }
  return hash.digest('hex');
}

/** Node's own calls throw; their errno is the answer. */
function attempt(call: () => Answer): Answer {
  try {
    return call();
  } catch (error) {
    const errno = error instanceof Error && 'errno' in error ? error.errno : null;
    if (typeof errno !== 'number') throw error;
    return answered(Math.abs(errno));
  }
}

/** Argument memory for a real ioctl, as a step's shape asks for it: ordinary, read-only, ending at an unmapped page, or none at all. */

/** Memory at an address of this process. It must be given back. */
interface UserMemory {
  /** virtual; 0 for NULL */
  readonly address: bigint;
  /** the bytes as they are there now */
  bytes(): Uint8Array;
  release(): void;
}

const nothing = (address: bigint): UserMemory => ({ address, bytes: () => new Uint8Array(0), release() {} });

/** @param buffer null for a NULL pointer @param page bytes of a page of this machine. @throws RangeError where the machine has no memory for it */
function userMemory(libc: Libc, buffer: UserBuffer | null, page: number): UserMemory {
  if (buffer === null) return nothing(0n);
  const room = Math.ceil(Math.max(buffer.bytes.length, 1) / page) * page;
  const { ret } = libc.mmap(0, room + page, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS, -1, 0);
  if (ret === -1) throw new RangeError(`no memory for an argument of ${buffer.bytes.length} bytes`);
  // The bytes end where the mapped part does, when there is less mapped than there are.
  const ends = Math.min(buffer.mapped, room);
  const start = buffer.mapped < buffer.bytes.length ? ret + room - ends : ret;
  const view = libc.view(ret, room);
  view.set(buffer.bytes.subarray(0, Math.max(0, ret + room - start)), start - ret);
  libc.mprotect(ret + room, page, PROT.NONE);
  if (!buffer.writable) libc.mprotect(ret, room, PROT.READ);
  return {
    address: BigInt(start),
    bytes: () => view.slice(start - ret),
    release: () => {
      libc.munmap(ret, room + page);
    },
  };
}

const STATE_SCHEMA = 'luo-inspect.live/1';

export interface StepRecord {
  /** 0-based place in the scenario */
  readonly index: number;
  /** 0 or a negative errno; null where this machine was not asked */
  readonly result: number | null;
  /** why it is not as the scenario expects, or was not asked; null where it is */
  readonly why: string | null;
}

interface LiveState {
  /** SHA-256 of the scenario's text: a changed scenario can't go on */
  readonly scenario: string;
  /** jumps made */
  readonly kernel: number;
  readonly done: readonly StepRecord[];
}

/** @returns null where there is no such file @throws UserError where it is of another program */
export function readState(path: string, scenario: string): LiveState | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  const state = parse(text);
  if (state === null)
    throw new UserError(`${path}: no state of a live run (schema ${STATE_SCHEMA}); name another file with --state, or remove it to start over`);
  if (state.scenario !== scenario) throw new UserError(`${path}: of another scenario, or the scenario was changed since; remove it to start over`);
  return state;
}

function parse(text: string): LiveState | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('schema' in value) || value.schema !== STATE_SCHEMA) return null;
    if (!('scenario' in value) || typeof value.scenario !== 'string' || !('kernel' in value) || typeof value.kernel !== 'number') return null;
    if (!('done' in value) || !Array.isArray(value.done)) return null;
    return { scenario: value.scenario, kernel: value.kernel, done: value.done.flatMap((one: unknown) => recordOf(one)) };
  } catch {
    return null;
  }
}

function recordOf(value: unknown): readonly StepRecord[] {
  if (typeof value !== 'object' || value === null || !('index' in value) || typeof value.index !== 'number') return [];
  const result = 'result' in value && typeof value.result === 'number' ? value.result : null;
  return [{ index: value.index, result, why: 'why' in value && typeof value.why === 'string' ? value.why : null }];
}

/** Written through to the disk: the machine is about to jump. */
export function writeState(path: string, state: LiveState): void {
  try {
    writeFileSync(path, `${JSON.stringify({ schema: STATE_SCHEMA, ...state })}\n`, { mode: 0o600, flush: true });
  } catch (error) {
    throw new UserError(`${path}: the state can't be written: ${error instanceof Error ? error.message : String(error)}; choose another file with --state`);
  }
}
