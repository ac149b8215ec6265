/** Do two parts have the same layout, whatever their strings say? What a string can't tell, and a type differ doesn't ask. */
import type { Contract } from '../../abi/contract.js';
import { DEFAULT_PAGE_SIZE } from '../codec/layout-table.js';
import { compareShapes, shapeOfContract, type Shape } from './shape.js';
import type { Part } from './side.js';

export interface LayoutRelation {
  readonly relation: 'same' | 'different' | 'unknown';
  /** what differs, or why it can't be told */
  readonly why: string;
}

/** @param pageSize in bytes, of both sides */
export function compareLayouts(from: Part, to: Part, pageSize = DEFAULT_PAGE_SIZE): LayoutRelation {
  const measured = compareMeasured(from, to, pageSize);
  if (measured.relation === 'different') return measured;
  if (from.contracts.length === 0 || to.contracts.length === 0)
    return measured.relation === 'same' ? measured : { relation: 'unknown', why: 'no contract known describes it' };
  const pairs = from.contracts.flatMap((one) =>
    to.contracts.map((other) => ({ one, other, why: one.id === other.id ? '' : contractDifference(one, other, pageSize) })),
  );
  const same = pairs.filter((pair) => pair.why === '');
  if (same.length === pairs.length) return { relation: 'same', why: '' };
  if (same.length === 0) return { relation: 'different', why: pairs[0]?.why ?? '' };
  const names = [...new Set([...from.contracts, ...to.contracts].map((contract) => contract.id))];
  return { relation: 'unknown', why: `the string names ${names.join(' and ')}; which of them is meant can't be told` };
}

/** By the structures that were measured on at least one side; `unknown` where there are none. */
function compareMeasured(from: Part, to: Part, pageSize: number): LayoutRelation {
  let compared = 0;
  for (const name of new Set([...(from.shapes?.keys() ?? []), ...(to.shapes?.keys() ?? [])])) {
    const one = from.shapes?.get(name) ?? described(from, name, pageSize);
    const other = to.shapes?.get(name) ?? described(to, name, pageSize);
    if (one === null || other === null) continue;
    compared++;
    const differences = compareShapes(one, other).filter((difference) => difference.kind !== 'renamed');
    if (differences.length > 0) return { relation: 'different', why: differences.map((difference) => difference.text).join(', ') };
  }
  return compared === 0 ? { relation: 'unknown', why: 'nothing was measured' } : { relation: 'same', why: '' };
}

function described(part: Part, name: string, pageSize: number): Shape | null {
  const struct = part.contracts.flatMap((contract) => contract.structs).find((candidate) => candidate.name === name);
  return struct === undefined ? null : shapeOfContract(struct, pageSize);
}

/** What differs between two contracts: structures, the FDT's properties, areas; '' where nothing does. */
export function contractDifference(one: Contract, other: Contract, pageSize = DEFAULT_PAGE_SIZE): string {
  const found: string[] = [];
  for (const struct of one.structs) {
    const twin = other.structs.find((candidate) => candidate.name === struct.name);
    if (twin === undefined) found.push(`struct ${struct.name} is gone`);
    else
      found.push(
        ...compareShapes(shapeOfContract(struct, pageSize), shapeOfContract(twin, pageSize))
          .filter((difference) => difference.kind !== 'renamed')
          .map((difference) => difference.text),
      );
  }
  for (const struct of other.structs) if (!one.structs.some((candidate) => candidate.name === struct.name)) found.push(`struct ${struct.name} is new`);
  if (one.format !== other.format) found.push(`${one.format} against ${other.format}`);
  if (one.fdt !== undefined && other.fdt !== undefined) found.push(...fdtDifferences(one.fdt, other.fdt));
  const areas = (contract: Contract): string =>
    (contract.areas ?? []).map((area) => `${area.name} in ${area.maxPieces > 1 ? 'chained blocks' : `${area.pages} pages`}`).join(', ');
  if (areas(one) !== areas(other)) found.push(`${areas(one)} against ${areas(other)}`);
  return found.join(', ');
}

type FdtNode = NonNullable<Contract['fdt']>;

function fdtDifferences(one: FdtNode, other: FdtNode): readonly string[] {
  const found: string[] = [];
  const where = one.name === '/' ? 'the root' : `node ${one.name}`;
  for (const name of new Set([...Object.keys(one.properties), ...Object.keys(other.properties)])) {
    const [left, right] = [one.properties[name], other.properties[name]];
    if (left === undefined) found.push(`${where} has ${name}`);
    else if (right === undefined) found.push(`${where} has no ${name}`);
    else if (name !== 'compatible' && propertyText(left) !== propertyText(right))
      found.push(`${name} of ${where} is ${propertyText(left)} against ${propertyText(right)}`);
  }
  for (const child of one.children) {
    const twin = other.children.find((candidate) => candidate.name === child.name);
    if (twin === undefined) found.push(`${where} has no node ${child.name}`);
    else found.push(...fdtDifferences(child, twin));
  }
  for (const child of other.children) if (!one.children.some((candidate) => candidate.name === child.name)) found.push(`${where} has a node ${child.name}`);
  return found;
}

function propertyText(property: FdtNode['properties'][string]): string {
  const { type } = property;
  const text = type.kind === 'nested' ? `struct ${type.struct.name}` : type.kind === 'int' ? `u${type.bytes * 8}` : type.kind;
  return property.repeats === true ? `a list of ${text}` : text;
}
