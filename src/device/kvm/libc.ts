/**
 * The few functions of the C library that the KVM driver needs, through koffi. Every result is checked to be a number; errno is
 * read at once. For real-kvm.ts alone.
 */
import { UserError } from '../../codec/user-error.js';

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
  madvise(address: number, length: number, advice: number): LibcResult;
  fallocate(fd: number, mode: number, offset: number, length: number): LibcResult;
  gettid(): LibcResult;
  /** returns the error itself, as POSIX has it for threads */
  pthreadSigmask(how: number, set: Uint8Array | null, old: Uint8Array | null): LibcResult;
  sigtimedwait(set: Uint8Array, timeout: Uint8Array): LibcResult;
  timerCreate(clock: number, event: Uint8Array, id: Uint8Array): LibcResult;
  timerSettime(id: bigint, flags: number, value: Uint8Array): LibcResult;
  timerDelete(id: bigint): LibcResult;
  /** Memory of this process, not copied. It must not be touched once it is unmapped. */
  view(address: number, length: number): Uint8Array;
}

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
      '/dev/kvm is reached through the package koffi, which is not installed here or does not run here; try `npm install koffi@3.3.4`, or --device simulated',
    );
  }
  try {
    return functions(koffi);
  } catch (error) {
    throw new UserError(
      `the C library of this system lacks a function that the KVM driver needs (${error instanceof Error ? error.message : String(error)}); try --device simulated`,
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
  const setTimer = bound('int timer_settime(int64_t id, int flags, void *value, void *old)');
  return {
    open: bound('int open(const char *path, int flags)'),
    close: bound('int close(int fd)'),
    ioctl: (fd, request, argument) => (argument instanceof Uint8Array ? ioctlBytes : ioctlNumber)(fd, request, argument),
    mmap: bound('int64_t mmap(int64_t address, size_t length, int protection, int flags, int fd, int64_t offset)'),
    munmap: bound('int munmap(int64_t address, size_t length)'),
    mprotect: bound('int mprotect(int64_t address, size_t length, int protection)'),
    madvise: bound('int madvise(int64_t address, size_t length, int advice)'),
    fallocate: bound('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
    gettid: bound('int gettid()'),
    pthreadSigmask: bound('int pthread_sigmask(int how, void *set, void *old)'),
    sigtimedwait: (set, timeout) => waitForSignal(set, null, timeout),
    timerCreate: bound('int timer_create(int clock, void *event, void *id)'),
    timerSettime: (id, flags, value) => setTimer(id, flags, value, null),
    timerDelete: bound('int timer_delete(int64_t id)'),
    view: (address, length) => new Uint8Array(koffi.view(address, length)),
  };
}
