/**
 * From one structure to those it points to: a contract says of a pointer which of its structures is there, of an area which
 * entries, and of a kho_vmalloc that pages hang on it. No decoder of its own is needed for a contract that says so.
 */
import type { Area, Contract } from '../../abi/contract.js';
import { type Struct, struct, type Tail } from '../../abi/layout.js';
import { khoVmalloc } from '../../abi/kho/vmalloc.js';
import { type Budget, currentBudget } from '../codec/budget.js';
import { decodeStruct } from '../codec/decode.js';
import { layoutTable, sizeOf } from '../codec/layout-table.js';
import { describeState, physicalAddress, readBytes } from '../memory/memory.js';
import { Node } from '../tree/node.js';
import { type Reading, readStruct } from '../tree/reading.js';
import { hex } from '../tree/words.js';
import { type Context, isOffMachine, nonsense, refer } from './context.js';
import { type VmallocArea, readVmalloc } from './vmalloc.js';

/** Structures and entries that one structure may lead to in all. */
const MAX_FOLLOWED = 1 << 14;
/** Links in a row: a vCPU leads to a control block, that to telemetry. */
const MAX_DEPTH = 6;
/** Entries of one piece that get a node each. */
const MAX_SHOWN = 4096;

interface Walk {
  readonly context: Context;
  readonly contract: Contract;
  readonly seen: Set<string>;
  readonly areas: Map<string, VmallocArea>;
  readonly budget: Budget;
  left: number;
}

/** May one more be decoded? What ends at the command's limit is told as that, and is no damage. */
function mayGoOn(walk: Walk, at: Node): boolean {
  if (!walk.budget.spend('followed', 1, at.path)) walk.left = 0;
  return walk.left-- > 0;
}

/** Notes a list that has no end. */
function endless({ context, budget }: Walk, at: Node, text: string): void {
  if (budget.left('followed') > 0) context.observations.add('block-limit', at, text, 'wrong');
}

/**
 * Reads what `reading` leads to, below its node. Only structures of the contract itself are followed.
 * @returns the vmalloc areas that hang on the structure itself, by field
 */
export function followPointers(context: Context, contract: Contract, reading: Reading): ReadonlyMap<string, VmallocArea> {
  const walk: Walk = { context, contract, seen: new Set(), left: MAX_FOLLOWED, areas: new Map(), budget: currentBudget() };
  follow(walk, reading, 0);
  return walk.areas;
}

function follow(walk: Walk, reading: Reading, depth: number): void {
  const { context } = walk;
  const values: Readonly<Record<string, unknown>> | null = reading.values;
  if (values === null || depth > MAX_DEPTH) return;
  for (const { name, type } of layoutTable(reading.struct, context.memory.pageSize).fields) {
    if (type.kind === 'nested' && type.struct.name === khoVmalloc.name) {
      const area = pagesOf(context, reading, name);
      if (area !== null && depth === 0) walk.areas.set(name, area);
      if (area !== null && type.entries !== undefined) followEntries(walk, area, type.entries, reading, name);
    }
    const value = values[name];
    if (type.kind !== 'int' || type.role !== 'phys' || typeof value !== 'bigint' || value === 0n) continue;
    if (type.ownsPage === true) followPage(context, value, reading.field(name), reading.struct);
    if (type.pointsTo === undefined) continue;
    const area = walk.contract.areas?.find((candidate) => candidate.header?.name === type.pointsTo && leadsTo(name, candidate));
    const struct = walk.contract.structs.find((candidate) => candidate.name === type.pointsTo);
    if (area !== undefined) followArea(walk, area, value, reading, name);
    else if (struct !== undefined) followStruct(walk, struct, value, reading, name, depth);
  }
  if (reading.struct.tail !== undefined) followTail(walk, reading, reading.struct.tail, depth);
}

