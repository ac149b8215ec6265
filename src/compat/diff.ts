/** Two sets of layouts side by side, field by field: releases, contracts, single structures, dumps, kernels. For `abi diff`. */
import type { Contract } from '../../abi/contract.js';
import { DEFAULT_PAGE_SIZE } from '../codec/layout-table.js';
import { compareLayouts, contractDifference } from './same-layout.js';
import { sameShape, type Shape, type ShapeField, shapeOfContract } from './shape.js';
import { orderOf, type Part, type Side, versionOf } from './side.js';
import type { CompatRemark } from './verdict.js';

type Change = 'same' | 'changed' | 'only-a' | 'only-b';

export interface FieldDiff {
  readonly name: string;
  /** null where the side has no such field */
  readonly a: ShapeField | null;
  readonly b: ShapeField | null;
  readonly change: Change;
}

export interface StructDiff {
  readonly name: string;
  readonly change: Change;
  /** in bytes; null where the side has no such structure */
  readonly sizeA: number | null;
  readonly sizeB: number | null;
  readonly fields: readonly FieldDiff[];
}

export interface LayerDiff {
  readonly layer: string;
  /** versions; null where the side has none */
  readonly a: string | null;
  readonly b: string | null;
  readonly change: Change;
  readonly structs: readonly StructDiff[];
  /** what is no field: nodes, properties, areas */
  readonly other: readonly string[];
}

export interface AbiDiff {
  readonly a: string;
  readonly b: string;
  readonly layers: readonly LayerDiff[];
  readonly findings: readonly CompatRemark[];
}

/** One side of a diff: its layers, or only a structure of them. */
export interface DiffOperand {
  readonly label: string;
  readonly parts: readonly Part[];
  readonly pageSize: number | null;
  /** only this structure is compared */
  readonly only: string | null;
}

export const operandOfSide = ({ label, parts, measured = [], pageSize }: Side): DiffOperand => ({
  label,
  parts: [...parts, ...measured],
  pageSize,
  only: null,
});

/** @param only a structure's name, or null for all */
export const operandOfContracts = (label: string, contracts: readonly Contract[], only: string | null): DiffOperand => ({
  label,
  parts: contracts.map((contract) => ({
    layer: contract.layer,
    role: 'subtree',
    compatible: contract.compatible,
    contracts: [contract],
    shapes: null,
    by: contract.source,
    holds: null,
    inUse: true,
  })),
  pageSize: null,
  only,
});

/** Parts are paired by layer and string, then (but for FLBs) by layer alone; what one side lacks stands alone. */
export function diffAbi(a: DiffOperand, b: DiffOperand): AbiDiff {
  const pageSize = a.pageSize ?? b.pageSize ?? DEFAULT_PAGE_SIZE;
  const only = a.only ?? b.only;
  const pairs = only === null ? pairUp(a.parts, b.parts) : [pairOfStruct(a, b, only)];
  const layers: LayerDiff[] = [];
  const findings: CompatRemark[] = [];
  const shown = new Set<string>();
  for (const [one, other] of pairs) {
    const layer = layerDiff(one, other, pageSize, only, shown);
    layers.push(layer);
    const finding = one === null || other === null ? null : remark(one, other, layer, pageSize);
    if (finding !== null) findings.push(finding);
  }
  return { a: a.label, b: b.label, layers, findings };
}

type Pair = readonly [Part | null, Part | null];

/** By string, then by layer; where each side has one part only, these two. */
function pairUp(a: readonly Part[], b: readonly Part[]): readonly Pair[] {
  const [onlyA, onlyB] = [a[0], b[0]];
  if (a.length === 1 && b.length === 1 && onlyA !== undefined && onlyB !== undefined) return [[onlyA, onlyB]];
  const rest = [...b];
  const take = (test: (part: Part) => boolean): Part | null => {
    const index = rest.findIndex(test);
    return index === -1 ? null : (rest.splice(index, 1)[0] ?? null);
  };
  const byString = new Map(a.map((part) => [part, take((other) => other.layer === part.layer && other.compatible === part.compatible)]));
  const pairs: Pair[] = a.map((part) => [part, byString.get(part) ?? take((other) => other.layer === part.layer && part.role !== 'flb')]);
  pairs.push(...rest.map((part): Pair => [null, part]));
  return pairs.sort((one, other) => orderOf((one[0] ?? one[1])?.layer ?? '') - orderOf((other[0] ?? other[1])?.layer ?? ''));
}

