/** `abi show`: structures and whole contracts, as text for people and as JSON. Derived from the contracts alone. */
import { type Area, type Contract, type FdtNodeLayout, standingOf } from '../../abi/contract.js';
import type { FieldType, Struct } from '../../abi/layout.js';
import { type FoundStruct, releaseInfos, contractById, contractsOf, findStruct, structNames } from '../../abi/registry.js';
import { areaCapacity, areaLimit } from '../codec/area.js';
import { layoutTable, sizeOf, typeSize, PAGE_SIZES } from '../codec/layout-table.js';
import { type LayoutRow, layoutRows, typeText } from './abi-layout.js';
import { type Json, type JsonObject, pick } from './json-value.js';
import { exitReasons } from '../../abi/kvm/exits.js';
import { kvmCapabilities } from '../../abi/kvm/ioctls.js';
import { seedCapabilities, seedExitReasons } from '../../abi/kvm/seed-v13.js';
import { distance } from '../codec/near.js';
import { UserError } from '../codec/user-error.js';
import { escapeText } from './escape.js';

/** Page sizes a machine of the supported architectures can have, in bytes. */

/** Releases that speak the contract, inferred ones marked. */
export function releasesText(contract: Contract): string {
  if (contract.releases.length === 0) return contract.status === 'window' ? 'no release (merge window only)' : 'no release';
  return releaseInfos
    .filter((info) => contract.releases.includes(info.release))
    .map((info) => (info.evidence === 'inferred' ? `${info.release}*` : info.release))
    .join(' ');
}

/** One structure with everything known about it. @param pageSize in bytes */
export function structText(found: FoundStruct, pageSize: number): readonly string[] {
  const { struct } = found;
  const table = layoutTable(struct, pageSize);
  const lines = [`struct ${struct.name}: ${struct.meaning}`];
  for (const contract of found.contracts) lines.push(`  in ${contract.id}: ${releasesText(contract)}`);
  lines.push(`  source: ${struct.source}`);
  if (struct.endian === 'big') lines.push('  big-endian');
  lines.push('', ...rowsText(layoutRows(struct, pageSize)), '');
  const holes = table.holes.reduce((sum, hole) => sum + hole.size, 0);
  lines.push(
    `  size ${table.size}, ${table.fields.length} fields, ${holes === 0 ? 'no holes' : `${table.holes.length === 1 ? 'a hole' : `${table.holes.length} holes`} of ${holes} bytes`}`,
  );
  const others = PAGE_SIZES.filter((size) => sizeOf(struct, size) !== table.size);
  if (others.length > 0) lines.push(`  with other pages: ${others.map((size) => `size ${sizeOf(struct, size)} at ${size / 1024} KiB`).join(', ')}`);
  const told = found.contracts.filter((contract) => contract.discriminates !== undefined);
  for (const contract of told) lines.push(`  told from others of its string (${contract.id}): ${contract.discriminates}`);
  return lines;
}

/** The table of a structure's rows. */
function rowsText(rows: readonly LayoutRow[]): readonly string[] {
  const cells = rows.map((row) => ({
    offset: row.bits === null ? hex(row.offset) : `${hex(row.offset)}:${row.bits.low}`,
    size: row.bits === null ? String(row.size) : `${row.bits.width} bits`,
    declaration: `${'  '.repeat(row.depth)}${row.kind === 'hole' ? '(hole)' : `${row.type} ${row.name}`}`,
    meaning: row.kind === 'hole' ? '' : row.meaning,
  }));
  const head = { offset: 'offset', size: 'size', declaration: 'field', meaning: 'meaning' };
  const width = (key: 'offset' | 'size' | 'declaration') => Math.max(...[head, ...cells].map((cell) => cell[key].length));
  const [offset, size, declaration] = [width('offset'), width('size'), width('declaration')];
  return [head, ...cells].map((cell) =>
    `  ${cell.offset.padEnd(offset)}  ${cell.size.padStart(size)}  ${cell.declaration.padEnd(declaration)}  ${cell.meaning}`.trimEnd(),
  );
}

/** A whole contract: nodes and properties of an FDT, areas, structures, notes. @param pageSize in bytes */
export function contractText(contract: Contract, pageSize: number): readonly string[] {
  const lines = [
    `${contract.id}: ${contract.compatible === null ? 'no string of its own' : `compatible "${contract.compatible}"`}, layer ${contract.layer}, ${standingOf([contract])}`,
    `  spoken by: ${releasesText(contract)}`,
    `  source: ${contract.source}`,
    `  format: ${formatText(contract)}`,
  ];
  if (contract.discriminates !== undefined) lines.push(`  told from others of its string: ${contract.discriminates}`);
  for (const note of contract.notes) lines.push(`  note: ${note}`);
  if (contract.fdt !== undefined) lines.push('', '  nodes and properties', ...fdtLines(contract.fdt, 2));
  if (contract.areas !== undefined) lines.push('', '  areas', ...contract.areas.map((area) => `    ${areaText(area, pageSize)}`));
  if (contract.structs.length > 0) lines.push('', '  structures');
  for (const struct of contract.structs) lines.push(`    ${struct.name} (${sizeOf(struct, pageSize)} bytes): ${struct.meaning}`);
  return lines;
}

