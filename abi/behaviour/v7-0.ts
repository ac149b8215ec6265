/** 7.0: FLBs. Its source was not read: error paths are those of 7.1, and said to be unverified. */
import type { Behaviour } from './behaviour.js';
import { coldBoot, luoNodePanic, luoPanic, memblockAfresh, noLuo, unclaimedFlb, unclaimedSubtree } from './outcomes.js';
import { smallBitmaps } from './v6-18.js';

export const behaviour70: Behaviour = {
  release: '7.0',
  source: "inferred from kernel/liveupdate, 6.19.11 and 7.1.13; 7.0's own error paths were not read",
  khoVersion: coldBoot('unverified'),
  otherMap: { 'kho-v1-512': smallBitmaps('unverified') },
  afterOtherMap: {},
  memblockVersion: memblockAfresh('unverified'),
  noLuo: noLuo('unverified'),
  luo: {
    version: luoPanic('unverified'),
    sessionNode: luoNodePanic('unverified'),
    flbNode: luoNodePanic('unverified'),
    noFlb: null,
    handler: {
      kind: 'unknown',
      errno: null,
      text: 'unknown, because it was not verified whether open() of 7.0 fails with EIO as in 7.1 or swallows the error as in 6.19',
      evidence: 'unverified',
    },
    unknownFlb: unclaimedFlb,
  },
  kexecMetadata: null,
  unknownSubtree: unclaimedSubtree,
};
