/**
 * LUO: sessions, their files and FLBs, in the struct form (7.2 and later) and the FDT form (6.19 to 7.1).
 * Source: include/linux/kho/abi/luo.h, kernel/liveupdate/luo_core.c, luo_session.c, luo_file.c, luo_flb.c, 6.19 to 7.3.
 */
import type { CStringValue, DecodedStruct } from '../../abi/layout.js';
import { filePages, luoSessionHeaderSer, sessionPages } from '../../abi/luo/areas.js';
import { luoFileSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from '../../abi/luo/entries.js';
import { contractsOf } from '../../abi/registry.js';
import { type Budget, currentBudget } from '../codec/budget.js';
import { sizeOf } from '../codec/layout-table.js';
import { physicalAddress } from '../memory/memory.js';
import { entriesAt, readBlocks } from './blocks.js';
import { type Context, isOffMachine, natureOfNonsense, refer } from './context.js';
import { hex } from '../tree/words.js';
import type { Node } from '../tree/node.js';
import { type Reading, readStruct } from '../tree/reading.js';
import { addRestOfPage } from '../tree/gaps.js';
import { type Payload, readPayload } from './payload.js';
import { uniquePart } from '../tree/path.js';

export interface LuoFile {
  readonly path: string;
  readonly token: bigint;
  readonly compatible: CStringValue;
  readonly data: bigint;
  readonly decoded: Payload | null;
  readonly reading: Reading<typeof luoFileSer>;
  readonly node: Node;
}

export interface LuoSession {
  readonly path: string;
  readonly name: CStringValue;
  /** as the session entry says; `files` may be fewer */
  readonly count: bigint;
  readonly files: readonly LuoFile[];
  /** false where the file area could not be read to its end */
  readonly complete: boolean;
  /** true where there are files, and none of them could be read */
  readonly unreadable: boolean;
  readonly reading: Reading<typeof luoSessionSer>;
  readonly node: Node;
}

export interface LuoFlb {
  readonly path: string;
  readonly name: CStringValue;
  readonly data: bigint;
  readonly count: bigint;
  readonly decoded: Payload | null;
  readonly reading: Reading<typeof luoFlbSer>;
  readonly node: Node;
}

export interface Luo {
  readonly compatible: string;
  /** true where no contract has this string, and it was read as the nearest known */
  readonly unknownVersion: boolean;
  /** null in the struct form */
  readonly sessionCompatible: string | null;
  readonly flbCompatible: string | null;
  /** null where its property is missing or damaged (FDT form) */
  readonly liveupdateNumber: bigint | null;
  /** null where the sessions' first page could not be read */
  readonly sessions: readonly LuoSession[] | null;
  /** had nothing been serialised yet when the dump was taken? */
  readonly notSerialised: boolean;
  /** null where the page could not be read; empty where none is named, as before 7.0 */
  readonly flbs: readonly LuoFlb[] | null;
  readonly node: Node;
}

/** Where a version keeps its entries: in chains of blocks, or in contiguous pages. */
export interface LuoForm {
  readonly sessions: 'blocks' | 'pages';
  readonly files: 'blocks' | 'pages';
}

/** Entries that may still be decoded: in this handover, and in the command. */
interface Left {
  entries: number;
  readonly of: Budget;
}

/** The sessions behind `pointer` (a value of a dump). Null if the first page can't be read. */
export function readSessions(context: Context, form: LuoForm, pointer: bigint, parent: Node, from: Node): readonly LuoSession[] | null {
  const group = parent.group('sessions', { description: 'sessions in the order in which they were serialised' });
  const places = form.sessions === 'blocks' ? blockEntries(context, pointer, group, from) : pageEntries(context, pointer, group, from);
  if (places === null) return null;
  const names = new Map<string, number>();
  const sessions: LuoSession[] = [];
  const budget = { entries: context.limits.entries, of: currentBudget() };
  for (const address of places) {
    if (budget.entries-- <= 0 || !budget.of.spend('entries', 1, group.path)) {
      context.observations.add('block-limit', group, `more than ${context.limits.entries} entries; the walk stopped`, 'wrong');
      break;
    }
    const session = readSession(context, form, address, group, names, budget);
    if (session !== null) sessions.push(session);
  }
  group.meaning = `${sessions.length} sessions`;
  return sessions;
}

function blockEntries(context: Context, pointer: bigint, group: Node, from: Node): readonly number[] | null {
  const chain = readBlocks(context, pointer, luoSessionSer, group, from, 'session');
  return chain.blocks.length === 0 && !chain.complete ? null : chain.blocks.flatMap((block) => block.entries);
}

function pageEntries(context: Context, pointer: bigint, group: Node, from: Node): readonly number[] | null {
  const address = physicalAddress(pointer);
  const { pageSize } = context.memory;
  if (address === null || address === 0 || address % pageSize !== 0 || isOffMachine(context, address)) {
    context.observations.add('block-pointer', from, `${hex(pointer)} is no page of this machine, so no session area stands there`, natureOfNonsense(context));
    return null;
  }
  const header = readStruct(context.memory, luoSessionHeaderSer, address, { path: `${group.path}/header`, name: 'header' });
  from.pointsTo(header.node);
  refer(context, { address, order: Math.log2(sessionPages.pages), what: 'session area', node: header.node, from });
  if (header.values === null) {
    context.observations.add('block-missing', from, `the session area at ${hex(address)}: ${header.node.why ?? 'missing'}`, 'absent');
    return null;
  }
  group.add(header.node);
  const capacity = Math.floor((sessionPages.pages * pageSize - sizeOf(luoSessionHeaderSer)) / sizeOf(luoSessionSer));
  const { count } = header.values;
  if (count > BigInt(capacity)) {
    context.observations.add('block-count', header.field('count'), `count of sessions is ${count}, the area holds ${capacity}`, natureOfNonsense(context));
  }
  if (count > BigInt(capacity) && context.released) return null;
  return entriesAt(context.memory, address + sizeOf(luoSessionHeaderSer), luoSessionSer, count, capacity);
}

function readSession(context: Context, form: LuoForm, address: number, group: Node, names: Map<string, number>, budget: Left): LuoSession | null {
  const { observations } = context;
  const peek = readStruct(context.memory, luoSessionSer, address, { path: `${group.path}/?`, name: '?' });
  if (peek.values === null) {
    observations.add('files-missing', group, `the session entry at ${hex(address)}: ${peek.node.why ?? 'missing'}`, 'absent', address);
    return null;
  }
  const { name, file_set_ser: fileSet } = peek.values;
  const seenBefore = names.get(name.text) !== undefined;
  const path = `${group.path}/${uniquePart(names, name.text)}`;
  const reading = readStruct(context.memory, luoSessionSer, address, { path, name: name.text });
  group.add(reading.node);
  checkName(context, reading, name, seenBefore);
  const countNode = reading.field('file_set_ser.count');
  const filesNode = reading.field('file_set_ser.files');
  const files = readFiles(context, form, fileSet, reading.node, filesNode, countNode, budget);
  reading.node.meaning = `${fileSet.count} files`;
  return { path, name, count: fileSet.count, files: files.files, complete: files.complete, unreadable: files.unreadable, reading, node: reading.node };
}

function checkName(context: Context, reading: Reading<typeof luoSessionSer>, name: CStringValue, seenBefore: boolean): void {
  const { observations } = context;
  const node = reading.field('name');
  if (!name.terminated) observations.add('session-name', node, 'the session name has no NUL in its 64 bytes', natureOfNonsense(context));
  else if (name.bytes.length === 0)
    observations.add('session-name', node, 'the session name is empty, which no kernel lets user space create', natureOfNonsense(context));
  if (seenBefore) observations.add('session-duplicate', node, 'a session of this name was listed before', natureOfNonsense(context));
}

function readFiles(
  context: Context,
  form: LuoForm,
  fileSet: DecodedStruct<typeof luoSessionSer>['file_set_ser'],
  session: Node,
  from: Node,
  countNode: Node,
  budget: Left,
): { files: readonly LuoFile[]; complete: boolean; unreadable: boolean } {
  const group = session.group('files', { description: 'files in the order in which they were preserved' });
  const walked = form.files === 'blocks' ? fileBlockPlaces(context, fileSet.files, group, from) : filePagePlaces(context, fileSet, group, from, countNode);
  if (walked.complete && BigInt(walked.places.length) !== fileSet.count) {
    context.observations.add('file-count', countNode, `count is ${fileSet.count}, but the file area holds ${walked.places.length}`, natureOfNonsense(context));
  }
  const files: LuoFile[] = [];
  const tokens = new Map<string, number>();
  for (const address of walked.places) {
    if (budget.entries-- <= 0 || !budget.of.spend('entries', 1, group.path)) {
      context.observations.add('block-limit', group, `more than ${context.limits.entries} entries; the walk stopped`, 'wrong');
      break;
    }
    const file = readFile(context, address, group, tokens);
    if (file !== null) files.push(file);
  }
  group.meaning = `${files.length} files`;
  const complete = walked.complete && files.length === walked.places.length;
  return { files, complete, unreadable: !complete && files.length === 0 };
}

interface Places {
  readonly places: readonly number[];
  readonly complete: boolean;
}

function fileBlockPlaces(context: Context, pointer: bigint, group: Node, from: Node): Places {
  const chain = readBlocks(context, pointer, luoFileSer, group, from, 'file');
  return { places: chain.blocks.flatMap((block) => block.entries), complete: chain.complete };
}

function filePagePlaces(context: Context, fileSet: DecodedStruct<typeof luoSessionSer>['file_set_ser'], group: Node, from: Node, countNode: Node): Places {
  const { pageSize } = context.memory;
  const address = physicalAddress(fileSet.files);
  if (fileSet.count === 0n && fileSet.files === 0n) return { places: [], complete: true };
  if (address === null || address === 0 || address % pageSize !== 0 || isOffMachine(context, address)) {
    context.observations.add(
      'block-pointer',
      from,
      `${hex(fileSet.files)} is no page of this machine, so no file area stands there`,
      natureOfNonsense(context),
    );
    return { places: [], complete: false };
  }
  refer(context, { address, order: Math.log2(filePages.pages), what: 'file area', node: group, from });
  from.pointsTo(group);
  const capacity = Math.floor((filePages.pages * pageSize) / sizeOf(luoFileSer));
  if (fileSet.count > BigInt(capacity)) {
    context.observations.add('file-count', countNode, `count is ${fileSet.count}, the file area holds ${capacity}`, natureOfNonsense(context));
    if (context.released) return { places: [], complete: false };
  }
  const places = entriesAt(context.memory, address, luoFileSer, fileSet.count, capacity);
  return { places, complete: fileSet.count <= BigInt(capacity) };
}

function readFile(context: Context, address: number, group: Node, tokens: Map<string, number>): LuoFile | null {
  const peek = readStruct(context.memory, luoFileSer, address, { path: `${group.path}/?`, name: '?' });
  if (peek.values === null) {
    context.observations.add('files-missing', group, `the file entry at ${hex(address)}: ${peek.node.why ?? 'missing'}`, 'absent', address);
    return null;
  }
  const { compatible, data, token } = peek.values;
  const tokenText = hex(token);
  const seenBefore = tokens.get(tokenText) !== undefined;
  const path = `${group.path}/${uniquePart(tokens, tokenText)}`;
  const reading = readStruct(context.memory, luoFileSer, address, { path, name: tokenText });
  group.add(reading.node);
  reading.node.meaning = compatible.text;
  if (seenBefore)
    context.observations.add('file-token-duplicate', reading.field('token'), `token ${tokenText} was listed before in this session`, natureOfNonsense(context));
  const compatibleNode = reading.field('compatible');
  if (!compatible.terminated || compatible.bytes.length === 0) {
    context.observations.add(
      'file-compatible',
      compatibleNode,
      compatible.terminated ? 'the compatible string is empty' : 'the compatible string has no NUL in its 48 bytes',
      natureOfNonsense(context),
    );
  } else if (contractsOf(compatible.text).length === 0) {
    compatibleNode.mark('unknown-version', `no contract known is called ${JSON.stringify(compatible.text)}`);
    context.observations.add(
      'handler-unknown',
      compatibleNode,
      `no handler known is called ${JSON.stringify(compatible.text)}; what it wrote is not decoded`,
      'note',
    );
  }
  const decoded = readPayload(context, compatible, data, reading.node, reading.field('data'));
  return { path, token, compatible, data, decoded, reading, node: reading.node };
}

/** The FLB page behind `pointer`. Null if it can't be read. */
export function readFlbs(context: Context, pointer: bigint, parent: Node, from: Node): readonly LuoFlb[] | null {
  const address = physicalAddress(pointer);
  const { pageSize } = context.memory;
  const group = parent.group('flbs', { description: 'file-lifecycle-bound objects' });
  if (pointer === 0n) return [];
  if (address === null || address === 0 || address % pageSize !== 0 || isOffMachine(context, address)) {
    context.observations.add('flb-missing', from, `${hex(pointer)} is no page of this machine, so no FLB page stands there`, natureOfNonsense(context));
    return null;
  }
  const header = readStruct(context.memory, luoFlbHeaderSer, address, { path: `${group.path}/header`, name: 'header' });
  from.pointsTo(header.node);
  refer(context, { address, order: 0, what: 'FLB page', node: header.node, from });
  if (header.values === null) {
    context.observations.add('flb-missing', from, `the FLB page at ${hex(address)}: ${header.node.why ?? 'missing'}`, 'absent');
    return null;
  }
  group.add(header.node);
  const capacity = Math.floor((pageSize - sizeOf(luoFlbHeaderSer)) / sizeOf(luoFlbSer));
  const { count, pgcnt } = header.values;
  if (pgcnt !== 1n) context.observations.add('flb-count', header.field('pgcnt'), `pgcnt is ${pgcnt}, always 1`, natureOfNonsense(context));
  if (count > BigInt(capacity))
    context.observations.add('flb-count', header.field('count'), `count is ${count}, the page holds ${capacity}`, natureOfNonsense(context));
  if (count > BigInt(capacity) && context.released) return null;
  const places = entriesAt(context.memory, address + sizeOf(luoFlbHeaderSer), luoFlbSer, count, capacity);
  const names = new Map<string, number>();
  const flbs: LuoFlb[] = [];
  for (const place of places) {
    const flb = readFlb(context, place, group, names);
    if (flb !== null) flbs.push(flb);
  }
  addRestOfPage(context.memory, group, address, sizeOf(luoFlbHeaderSer) + places.length * sizeOf(luoFlbSer));
  group.meaning = `${flbs.length} FLBs`;
  return flbs;
}

function readFlb(context: Context, address: number, group: Node, names: Map<string, number>): LuoFlb | null {
  const peek = readStruct(context.memory, luoFlbSer, address, { path: `${group.path}/?`, name: '?' });
  if (peek.values === null) {
    context.observations.add('flb-missing', group, `the FLB entry at ${hex(address)}: ${peek.node.why ?? 'missing'}`, 'absent', address);
    return null;
  }
  const { name, data, count } = peek.values;
  const path = `${group.path}/${uniquePart(names, name.text)}`;
  const reading = readStruct(context.memory, luoFlbSer, address, { path, name: name.text });
  group.add(reading.node);
  reading.node.meaning = `${count} references`;
  if (!name.terminated || name.bytes.length === 0) {
    context.observations.add(
      'flb-unknown',
      reading.field('name'),
      name.terminated ? 'the FLB has no name' : 'the name has no NUL in its 48 bytes',
      natureOfNonsense(context),
    );
  } else if (contractsOf(name.text).length === 0) {
    reading.field('name').mark('unknown-version', `no contract known is called ${JSON.stringify(name.text)}`);
    context.observations.add('flb-unknown', reading.field('name'), `no FLB known is called ${JSON.stringify(name.text)}; what it holds is not decoded`, 'note');
  }
  const decoded = readPayload(context, name, data, reading.node, reading.field('data'));
  return { path, name, data, count, decoded, reading, node: reading.node };
}