function formatText(contract: Contract): string {
  switch (contract.format) {
    case 'fdt':
      return 'FDT; its own words are big-endian, property values in the byte order of the machine';
    case 'struct':
      return 'structures';
    case 'opaque':
      return 'opaque: its bytes are not described';
  }
}

function fdtLines(node: FdtNodeLayout, depth: number): string[] {
  const pad = '  '.repeat(depth);
  const lines = [`${pad}${node.name === '*' ? '<any name>' : node.name}${node.optional === true ? ' (may be missing)' : ''}: ${node.meaning}`];
  for (const [name, property] of Object.entries(node.properties)) {
    const bytes = property.repeats === true ? `${typeSize(property.type)} bytes each` : `${typeSize(property.type)} bytes`;
    const type = `${typeText(property.type)}${property.repeats === true ? '[]' : ''}`;
    lines.push(`${pad}  ${name}: ${type}, ${bytes}${property.required ? '' : ' (may be missing)'}; ${property.type.meaning}`);
  }
  for (const child of node.children) lines.push(...fdtLines(child, depth + 1));
  return lines;
}

/** What an area holds. @param pageSize in bytes */
export function areaText(area: Area, pageSize: number): string {
  const capacity = areaCapacity(area, pageSize);
  const pages = area.pages === 1 ? 'a page' : `${area.pages} pages`;
  const chain = area.maxPieces === 1 ? '' : Number.isFinite(area.maxPieces) ? `, ${areaLimit(area, pageSize)} in ${area.maxPieces} of them` : ', chained';
  const full = area.whenFull === null ? '' : `; then ${area.whenFull}`;
  return `${area.name}: ${area.meaning}; ${capacity} ${area.entry.name} of ${sizeOf(area.entry, pageSize)} bytes in ${pages} of ${pageSize}${chain}${full}`;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

export function structJson(found: FoundStruct, pageSize: number): JsonObject {
  return { ...layoutJson(found.struct, pageSize), contracts: found.contracts.map(contractReference) };
}

const contractReference = (contract: Contract): JsonObject => ({
  ...pick(contract, 'id', 'compatible', 'layer', 'status'),
  date: contract.date ?? null,
  expected: contract.expected ?? null,
  releases: contract.releases,
});

function layoutJson(struct: Struct, pageSize: number): JsonObject {
  const table = layoutTable(struct, pageSize);
  return {
    ...pick(struct, 'name', 'meaning', 'source'),
    ...pick(table, 'size', 'align'),
    ...pick(struct, 'packed', 'endian'),
    fields: table.fields.map((field) => ({
      name: field.name,
      offset: field.offset,
      size: field.size,
      type: typeText(field.type, pageSize, field.offset),
      ...typeJson(field.type, pageSize),
      ...(field.bits.length === 0
        ? {}
        : {
            bits: field.bits.map(({ name, lowBit, field: bit }) => ({ name, lowBit, width: bit.width, role: bit.role, meaning: bit.meaning, ...named(bit) })),
          }),
    })),
    holes: table.holes.map((hole) => pick(hole, 'offset', 'size')),
  };
}

function typeJson(type: FieldType, pageSize: number): JsonObject {
  const base = { meaning: type.meaning };
  switch (type.kind) {
    case 'int':
      return { ...base, role: type.role, ...(type.pointsTo === undefined ? {} : { pointsTo: type.pointsTo }), ...named(type) };
    case 'nested':
      return { ...base, struct: layoutJson(type.struct, pageSize) };
    case 'array':
      return { ...base, element: typeJson(type.of, pageSize) };
    case 'union':
      return { ...base, variants: Object.fromEntries(Object.entries(type.variants).map(([name, variant]) => [name, layoutJson(variant, pageSize)])) };
    default:
      return base;
  }
}

function named(type: { readonly symbols?: Readonly<Record<string, string>>; readonly flagNames?: Readonly<Record<string, string>> }): JsonObject {
  return { ...(type.symbols === undefined ? {} : { symbols: type.symbols }), ...(type.flagNames === undefined ? {} : { flags: type.flagNames }) };
}

/** A whole contract as JSON. @param pageSize in bytes */
export function contractJson(contract: Contract, pageSize: number): JsonObject {
  return {
    ...contractReference(contract),
    format: contract.format,
    source: contract.source,
    discriminates: contract.discriminates ?? null,
    notes: contract.notes,
    structs: contract.structs.map((struct) => struct.name),
    fdt: contract.fdt === undefined ? null : fdtJson(contract.fdt),
    areas: (contract.areas ?? []).map((area) => ({
      name: area.name,
      meaning: area.meaning,
      header: area.header?.name ?? null,
      entry: area.entry.name,
      pages: area.pages,
      capacity: areaCapacity(area, pageSize),
      limit: Number.isFinite(area.maxPieces) ? areaLimit(area, pageSize) : null,
      whenFull: area.whenFull,
    })),
  };
}

function fdtJson(node: FdtNodeLayout): Json {
  return {
    name: node.name,
    meaning: node.meaning,
    required: node.optional !== true,
    properties: Object.entries(node.properties).map(([name, property]) => ({
      name,
      type: typeText(property.type),
      size: typeSize(property.type),
      repeats: property.repeats === true,
      required: property.required,
      meaning: property.type.meaning,
    })),
    children: node.children.map(fdtJson),
  };
}

interface KvmNumber {
  readonly name: string;
  /** in mainline */
  readonly number: number;
  /** in v13 09/35, where that differs; null where it is the same, or the patch does not have it */
  readonly seed: number | null;
  /** the member of kvm_run that holds the payload of an exit; null for none */
  readonly payload: string | null;
}

const capabilities: readonly KvmNumber[] = Object.entries(kvmCapabilities).map(([name, number]) => ({
  name,
  number,
  seed: seedCapabilities[name] ?? null,
  payload: null,
}));

const exits: readonly KvmNumber[] = exitReasons.map(({ name, number, payload }) => {
  const seed = seedExitReasons.find((reason) => reason.name === name)?.number ?? null;
  return { name, number, seed: seed === number ? null : seed, payload };
});

/**
 * What `wanted` names: KVM_CAP_MEMORY_FAULT_INFO, KVM_EXIT_MEMORY_FAULT; KVM_CAP or KVM_EXIT for all; KVM_CAP_232, KVM_EXIT_39 by number,
 * mainline's or the patch's. None is an empty list.
 */
export function kvmNumbers(wanted: string): readonly KvmNumber[] {
  const match = /^KVM_(CAP|EXIT)(?:_(\w+))?$/.exec(wanted.trim().toUpperCase());
  if (match === null) return [];
  const all = match[1] === 'CAP' ? capabilities : exits;
  const rest = match[2];
  if (rest === undefined) return all;
  if (/^\d+$/.test(rest)) return all.filter(({ number, seed }) => number === Number(rest) || seed === Number(rest));
  return all.filter(({ name }) => name === `KVM_${match[1]}_${rest}`);
}

export const kvmNumberText = ({ name, number, seed, payload }: KvmNumber): string =>
  `${name} = ${number}${seed === null ? '' : `; ${seed} in v13 09/35 of October 2023`}${payload === null ? '' : `; payload kvm_run.${payload}`}`;

export const kvmNumberJson = ({ name, number, seed, payload }: KvmNumber): JsonObject => ({ name, number, seedV13: seed, payload });

/**
 * Layouts that `wanted` names, the one most likely meant first.
 * @param wanted `memfd_luo_ser`, `memfd_luo_ser@memfd-v1`, `struct luo_ser`
 * @throws UserError if there is none
 */
export function structsNamed(wanted: string): readonly FoundStruct[] {
  const text = wanted.trim().replace(/^(struct|union)\s+/, '');
  const at = text.indexOf('@');
  const name = at === -1 ? text : text.slice(0, at);
  const compatible = at === -1 ? undefined : text.slice(at + 1);
  const found = findStruct(name, compatible);
  if (found.length > 0) return found;
  // A member of a union goes by its own name as well: memory_fault is kvm_run.memory_fault.
  const members = structNames().filter((known) => known.endsWith(`.${name}`));
  if (members.length > 0) return members.flatMap((member) => findStruct(member, compatible));
  const versions = findStruct(name);
  if (versions.length > 0) {
    const ids = versions.flatMap((version) => version.contracts.map((contract) => contract.id));
    throw new UserError(`no layout of struct ${escapeText(name)} in "${escapeText(compatible ?? '')}": it is in ${ids.join(', ')}`);
  }
  if (contractsNamed(name).length > 0)
    throw new UserError(`"${escapeText(name)}" is a contract, not a structure; "abi show ${escapeText(name)}" lists its structures`);
  throw new UserError(`no structure "${escapeText(name)}" is known${hint(name, structNames())}; "abi list" names all`);
}

/** Contracts by id or by compatible string; none is an empty list. */
export function contractsNamed(wanted: string): readonly Contract[] {
  const byString = contractsOf(wanted);
  if (byString.length > 0) return byString;
  const byId = contractById(wanted);
  return byId === null ? [] : [byId];
}

function hint(name: string, names: readonly string[]): string {
  const near = names.filter((other) => name.length >= 3 && (other.includes(name) || name.includes(other) || distance(name, other, 2) <= 2)).slice(0, 4);
  return near.length === 0 ? '' : ` (near: ${near.join(', ')})`;
}
