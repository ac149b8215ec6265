/** 7.1: radix tree, LUO still an FDT; a file that can't be taken over makes open fail. Source: kernel/liveupdate, 7.1.13; guests of 7.1.13. */
import type { Behaviour } from './behaviour.js';
import { coldBoot, luoNodePanic, luoPanic, memblockAfresh, metadataWarns, noLuo, openFails, unclaimedFlb, unclaimedSubtree } from './outcomes.js';

export const behaviour71: Behaviour = {
  release: '7.1',
  source: 'kernel/liveupdate, 7.1.13',
  khoVersion: coldBoot('lab'),
  otherMap: {},
  afterOtherMap: {},
  memblockVersion: memblockAfresh('source'),
  noLuo: noLuo('source'),
  luo: {
    version: luoPanic('source'),
    sessionNode: luoNodePanic('source'),
    flbNode: luoNodePanic('derived'),
    noFlb: null,
    handler: openFails('source'),
    unknownFlb: unclaimedFlb,
  },
  kexecMetadata: metadataWarns('source'),
  unknownSubtree: unclaimedSubtree,
};
