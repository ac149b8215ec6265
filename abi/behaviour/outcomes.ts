/** Outcomes that several releases share. Source: abi-relevant code of kernel/kexec_handover.c and kernel/liveupdate, 6.17.8 to 7.3.4, and guests of these releases. */
import type { Evidence, Outcome } from './behaviour.js';

export const coldBoot = (evidence: Evidence): Outcome => ({
  kind: 'cold-boot',
  errno: null,
  text: `boots as if nothing had been handed over; only the log says "handover FDT is incompatible with '{to}'" and "disabling KHO revival"; all preserved memory is lost`,
  evidence,
});

export const memblockAfresh = (evidence: Evidence): Outcome => ({
  kind: 'ignored',
  errno: null,
  text: 'reserve_mem is allocated afresh after a warning; the old contents stay reserved and unclaimed',
  evidence,
});

export const noLuo = (evidence: Evidence): Outcome => ({
  kind: 'ignored',
  errno: null,
  text: 'has no LUO: nobody asks for the LUO subtree, all sessions are lost and their memory stays reserved',
  evidence,
});

export const luoPanic = (evidence: Evidence): Outcome => ({
  kind: 'panic',
  errno: null,
  text: 'panics at early_initcall: "The incoming tree failed to initialize properly, disabling live update" ({from} is not {to})',
  evidence,
});

export const luoNodePanic = (evidence: Evidence): Outcome => ({
  kind: 'panic',
  errno: null,
  text: 'panics at early_initcall: the node {to} of the LUO tree is missing or of another version ({from})',
  evidence,
});

export const openFails = (evidence: Evidence): Outcome => ({
  kind: 'open-fails',
  errno: 'EIO',
  text: `every open of /dev/liveupdate fails with EIO until the next reboot: "No registered handler for compatible '{from}'"; no session can be reached`,
  evidence,
});

export const metadataWarns = (evidence: Evidence): Outcome => ({
  kind: 'warns',
  errno: null,
  text: 'a warning in the log; the count of kexecs starts again, nothing else is affected',
  evidence,
});

export const unclaimedSubtree: Outcome = {
  kind: 'ignored',
  errno: null,
  text: 'nobody asks for it; its memory stays reserved and unclaimed',
  evidence: 'source',
};

export const unclaimedFlb: Outcome = {
  kind: 'ignored',
  errno: null,
  text: 'nobody asks for this object: it stays unclaimed, its memory reserved',
  evidence: 'source',
};