/** What is in the pages of a list: the first of them; all of its pages have their owner already. */
function followEntries(walk: Walk, area: VmallocArea, { of, count }: { readonly of: Struct; readonly count: string }, reading: Reading, field: string): void {
  const { context } = walk;
  const size = sizeOf(of, context.memory.pageSize);
  const total = reading.integer(count) ?? 0n;
  const group = reading.node.add(new Node(`${reading.node.path}/${field}*`, field, { type: 'group', description: of.meaning }));
  let index = 0;
  for (; BigInt(index) < total && index < MAX_SHOWN && mayGoOn(walk, group); index++) {
    const offset = index * size;
    const block = area.blocks[Math.floor(offset / area.blockSize)];
    if (block === undefined) {
      const text = `${count} is ${total}, but the area holds ${index} of struct ${of.name}`;
      nonsense(context, 'block-count', reading.field(count), text);
      break;
    }
    const at = block + (offset % area.blockSize);
    const read = readStruct(context.memory, of, at, { path: `${group.path}/${index}`, name: `${of.name} ${index}` });
    group.add(read.node);
    if (read.values === null) break;
  }
  group.meaning = BigInt(index) === total ? `${total}` : `the first ${index} of ${total}`;
}

/** A page that is the structure's own: it must be preserved, and is its owner's. */
function followPage(context: Context, value: bigint, from: Node, { name }: Struct): void {
  const address = physicalAddress(value);
  if (address === null || isOffMachine(context, address)) nonsense(context, 'data-pointer', from, `${hex(value)} is not a page of this machine`);
  else refer(context, { address: address - (address % context.memory.pageSize), order: null, what: `page of ${name}`, node: from, from });
}

/** What follows a structure, as many as it counts; those past the limit are told of. */
function followTail(walk: Walk, reading: Reading, tail: Tail, depth: number): void {
  const { context } = walk;
  const count = reading.integer(tail.count) ?? 0n;
  if (reading.address === null || count === 0n) return;
  const entry = tail.of.kind === 'nested' ? tail.of.struct : { ...ONE, name: tail.name, fields: { value: tail.of } };
  const size = sizeOf(entry, context.memory.pageSize);
  const group = reading.node.group(tail.name, { description: tail.of.meaning, meaning: `${count}` });
  for (let index = 0; BigInt(index) < count; index++) {
    if (index >= MAX_TAIL || !mayGoOn(walk, group)) {
      endless(walk, reading.field(tail.count), `${reading.struct.name} counts ${count} ${tail.name}; the walk stopped after ${index}`);
      return;
    }
    const at = reading.address + sizeOf(reading.struct, context.memory.pageSize) + index * size;
    const read = readStruct(context.memory, entry, at, { path: `${group.path}/${index}`, name: `${tail.name} ${index}` });
    group.add(read.node);
    if (read.values === null) {
      const why = read.node.why ?? describeState(context.memory.stateOf(at));
      context.observations.add('data-missing', reading.field(tail.count), `${tail.name} ${index} of ${count} at ${hex(at)}: ${why}`, 'absent');
      return;
    }
    follow(walk, read, depth + 1);
  }
}

/** An integer that is alone, as a structure. */
const ONE = struct({ name: '', meaning: '', source: '', fields: {} });
/** Entries after one structure: page tables of 8 GiB in single pages. */
const MAX_TAIL = 1 << 12;

/** `iommu_domain_array_phys` leads to the area of domains; a contract with one area leads to it by any name. */
const leadsTo = (field: string, area: Area): boolean => {
  const singular = area.name.replace(/s$/, '');
  return field === area.name || field.replace(/^iommu_(?=domain|device)/, '').startsWith(singular);
};

