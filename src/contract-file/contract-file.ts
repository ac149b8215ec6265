/**
 * Contracts that a user describes: a YAML file of versions that no contract of abi/ knows, with their structures in the same language,
 * as data. For `--contract`. The tables below make the parser, samples/contract.schema.json and docs/contracts.md.
 */
import { type Area, type Contract, type Layer, contract as described } from '../../abi/contract.js';
import { KHO_MAX_BLOCKS } from '../../abi/kho/block.js';
import type { Struct } from '../../abi/layout.js';
import { khoV4 } from '../../abi/kho/v4.js';
import { findStruct, releaseOf, releases } from '../../abi/registry.js';
import { areaCapacity } from '../codec/area.js';
import { layoutTable } from '../codec/layout-table.js';
import { type Cursor, openYaml } from '../engine/scenario/cursor.js';
import { mapping, optional, readKeys, required, schemaOfKeys, withDefault } from '../engine/scenario/keys.js';
import { type JsonSchema, bool, listOf, number, oneOf, text, type ValueType } from '../engine/scenario/values.js';
import { type FindStruct, field, named } from './fields.js';

const CONTRACT_SCHEMA = 'luo-inspect.contract/1';

/** Layers whose structures can be described, in the order of a handover. */
const LAYERS = [
  'kho',
  'luo',
  'memfd',
  'vfio-pci',
  'kvm-vm',
  'guest-memfd',
  'kvm-vcpu',
  'handler',
  'pci',
  'iommu',
  'hugetlb',
  'flb',
] as const satisfies readonly Layer[];

export const structKeys = {
  meaning: withDefault(text, 'what the structure is, in one line', '', ''),
  packed: withDefault(bool, 'without the holes that C puts between fields', true, 'true'),
  fields: required(named(field, 'fields'), 'in memory order'),
};

export const areaKeys = {
  header: optional(text, 'structure at the start of every piece; none: the entries are counted elsewhere'),
  entry: required(text, 'structure of one entry'),
  pages: withDefault(number(1, 1024), 'pages of one piece', 1, '1'),
  chained: withDefault(bool, 'are pieces chained by the `next` of their header?', false, 'false'),
};

export const contractKeys = {
  layer: required(oneOf(LAYERS), 'what it is the contract of; `handler`: of files of a handler of your own, `flb`: of an object of your own'),
  compatible: required(text, 'the string in memory, like `luo-v6`'),
  since: optional(text, 'the first release that speaks it'),
  source: withDefault(text, 'where this was read', '', ''),
  notes: withDefault(listOf(text), 'what is worth telling a reader', [], ''),
  structs: withDefault(
    named(mapping(structKeys, 'a structure'), 'structures'),
    'by the kernel’s names; the first is the one that the string or the pointer leads to',
    new Map(),
    '',
  ),
  areas: withDefault(named(mapping(areaKeys, 'an area'), 'areas'), '`luo` alone: where `sessions`, `files` and `flbs` are listed', new Map(), ''),
};

const schemaWord: ValueType<string> = oneOf([CONTRACT_SCHEMA]);

export const fileKeys = {
  schema: required(schemaWord, 'which form this file has'),
  contracts: required(listOf(mapping(contractKeys, 'a contract')), 'one for each string'),
};

/** What an editor checks a file against. */
export const contractJsonSchema = (): JsonSchema => ({ $schema: 'http://json-schema.org/draft-07/schema#', title: CONTRACT_SCHEMA, ...schemaOfKeys(fileKeys) });

/**
 * The contracts in `source`. @param file as messages name it
 * @throws UserError with line and column where it is not YAML, not of this form, or its layouts are impossible
 */
export function parseContractFile(source: string, file: string): readonly Contract[] {
  const root = openYaml(source, file, { noun: 'contract file', schema: CONTRACT_SCHEMA });
  const values = readKeys(root, fileKeys, 'a contract file');
  const cursors = root.entries()?.get('contracts')?.value.items() ?? [];
  const before = new Map<string, Struct>();
  return values.contracts.map((one, index) => {
    const made = contractOf(one, cursors[index] ?? root, file, before);
    for (const struct of made.structs) if (!before.has(struct.name)) before.set(struct.name, struct);
    return made;
  });
}

type Source = ReturnType<(typeof fileKeys)['contracts']['read']>[number];

/** Structures by name. */
type Structs = ReadonlyMap<string, Struct>;

