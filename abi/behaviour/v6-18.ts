/** 6.17.9 and later, and 6.18: KHO alone, bitmaps of a page. Source: kernel/kexec_handover.c, 6.18.15; 6.17.9 inferred; guests that received 6.17.8 handovers. */
import type { Behaviour, Evidence, Outcome } from './behaviour.js';
import { coldBoot, memblockAfresh, noLuo, unclaimedSubtree } from './outcomes.js';

/** What a kernel with bitmaps of a page does with bitmaps of 512 bytes. */
export const smallBitmaps = (evidence: Evidence): Outcome => ({
  kind: 'panic',
  errno: null,
  text: 'accepts the same string, reads past every bitmap and reserves wrong memory: it dies before its console speaks, and the machine resets into a cold boot',
  evidence,
});

export const behaviour618: Behaviour = {
  release: '6.18',
  source: 'kernel/kexec_handover.c, 6.18.15',
  khoVersion: coldBoot('source'),
  otherMap: { 'kho-v1-512': smallBitmaps('lab') },
  afterOtherMap: {},
  memblockVersion: memblockAfresh('source'),
  noLuo: noLuo('source'),
  luo: null,
  kexecMetadata: null,
  unknownSubtree: unclaimedSubtree,
};

export const behaviour6179: Behaviour = {
  ...behaviour618,
  release: '6.17.9',
  source: 'inferred from kernel/kexec_handover.c, 6.18.15',
  otherMap: { 'kho-v1-512': smallBitmaps('derived') },
};
