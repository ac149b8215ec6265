/** Every rule of `diagnose`, family by family; within a family in the order in which findings of equal weight are listed. */
import type { LimitName } from '../../codec/limits.js';
import type { HandoverRule, Rule } from '../rule.js';
import { isWithin } from '../subject.js';
import { abiRules } from './abi.js';
import { blockRules } from './blocks.js';
import { deviceRules, pciBridgeRules } from './devices.js';
import { flbRules } from './flb.js';
import { khoFdtRules } from './kho-fdt.js';
import { khoMapRules } from './kho-map.js';
import { limitRule, notDecoded } from './not-decoded.js';
import { liveRules } from './live.js';
import { logRules } from './log.js';
import { khoSubtreeRules } from './kho-subtrees.js';
import { luoRules } from './luo.js';
import { memfdFolioRules } from './memfd-folios.js';
import { memfdRules } from './memfd.js';
import { momentRules } from './moments.js';
import { dmaRules } from './dma.js';
import { hwpoisonRules } from './hwpoison.js';
import { orphanVmRules } from './orphan-vm.js';
import { ownerRules } from './owners.js';
import { referenceRules } from './references.js';
import { scratchRules } from './scratch.js';
import { sessionRules } from './sessions.js';
import { sharingRules } from './sharing.js';
import { smallSubtreeRules } from './small-subtrees.js';
import { vmallocRules } from './vmalloc.js';

/** Of a tree that was read up to a limit nobody can say what it lacks. */
const TREES: readonly LimitName[] = ['fdt-items', 'fdt-text'];
const ofWholeTrees = (family: readonly HandoverRule[]): readonly HandoverRule[] =>
  family.map((rule) => ({ ...rule, check: (subject) => (isWithin(subject, TREES) ? rule.check(subject) : []) }));

export const rules: readonly Rule[] = [
  ...momentRules,
  ...abiRules,
  ...ofWholeTrees(khoFdtRules),
  ...ofWholeTrees(khoSubtreeRules),
  ...khoMapRules,
  ...luoRules,
  ...blockRules,
  ...sessionRules,
  ...memfdFolioRules,
  ...memfdRules,
  ...vmallocRules,
  ...referenceRules,
  ...sharingRules,
  ...flbRules,
  ...deviceRules,
  ...pciBridgeRules,
  ...orphanVmRules,
  ...dmaRules,
  ...hwpoisonRules,
  ...ownerRules,
  ...ofWholeTrees(smallSubtreeRules),
  ...scratchRules,
  ...liveRules,
  ...logRules,
  notDecoded,
  limitRule,
];