/** @param before structures of the contracts above it in the file, which it may name */
function contractOf(source: Source, cursor: Cursor, file: string, before: Structs): Contract {
  const at = (key: string): Cursor => cursor.entries()?.get(key)?.value ?? cursor;
  if (!/^[\x21-\x7e]{1,47}$/.test(source.compatible)) throw at('compatible').error('a compatible string has 1 to 47 printable characters, and no space');
  const since = source.since === null ? null : releaseOf(source.since);
  if (source.since !== null && since === null)
    throw at('since').error(`${source.since} is no release known; known are ${releases.join(', ')}, or leave it out`);
  const structs = structsOf(source, at('structs'), file, before);
  const areaCursors = at('areas').entries();
  const areas = [...source.areas].map(([name, area]) => areaOf(name, area, structs, before, areaCursors?.get(name)?.value ?? cursor));
  const isRoot = source.layer === 'kho';
  return {
    ...described({
      layer: source.layer,
      id: `${source.compatible} (${file})`,
      compatible: source.compatible,
      // Of KHO the structures alone can be others; the root FDT and the map are the newest's.
      ...(isRoot ? { format: khoV4.format, fdt: khoV4.fdt, map: khoV4.map } : { format: structs.size === 0 ? 'opaque' : 'struct' }),
      structs: unique([
        ...structs.values(),
        ...areas.flatMap((area) => [area.header, area.entry]).filter((struct) => struct !== null),
        ...(isRoot ? khoV4.structs.filter(({ name }) => !structs.has(name)) : []),
      ]),
      areas,
      status: 'own',
      source: source.source === '' ? file : source.source,
      notes: source.notes,
    }),
    ...(since === null ? {} : { since, releases: releases.slice(releases.indexOf(since)) }),
  };
}

const unique = <T>(items: readonly T[]): readonly T[] => [...new Set(items)];

/** Structures within structures: more than any contract has. */
const MAX_DEPTH = 64;

/** Own structures by name; others that fields name are those of the contracts above in the file, or of the newest that has them. */
function structsOf(source: Source, cursor: Cursor, file: string, before: Structs): Structs {
  const made = new Map<string, Struct>();
  const open = new Set<string>();
  const find: FindStruct = (name, from) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const own = source.structs.get(name);
    if (own === undefined) return knownStruct(name, before, from);
    if (open.has(name)) throw from.error(`struct ${name} contains itself`);
    if (open.size >= MAX_DEPTH) throw from.error(`struct ${name} is more than ${MAX_DEPTH} structures deep`);
    open.add(name);
    const fields = Object.fromEntries([...own.fields].map(([field_, type]) => [field_, type(find)]));
    const struct: Struct = {
      kind: 'struct',
      name,
      meaning: own.meaning,
      source: source.source === '' ? file : source.source,
      packed: own.packed,
      endian: 'little',
      fields,
    };
    try {
      layoutTable(struct);
    } catch (error) {
      throw (cursor.entries()?.get(name)?.value ?? cursor).error(error instanceof Error ? error.message : String(error));
    }
    made.set(name, struct);
    return struct;
  };
  for (const name of source.structs.keys()) find(name, cursor);
  return new Map([...source.structs.keys()].flatMap((name) => (made.has(name) ? [[name, find(name, cursor)] as const] : [])));
}

function knownStruct(name: string, before: Structs, cursor: Cursor): Struct {
  const found = before.get(name) ?? findStruct(name)[0]?.struct;
  if (found === undefined)
    throw cursor.error(`${JSON.stringify(name)} is no type: neither an integer nor a structure of this contract or of \`luo-inspect abi list\``);
  return found;
}

function areaOf(name: string, source: Source['areas'] extends ReadonlyMap<string, infer A> ? A : never, own: Structs, before: Structs, cursor: Cursor): Area {
  const struct = (called: string, key: string): Struct => own.get(called) ?? knownStruct(called, before, cursor.entries()?.get(key)?.value ?? cursor);
  const area: Area = {
    name,
    meaning: name,
    header: source.header === null ? null : struct(source.header, 'header'),
    entry: struct(source.entry, 'entry'),
    pages: source.pages,
    maxPieces: source.chained ? KHO_MAX_BLOCKS : 1,
    whenFull: null,
  };
  if (source.chained && area.header === null)
    throw cursor.error('pieces are chained by their header: name one with `next` and `count`, like kho_block_header_ser');
  if (areaCapacity(area) < 1) throw cursor.error(`no entry of struct ${area.entry.name} fits its pages`);
  return area;
}
