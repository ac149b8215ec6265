/** Feature words in place of a version: what a kernel writes, and when it refuses. Source: abi/feature-words/v1.ts. */
import { luoFeatureHeader } from '../../../abi/feature-words/v1.js';
import type { Struct } from '../../../abi/layout.js';
import type { EncodableStruct } from '../../codec/encode.js';
import { integerOf } from '../../codec/leaf.js';

/** Every feature that a structure's header names; null where it starts with no feature words. */
function featuresOf(struct: Struct): bigint | null {
  const { features } = struct.fields;
  if (features?.kind !== 'nested' || features.struct.name !== luoFeatureHeader) return null;
  const { supp } = features.struct.fields;
  const names = supp?.kind === 'int' ? Object.keys(supp.flagNames ?? {}) : [];
  return names.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);
}

/** The header of a structure as a kernel that knows all of them writes it; nothing where it has none. */
export function featureWords(struct: Struct): EncodableStruct<Struct> {
  const all = featuresOf(struct);
  return all === null ? {} : { features: { supp: all, req: all, active: all } };
}

/** Features that the writer requires and this kernel does not know; 0 where there are no feature words. */
export function unknownFeatures(struct: Struct, values: Readonly<Record<string, unknown>>): bigint {
  const known = featuresOf(struct);
  return known === null ? 0n : (integerOf(struct, values, 'features.req') ?? 0n) & ~known;
}
