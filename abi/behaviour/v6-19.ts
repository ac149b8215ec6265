/** 6.19: the first LUO; errors of deserialisation are swallowed. Source: kernel/liveupdate, 6.19.11. */
import type { Behaviour } from './behaviour.js';
import { coldBoot, luoNodePanic, luoPanic, memblockAfresh, noLuo, unclaimedFlb, unclaimedSubtree } from './outcomes.js';
import { smallBitmaps } from './v6-18.js';

export const behaviour619: Behaviour = {
  release: '6.19',
  source: 'kernel/liveupdate, 6.19.11',
  khoVersion: coldBoot('lab'),
  otherMap: { 'kho-v1-512': smallBitmaps('derived') },
  afterOtherMap: {},
  memblockVersion: memblockAfresh('source'),
  noLuo: noLuo('source'),
  luo: {
    version: luoPanic('source'),
    sessionNode: luoNodePanic('source'),
    flbNode: null,
    noFlb: { kind: 'ignored', errno: null, text: 'has no FLBs: the node is not looked at, the objects stay unclaimed', evidence: 'derived' },
    handler: {
      kind: 'retrieve-fails',
      errno: 'ENOENT',
      text: `open succeeds and the error is swallowed ("No registered handler for compatible '{from}'"): this file and what follows it were not taken over, retrieving them fails with ENOENT`,
      evidence: 'derived',
    },
    unknownFlb: unclaimedFlb,
  },
  kexecMetadata: null,
  unknownSubtree: unclaimedSubtree,
};
