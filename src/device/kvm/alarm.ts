/**
 * Ends a KVM_RUN that does not come back by itself. A timer sends a signal to this very thread; the signal is blocked but while
 * KVM_RUN runs (KVM_SET_SIGNAL_MASK), so that it ends the run with EINTR and is never delivered to a handler. It is then taken
 * off the queue. Nothing else of the process is touched.
 */
import { ERRNO } from '../../../abi/errno.js';
import { itimerspec, KERNEL_SIGSET_BYTES, kernelSigset, SIGEV_THREAD_ID, sigevent } from '../../../abi/kvm/signal.js';
import { decodeStruct } from '../../codec/decode.js';
import { encodeStruct } from '../../codec/encode.js';
import { UserError } from '../../codec/user-error.js';
import type { Libc, LibcResult } from '../libc.js';

/** A real-time signal that neither the C library nor Node uses. */
const SIGNAL = 50;
const CLOCK_MONOTONIC = 1;
const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
/** The C library's sigset_t, of which the kernel's is the first part. */
const LIBC_SIGSET_BYTES = 128;
const NANOSECONDS = 1_000_000;
const ID_BYTES = 8;

export interface Alarm {
  /** signals blocked while KVM_RUN runs, as KVM_SET_SIGNAL_MASK takes them */
  readonly runMask: Uint8Array;
  arm(milliseconds: number): void;
  /** Stops the timer and takes a signal that came off the queue. */
  disarm(): void;
  close(): void;
}

/** @throws UserError where the system gives no timer */
export function openAlarm(libc: Libc): Alarm {
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