function followStruct(walk: Walk, struct: Struct, value: bigint, from: Reading, field: string, depth: number): void {
  const { context } = walk;
  const pointer = from.field(field);
  const address = physicalAddress(value);
  if (address === null || isOffMachine(context, address)) {
    nonsense(context, 'data-pointer', pointer, `${field} is ${hex(value)}, where ${struct.name} should be`);
    return;
  }
  const key = `${struct.name} ${address}`;
  if (walk.seen.has(key) || !mayGoOn(walk, pointer)) return;
  walk.seen.add(key);
  const reading = readStruct(context.memory, struct, address, { path: `${from.node.path}/${field}*`, name: struct.name });
  from.node.add(reading.node);
  pointer.pointsTo(reading.node);
  refer(context, { address: address - (address % context.memory.pageSize), order: null, what: `struct ${struct.name}`, node: reading.node, from: pointer });
  if (reading.values === null) {
    context.observations.add(
      'data-missing',
      pointer,
      `${struct.name} at ${hex(address)}: ${reading.node.why ?? describeState(context.memory.stateOf(address))}`,
      'absent',
    );
    return;
  }
  follow(walk, reading, depth + 1);
}

/** A chain of pages of entries, by the area's header: `next` first, then the count. */
function followArea(walk: Walk, area: Area, first: bigint, from: Reading, field: string): void {
  const { context } = walk;
  const { memory } = context;
  const { header } = area;
  if (header === null) return;
  const [nextField, countField] = Object.keys(header.fields);
  const size = sizeOf(area.entry, memory.pageSize);
  const capacity = Math.floor((area.pages * memory.pageSize - sizeOf(header)) / size);
  const group = from.node.add(new Node(`${from.node.path}/${field}*`, area.name, { type: 'group', description: area.meaning }));
  let pointer = from.field(field);
  let index = 0;
  for (let next = first; next !== 0n; ) {
    const address = physicalAddress(next);
    if (address === null || address % memory.pageSize !== 0 || isOffMachine(context, address)) {
      nonsense(context, 'data-pointer', pointer, `${hex(next)} is not a page of this machine, so there is no page of ${area.name}`);
      return;
    }
    if (walk.seen.has(`${area.name} ${address}`)) {
      nonsense(context, 'block-cycle', pointer, `the page of ${area.name} at ${hex(address)} is linked a second time`);
      return;
    }
    if (!mayGoOn(walk, group)) {
      endless(walk, pointer, `more than ${MAX_FOLLOWED} structures hang on ${from.struct.name}; the walk stopped`);
      return;
    }
    walk.seen.add(`${area.name} ${address}`);
    const page = readStruct(memory, header, address, { path: `${group.path}/page/${index}`, name: `page ${index}` });
    group.add(page.node);
    pointer.pointsTo(page.node);
    refer(context, { address, order: 0, what: `page of ${area.name}`, node: page.node, from: pointer });
    if (page.values === null) {
      context.observations.add('data-missing', pointer, `the page of ${area.name} at ${hex(address)}: ${page.node.why ?? 'missing'}`, 'absent');
      return;
    }
    const count = countField === undefined ? 0n : (page.integer(countField) ?? 0n);
    if (count > BigInt(capacity)) {
      const text = `a page of ${area.name} counts ${count} entries, ${capacity} fit`;
      nonsense(context, 'block-count', page.field(countField ?? ''), text);
      return;
    }
    page.node.meaning = `${count} of ${capacity} entries`;
    for (let entry = 0; entry < Number(count) && entry < MAX_SHOWN && mayGoOn(walk, page.node); entry++) {
      const at = address + sizeOf(header) + entry * size;
      const read = readStruct(memory, area.entry, at, { path: `${page.node.path}/${entry}`, name: `${area.entry.name} ${entry}` });
      page.node.add(read.node);
      follow(walk, read, 1);
    }
    pointer = nextField === undefined ? pointer : page.field(nextField);
    next = nextField === undefined ? 0n : (page.integer(nextField) ?? 0n);
    index++;
  }
}

/** The pages of a list: each must be preserved, and is its owner's. */
function pagesOf(context: Context, reading: Reading, field: string): VmallocArea | null {
  const node = reading.field(field);
  if (node.address === null) return null;
  const read = readBytes(context.memory, node.address, sizeOf(khoVmalloc));
  return read.ok ? readVmalloc(context, decodeStruct(khoVmalloc, read.bytes), node) : null;
}
