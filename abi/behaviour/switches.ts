/**
 * What a kernel does that was told not to take over: kho=off, liveupdate=off on its command line. Source: guests of 7.3.4
 * that received a 7.3.4 handover; kernel/liveupdate, 7.3.4.
 */
import type { Outcome } from './behaviour.js';

const noDevice: Outcome = {
  kind: 'open-fails',
  errno: 'ENOENT',
  text: 'there is no /dev/liveupdate: the log says "luo: Disabling liveupdate because KHO is disabled"; all sessions are lost',
  evidence: 'lab',
};

/** By layer; the others are taken over or refused as by any kernel. */
export const khoOff: Readonly<Record<string, Outcome>> = {
  kho: {
    kind: 'ignored',
    errno: null,
    text: 'started with kho=off: it says "found kexec handover data" and keeps the memory reserved, and hands out nothing of it but reserve_mem',
    evidence: 'lab',
  },
  luo: noDevice,
  'kexec-metadata': { kind: 'ignored', errno: null, text: 'not read with kho=off', evidence: 'lab' },
  'kho-test': { kind: 'ignored', errno: null, text: 'the test does nothing with kho=off', evidence: 'lab' },
};

export const liveupdateOff: Readonly<Record<string, Outcome>> = {
  luo: {
    kind: 'open-fails',
    errno: 'ENOENT',
    text: 'started without liveupdate=on: it reads the LUO root ("Retrieved live update data"), but there is no /dev/liveupdate; all sessions are lost',
    evidence: 'lab',
  },
};