/** The parts that have the structure. */
function pairOfStruct(a: DiffOperand, b: DiffOperand, name: string): Pair {
  const having = (operand: DiffOperand): Part | null =>
    operand.parts.find((part) => part.shapes?.has(name) === true || described(part, name) !== undefined) ?? null;
  return [having(a), having(b)];
}

const described = (part: Part, name: string) => part.contracts[0]?.structs.find((struct) => struct.name === name);

/** The structures of a part: measured where a kernel was at hand, else as its contract has them. */
function shapesOf(part: Part | null, pageSize: number): ReadonlyMap<string, Shape> {
  const found = new Map<string, Shape>();
  if (part === null) return found;
  for (const struct of part.contracts[0]?.structs ?? []) found.set(struct.name, shapeOfContract(struct, pageSize));
  for (const [name, shape] of part.shapes ?? []) found.set(name, shape);
  return found;
}

/** @param shown structures already listed with an earlier layer: kho_vmalloc is part of several */
function layerDiff(a: Part | null, b: Part | null, pageSize: number, only: string | null, shown: Set<string>): LayerDiff {
  const [left, right] = [shapesOf(a, pageSize), shapesOf(b, pageSize)];
  const structs: StructDiff[] = [];
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    if (only === null ? shown.has(name) : name !== only) continue;
    shown.add(name);
    structs.push(structDiff(name, left.get(name) ?? null, right.get(name) ?? null));
  }
  const other = only === null ? otherDifferences(a, b, pageSize) : [];
  const versions = { a: labelOf(a), b: labelOf(b) };
  const changed = structs.some((struct) => struct.change !== 'same') || other.length > 0 || (only === null && versions.a !== versions.b);
  return {
    layer: (a ?? b)?.layer ?? only ?? '',
    ...versions,
    change: a === null ? 'only-b' : b === null ? 'only-a' : changed ? 'changed' : 'same',
    structs,
    other,
  };
}

/** The string; the contract's id where the string names several. */
function labelOf(part: Part | null): string | null {
  if (part === null) return null;
  const ids = part.contracts.map((contract) => contract.id);
  const version = versionOf(part);
  if (version === null) return 'as measured';
  return ids.length === 0 || (ids.length === 1 && ids[0] === version) ? version : `${version} (${ids.join(' or ')})`;
}

function otherDifferences(a: Part | null, b: Part | null, pageSize: number): readonly string[] {
  const [one, other] = [a?.contracts[0], b?.contracts[0]];
  if (one === undefined || other === undefined || one === other) return [];
  const bare = (contract: Contract): Contract => ({ ...contract, structs: [] });
  const text = contractDifference(bare(one), bare(other), pageSize);
  return text === '' ? [] : [text];
}

function structDiff(name: string, a: Shape | null, b: Shape | null): StructDiff {
  const fields: FieldDiff[] = [];
  const rest = [...(b?.fields ?? [])];
  for (const field of a?.fields ?? []) {
    const index = rest.findIndex((other) => other.name === field.name);
    const twin = index === -1 ? null : (rest.splice(index, 1)[0] ?? null);
    fields.push({ name: field.name, a: field, b: twin, change: twin === null ? 'only-a' : samePlace(field, twin) ? 'same' : 'changed' });
  }
  for (const field of rest) fields.push({ name: field.name, a: null, b: field, change: 'only-b' });
  const at = (field: FieldDiff): number => (field.a ?? field.b)?.bitOffset ?? 0;
  fields.sort((one, other) => at(one) - at(other));
  const same = a !== null && b !== null && sameShape(a, b);
  return { name, change: a === null ? 'only-b' : b === null ? 'only-a' : same ? 'same' : 'changed', sizeA: a?.size ?? null, sizeB: b?.size ?? null, fields };
}

const samePlace = (one: ShapeField, other: ShapeField): boolean => one.bitOffset === other.bitOffset && one.bits === other.bits;

/** A layout that changed and its string did not, or the other way round. */
function remark(a: Part, b: Part, layer: LayerDiff, pageSize: number): CompatRemark | null {
  if (a.compatible === null || b.compatible === null) return null;
  const layout = compareLayouts(a, b, pageSize);
  const common = { layer: layer.layer, suppressed: null };
  if (a.compatible === b.compatible && layout.relation === 'different')
    return { ...common, rule: 'compat/layout-changed', severity: 'error', message: `both say ${a.compatible}, and the layout is not the same: ${layout.why}` };
  if (a.compatible !== b.compatible && layout.relation === 'same')
    return { ...common, rule: 'compat/string-changed', severity: 'info', message: `${a.compatible} became ${b.compatible}, and no layout known changed` };
  return null;
}
