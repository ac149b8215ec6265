/** 6.16 and 6.17.0 to 6.17.8: KHO alone, bitmaps of 512 bytes. Source: kernel/kexec_handover.c, 6.17.8; 6.16 inferred; a guest that received a 6.18.15 handover. */
import type { Behaviour } from './behaviour.js';
import { coldBoot, memblockAfresh, noLuo, unclaimedSubtree } from './outcomes.js';

export const behaviour617: Behaviour = {
  release: '6.17',
  source: 'kernel/kexec_handover.c, 6.17.8',
  khoVersion: coldBoot('source'),
  otherMap: {
    'kho-v1-page': {
      kind: 'corrupts',
      errno: null,
      text: 'accepts it ("found kexec handover data"), but reads only the first 512 bytes of every bitmap: most preserved pages are not reserved and get reused',
      evidence: 'lab',
    },
  },
  afterOtherMap: {
    memblock: { kind: 'taken-over', errno: null, text: 'regions whose name, size and alignment fit are revived', evidence: 'lab' },
    'kho-test': { kind: 'corrupts', errno: null, text: 'its data is gone; the subtree reads "Bad address" in debugfs', evidence: 'lab' },
  },
  memblockVersion: memblockAfresh('source'),
  noLuo: noLuo('source'),
  luo: null,
  kexecMetadata: null,
  unknownSubtree: unclaimedSubtree,
};

export const behaviour616: Behaviour = { ...behaviour617, release: '6.16', source: 'inferred from kernel/kexec_handover.c, 6.17.8' };
