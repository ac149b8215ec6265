/**
 * The few functions of the C library that real devices need and Node does not offer, through koffi. Every result is checked to be a
 * number; errno is read at once.
 */
import { UserError } from '../codec/user-error.js';

/** Numbers of include/uapi/asm-generic/mman-common.h, mman.h and include/uapi/linux/falloc.h, 7.3; the same on x86-64 and arm64. */
export const PROT = { NONE: 0, READ: 1, WRITE: 2 } as const;
export const MAP = { SHARED: 1, PRIVATE: 2, ANONYMOUS: 0x20, FIXED_NOREPLACE: 0x100000 } as const;
export const FALLOC_FL = { KEEP_SIZE: 1, PUNCH_HOLE: 2 } as const;

/** What a function of the C library answered. `errno` is 0 unless `ret` is -1. */
export interface LibcResult {
  readonly ret: number;
  readonly errno: number;
}

/** Addresses are those of this process, as numbers: x86-64 has 47 bits of them. */
export interface Libc {
  open(path: string, flags: number): LibcResult;
  close(fd: number): LibcResult;
  /** `argument`: an integer, or the structure whose bytes the kernel reads and writes */
  ioctl(fd: number, request: bigint, argument: bigint | number | Uint8Array): LibcResult;
  mmap(address: number, length: number, protection: number, flags: number, fd: number, offset: number): LibcResult;
  munmap(address: number, length: number): LibcResult;
  mprotect(address: number, length: number, protection: number): LibcResult;
  fallocate(fd: number, mode: number, offset: number, length: number): LibcResult;
  gettid(): LibcResult;
  getpagesize(): LibcResult;
  /** returns the error itself, as POSIX has it for threads */
  pthreadSigmask(how: number, set: Uint8Array | null, old: Uint8Array | null): LibcResult;
  sigtimedwait(set: Uint8Array, timeout: Uint8Array): LibcResult;
  timerCreate(clock: number, event: Uint8Array, id: Uint8Array): LibcResult;
  timerSettime(id: bigint, flags: number, value: Uint8Array): LibcResult;
  timerDelete(id: bigint): LibcResult;
  memfdCreate(name: string, flags: number): LibcResult;
  fcntl(fd: number, command: number, argument: number): LibcResult;
  lseek(fd: number, offset: bigint, whence: number): LibcResult;
  dup(fd: number): LibcResult;
  eventfd(initial: number, flags: number): LibcResult;
  epollCreate1(flags: number): LibcResult;
  timerfdCreate(clock: number, flags: number): LibcResult;
  signalfd(fd: number, set: Uint8Array, flags: number): LibcResult;
  inotifyInit1(flags: number): LibcResult;
  /** `ends`: two 32-bit descriptors */
  pipe2(ends: Uint8Array, flags: number): LibcResult;
  socket(domain: number, type: number, protocol: number): LibcResult;
  /** a system call that has no wrapper everywhere; arguments are integers */
  syscall(number: number, ...args: readonly (number | bigint)[]): LibcResult;
  kexecFileLoad(kernelFd: number, initrdFd: number, cmdline: string, flags: number): LibcResult;
  reboot(command: number): LibcResult;
  sync(): void;
  /** Memory of this process, not copied. It must not be touched once it is unmapped. */
  view(address: number, length: number): Uint8Array;
}

/** kexec_file_load(2) has no wrapper in glibc. Source: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h, 7.3. */
const KEXEC_FILE_LOAD = process.arch === 'arm64' ? 294 : 320;

let loaded: Libc | null = null;

/** @throws UserError where koffi is not installed or does not run on this system */
export async function loadLibc(): Promise<Libc> {
  loaded ??= await bind();
  return loaded;
}

async function bind(): Promise<Libc> {
  let koffi: typeof import('koffi');
  try {
    koffi = await import('koffi');
  } catch {
    throw new UserError(
      'real system calls go through the package koffi, which is not installed here or does not run here; try `npm install koffi@3.3.4`, or simulate (sim)',
    );
  }
  try {
    return functions(koffi);
  } catch (error) {
    throw new UserError(
      `the C library of this system lacks a function that is needed (${error instanceof Error ? error.message : String(error)}); simulate instead (sim)`,
    );
  }
}

function functions(koffi: typeof import('koffi')): Libc {
  const library = koffi.load(null);
  const bound = (definition: string) => {
    const call = library.func(definition);
    return (...args: readonly unknown[]): LibcResult => {
      const ret = call(...args);
      if (typeof ret !== 'number' && typeof ret !== 'bigint') throw new TypeError(`${definition} answered ${typeof ret}`);
      return { ret: Number(ret), errno: Number(ret) === -1 ? koffi.errno() : 0 };
    };
  };
  const ioctlNumber = bound('int ioctl(int fd, unsigned long request, unsigned long argument)');
  const ioctlBytes = bound('int ioctl(int fd, unsigned long request, void *argument)');
  const waitForSignal = bound('int sigtimedwait(void *set, void *info, void *timeout)');
  const syscall = bound('long syscall(long number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e)');
  const kexecFileLoad = bound('long syscall(long number, int64_t a, int64_t b, int64_t c, const char *d, int64_t e)');
  const setTimer = bound('int timer_settime(int64_t id, int flags, void *value, void *old)');
  return {
    open: bound('int open(const char *path, int flags)'),
    close: bound('int close(int fd)'),
    ioctl: (fd, request, argument) => (argument instanceof Uint8Array ? ioctlBytes : ioctlNumber)(fd, request, argument),
    mmap: bound('int64_t mmap(int64_t address, size_t length, int protection, int flags, int fd, int64_t offset)'),
    munmap: bound('int munmap(int64_t address, size_t length)'),
    mprotect: bound('int mprotect(int64_t address, size_t length, int protection)'),
    fallocate: bound('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
    gettid: bound('int gettid()'),
    getpagesize: bound('int getpagesize()'),
    pthreadSigmask: bound('int pthread_sigmask(int how, void *set, void *old)'),
    sigtimedwait: (set, timeout) => waitForSignal(set, null, timeout),
    timerCreate: bound('int timer_create(int clock, void *event, void *id)'),
    timerSettime: (id, flags, value) => setTimer(id, flags, value, null),
    timerDelete: bound('int timer_delete(int64_t id)'),
    memfdCreate: bound('int memfd_create(const char *name, unsigned int flags)'),
    fcntl: bound('int fcntl(int fd, int command, int64_t argument)'),
    lseek: bound('int64_t lseek(int fd, int64_t offset, int whence)'),
    dup: bound('int dup(int fd)'),
    eventfd: bound('int eventfd(unsigned int initial, int flags)'),
    epollCreate1: bound('int epoll_create1(int flags)'),
    timerfdCreate: bound('int timerfd_create(int clock, int flags)'),
    signalfd: bound('int signalfd(int fd, void *set, int flags)'),
    inotifyInit1: bound('int inotify_init1(int flags)'),
    pipe2: bound('int pipe2(void *ends, int flags)'),
    socket: bound('int socket(int domain, int type, int protocol)'),
    syscall: (number, ...args) => syscall(number, ...[0, 1, 2, 3, 4].map((index) => args[index] ?? 0)),
    kexecFileLoad: (kernelFd, initrdFd, cmdline, flags) => kexecFileLoad(KEXEC_FILE_LOAD, kernelFd, initrdFd, cmdline.length + 1, cmdline, flags),
    reboot: bound('int reboot(int command)'),
    sync: () => {
      library.func('void sync()')();
    },
    view: (address, length) => new Uint8Array(koffi.view(address, length)),
  };
}
