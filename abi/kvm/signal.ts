/**
 * Structures of signals and timers that interrupt KVM_RUN. Source: 7.3 include/uapi/linux/kvm.h (kvm_signal_mask),
 * include/uapi/asm-generic/siginfo.h (sigevent) and include/uapi/linux/time.h (itimerspec); x86-64.
 */
import { array, bytes, nested, s32, s64, struct, u32, u64 } from '../layout.js';
import { KVM_H, word } from './payloads.js';

/** Bytes of the kernel's sigset_t; the C library's is longer. */
export const KERNEL_SIGSET_BYTES = 8;

export const kvmSignalMask = struct({
  name: 'kvm_signal_mask',
  meaning: 'signals blocked while KVM_RUN runs',
  source: KVM_H,
  packed: true,
  btfName: null,
  fields: { len: u32('bytes of sigset', { role: 'bytes' }), sigset: bytes(KERNEL_SIGSET_BYTES, 'a bit a signal, signal 1 first') },
});

export const SIGEV_THREAD_ID = 4;

export const sigevent = struct({
  name: 'sigevent',
  meaning: 'how a timer tells that it ran out',
  source: '7.3 include/uapi/asm-generic/siginfo.h',
  packed: false,
  btfName: 'sigevent',
  fields: {
    sigev_value: word('passed along'),
    sigev_signo: s32('signal'),
    sigev_notify: s32('SIGEV_THREAD_ID: one thread gets it', { role: 'enum', symbols: { '4': 'SIGEV_THREAD_ID' } }),
    _tid: s32('that thread'),
    _pad: array(u32('padding', { role: 'reserved' }), 11, 'padding'),
  },
});

const timespec = struct({
  name: '__kernel_timespec',
  meaning: 'a time',
  source: '7.3 include/uapi/linux/time_types.h',
  packed: false,
  fields: { tv_sec: s64('seconds'), tv_nsec: s64('nanoseconds') },
});

export const itimerspec = struct({
  name: '__kernel_itimerspec',
  meaning: 'when a timer runs out; all zero disarms it',
  source: '7.3 include/uapi/linux/time.h',
  packed: false,
  fields: { it_interval: nested(timespec, 'and how often again'), it_value: nested(timespec, 'the first time') },
});

export const kernelSigset = struct({
  name: 'sigset_t',
  meaning: 'a set of signals',
  source: '7.3 arch/x86/include/uapi/asm/signal.h',
  fields: { sig: u64('bit n - 1: signal n', { role: 'opaque' }) },
});
