/** One of the two kernels of a comparison: what it wrote, or what it speaks, layer by layer, and how that is known. */
import type { LayerRole } from '../../abi/behaviour/layers.js';
import { layerInfos } from '../../abi/behaviour/layers.js';
import type { Contract, Release } from '../../abi/contract.js';
import { contracts, contractsOf } from '../../abi/registry.js';
import type { Shape } from './shape.js';

export interface Part {
  /** the contract's layer, or the string without its version where no contract is known */
  readonly layer: string;
  readonly role: LayerRole;
  /** the string in memory; null where the layer has none */
  readonly compatible: string | null;
  /** layouts it may have: one where that is known, several where it can't be told, none where no contract has the string */
  readonly contracts: readonly Contract[];
  /** layouts measured in this very kernel, by the name of the structure; null where there was nothing to measure */
  readonly shapes: ReadonlyMap<string, Shape> | null;
  /** how it is known */
  readonly by: string;
  /** what a dump holds of it (`3 sessions, 12 files`); null where that isn't known */
  readonly holds: string | null;
  /** false where a dump shows that nothing of value was written in this layer */
  readonly inUse: boolean;
}

export interface Side {
  /** as the user named it */
  readonly label: string;
  readonly kind: 'release' | 'kernel file' | 'dump';
  /** what it is, in words: `release 7.1 (read in 7.1.13)` */
  readonly description: string;
  /** releases it may be: whose behaviour counts; never empty */
  readonly releases: readonly Release[];
  readonly parts: readonly Part[];
  /** structures of layers whose version could not be told, as this kernel has them: for a diff */
  readonly measured?: readonly Part[];
  /** layers that could not be told, with the reason */
  readonly unknown: ReadonlyMap<string, string>;
  /** in bytes; null where nothing says it */
  readonly pageSize: number | null;
  /** told on its command line to take over? true where nothing says otherwise */
  readonly switches: { readonly kho: boolean; readonly liveupdate: boolean; readonly why?: string };
  /** how all this is known, a sentence each */
  readonly evidence: readonly string[];
  /** what a reader must know before believing an answer: that a release is only expected */
  readonly notes?: readonly string[];
  /** what it calls scratch (abi/boot/scratch-names.ts); as in releases unless given */
  readonly scratchNames?: 'released' | 'queued';
}

/** `memfd` for `memfd-v9`: what stays the same when a version changes. */
export const familyOf = (compatible: string): string => compatible.replace(/[-_]v?\d+$/, '');

/** The layer of a string that no contract has, by what its other versions are; the family itself where there are none. */
export function layerOfString(compatible: string): string {
  const exact = contractsOf(compatible)[0];
  if (exact !== undefined) return exact.layer;
  const family = familyOf(compatible);
  return contracts.find((contract) => contract.compatible !== null && familyOf(contract.compatible) === family)?.layer ?? family;
}

export const infoOf = (layer: string) => layerInfos.find((info) => info.layer === layer) ?? null;

/** Position of a layer in the order in which the next kernel meets it; unknown ones come with the files. */
export function orderOf(layer: string): number {
  const index = layerInfos.findIndex((info) => info.layer === layer);
  return index === -1 ? layerInfos.length : index;
}

/** What a message calls the version of a part. */
export const versionOf = (part: Part | null): string | null => (part === null ? null : (part.compatible ?? part.contracts[0]?.id ?? null));

export const SWITCHED_ON: Side['switches'] = { kho: true, liveupdate: true };
