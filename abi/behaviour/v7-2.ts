/** 7.2 and 7.3: LUO as a struct with block lists. Source: kernel/liveupdate, 7.2.13 and 7.3.4; guests of both. */
import type { Behaviour } from './behaviour.js';
import { coldBoot, luoPanic, memblockAfresh, metadataWarns, noLuo, openFails, unclaimedFlb, unclaimedSubtree } from './outcomes.js';

export const behaviour73: Behaviour = {
  release: '7.3',
  source: 'kernel/liveupdate, 7.3.4',
  khoVersion: coldBoot('lab'),
  otherMap: {},
  afterOtherMap: {},
  memblockVersion: memblockAfresh('source'),
  noLuo: noLuo('source'),
  luo: {
    version: luoPanic('lab'),
    sessionNode: null,
    flbNode: null,
    noFlb: null,
    handler: openFails('lab'),
    unknownFlb: unclaimedFlb,
  },
  kexecMetadata: metadataWarns('source'),
  unknownSubtree: unclaimedSubtree,
};

export const behaviour72: Behaviour = { ...behaviour73, release: '7.2', source: 'kernel/liveupdate, 7.2.13' };
