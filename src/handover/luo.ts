/**
 * LUO: sessions, their files and FLBs. Which structures hold them, in chains of blocks or in contiguous pages, is the contract's to say.
 * Source: include/linux/kho/abi/luo.h, kernel/liveupdate/luo_core.c, luo_session.c, luo_file.c, luo_flb.c, 6.19 to 7.3.
 */
import type { Area, Contract } from '../../abi/contract.js';
import type { CStringValue, Struct } from '../../abi/layout.js';
import { areaOf } from '../codec/area.js';
import { Budget, currentBudget, withBudget } from '../codec/budget.js';
import { integerOf, leafOf, textOf } from '../codec/leaf.js';
import { lazyList, uniquePart } from '../tree/tree.js';
import { Node } from '../tree/node.js';
import type { FileLife, LuoSource, SessionLife } from './life.js';
import { type Reading, readStruct } from '../tree/reading.js';
import { counted, hex } from '../tree/words.js';
import { type Context, contractsNamed, nonsense, type Reference } from './context.js';
import { type Entries, type Piece, readEntries } from './entries.js';
import { Observations } from './observe.js';
import { type Payload, readPayload } from './payload.js';
import { type PlainBlocks, plainBlocks } from './plain.js';

export interface LuoFile {
  readonly path: string;
  readonly token: bigint;
  readonly compatible: CStringValue;
  readonly data: bigint;
  readonly decoded: Payload | null;
  /** struct luo_file_ser, as its contract has it */
  readonly reading: Reading;
  readonly node: Node;
  /** what the running kernel's object of it says, where there is one */
  readonly life?: FileLife;
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
  /** where its files are listed; null where no contract says how */
  readonly entries: Entries | null;
  /** struct luo_session_ser, as its contract has it */
  readonly reading: Reading;
  readonly node: Node;
  readonly life?: SessionLife;
}

export interface LuoFlb {
  readonly path: string;
  readonly name: CStringValue;
  readonly data: bigint;
  readonly count: bigint;
  readonly decoded: Payload | null;
  /** struct luo_flb_ser, as its contract has it */
  readonly reading: Reading;
  readonly node: Node;
}

export interface Luo {
  /** '' where only objects tell of it */
  readonly compatible: string;
  /** what it was read by; null where no contract has this string, and the nearest known was tried */
  readonly contract: Contract | null;
  /** `serialised` unless given */
  readonly source?: LuoSource;
  /** null in the struct form */
  readonly sessionCompatible: string | null;
  readonly flbCompatible: string | null;
  /** null where its property is missing or damaged (FDT form) */
  readonly liveupdateNumber: bigint | null;
  /** null where the sessions' first page could not be read */
  readonly sessions: readonly LuoSession[] | null;
  /** where the sessions are listed; null where nothing was serialised, or no contract says how */
  readonly entries: Entries | null;
  /** had nothing been serialised yet when the dump was taken? */
  readonly notSerialised: boolean;
  /** null where the page could not be read; empty where none is named, as before 7.0 */
  readonly flbs: readonly LuoFlb[] | null;
  readonly flbEntries: Entries | null;
  readonly node: Node;
}

/** Were all sessions read that are listed? Those of a running kernel's objects are. */
export const isWhole = ({ entries, sessions }: Luo): boolean => entries === null || (entries.complete && sessions?.length === entries.places.length);

/** Sessions of a long list that were checked in bulk. */
export interface PlainSessions extends Omit<PlainBlocks, 'pieces'> {
  /** the others, decoded; the first and the last block of the list always are */
  readonly kept: readonly LuoSession[];
  /** the blocks of plain sessions, physical */
  readonly blocks: ReadonlySet<number>;
  /** the pages that their structures point to; decoded for it */
  references(): Iterable<Reference>;
}

const known = new WeakMap<readonly LuoSession[], PlainSessions>();

/** The plain sessions of a list; null where all of it is decoded. */
export const plainIn = (luo: Luo | null): PlainSessions | null => (luo?.sessions == null ? null : (known.get(luo.sessions) ?? null));

/** What structures of the handover point to, those of plain sessions included. */
export function* allReferences({ references, luo }: { readonly references: readonly Reference[]; readonly luo: Luo | null }): Iterable<Reference> {
  yield* references;
  yield* plainIn(luo)?.references() ?? [];
}

/** The handover with those sessions alone of which there may be something to say: for checks. */
export function withoutPlain<H extends { readonly luo: Luo | null }>(handover: H): H {
  const plain = plainIn(handover.luo);
  if (plain === null || handover.luo === null) return handover;
  const made = { ...handover, luo: { ...handover.luo, sessions: plain.kept } };
  others.set(made, plain);
  return made;
}

const others = new WeakMap<object, PlainSessions>();

/** What `withoutPlain` took away from this handover; null where it took nothing. */
export const takenAway = (handover: object): PlainSessions | null => others.get(handover) ?? null;

export interface ReadList<T> {
  /** null where nothing could be read */
  readonly list: readonly T[] | null;
  readonly entries: Entries | null;
}

/** Without these fields an entry says nothing. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  sessions: ['name', 'file_set_ser.files'],
  files: ['compatible', 'data', 'token'],
  flbs: ['name', 'data', 'count'],
};

/** The area of that name, or null with an observation where the contract has none that can be followed. */
function usableArea(context: Context, contract: Contract, name: 'sessions' | 'files' | 'flbs', group: Node): Area | null {
  const area = areaOf(contract, name);
  const lacks = (struct: Struct, names: readonly string[]): readonly string[] =>
    names.filter((field) => leafOf(struct, field, context.memory.pageSize) === null).map((field) => `${struct.name}.${field}`);
  const header = area?.header ?? null;
  const missing =
    area === null
      ? [`an area of ${name}`]
      : [...(header === null ? [] : lacks(header, area.maxPieces > 1 ? ['next', 'count'] : ['count'])), ...lacks(area.entry, NEEDED[name] ?? [])];
  if (missing.length === 0) return area;
  context.observations.add('layout-incomplete', group, `${contract.id} has no ${missing.join(', no ')}: its ${name} are not decoded`, 'note');
  group.mark('unknown-version', `${contract.id} has no ${missing.join(', no ')}`);
  return null;
}

/** The sessions that `pointer` points to (a value of a dump). */
export function readSessions(context: Context, contract: Contract, pointer: bigint, parent: Node, from: Node): ReadList<LuoSession> {
  const group = parent.group('sessions', { description: 'sessions in the order in which they were serialised' });
  const area = usableArea(context, contract, 'sessions', group);
  if (area === null) return { list: null, entries: null };
  const entries = readEntries(context, area, pointer, { parent: group, from, what: 'session' });
  if (entries.pieces.length === 0 && !entries.complete) return { list: null, entries };
  const plain = plainBlocks(context, contract, area, entries);
  // Where sessions are made when they are asked for, so are their nodes.
  const shown = plain === null ? group : new Node(group.path, group.name);
  const names = new Map<string, number>();
  const kept: LuoSession[] = [];
  const parts: Part[] = [];
  const budget = currentBudget();
  const readAll = (places: readonly number[]): boolean => {
    for (const address of places) {
      if (!budget.spend('entries', 1, group.path)) return false;
      const session = readSession(context, contract, area.entry, address, shown, names, budget);
      if (session !== null) kept.push(session);
    }
    return true;
  };
  for (const piece of entries.pieces) {
    const isPlain = plain?.pieces.has(piece) === true;
    const first = kept.length;
    const goesOn = isPlain || readAll(piece.entries);
    parts.push({ piece, first, length: isPlain ? piece.entries.length : kept.length - first, isPlain });
    if (!goesOn) break;
  }
  const made = new PlainParts(context, contract, area.entry, group, parts);
  const sessions = plain === null ? kept : made.list(kept);
  if (plain !== null) {
    const blocks = new Set(parts.flatMap(({ piece, isPlain }) => (isPlain ? [piece.address] : [])));
    const { sessions: count, files, claimed, folios } = plain;
    known.set(sessions, { sessions: count, files, claimed, folios, kept, blocks, references: () => made.references() });
    group.follow(lazyList(sessions.length, (index) => sessions[index]?.node ?? shown));
  }
  group.meaning = counted(sessions.length, 'session');
  return { list: sessions, entries };
}

/** The sessions of one block in the list of all. */
interface Part {
  readonly piece: Piece;
  /** of those that are kept: the place of its first */
  readonly first: number;
  readonly length: number;
  readonly isPlain: boolean;
}

/** Blocks of plain sessions that are held decoded. */
const HELD_BLOCKS = 4;

interface ReadPart {
  readonly sessions: readonly LuoSession[];
  readonly references: readonly Reference[];
}

/** Plain sessions, which are decoded by the block when they are asked for. */
class PlainParts {
  readonly #context: Context;
  readonly #contract: Contract;
  readonly #struct: Struct;
  readonly #group: Node;
  readonly #parts: readonly Part[];
  readonly #held = new Map<Part, ReadPart>();

  constructor(context: Context, contract: Contract, struct: Struct, group: Node, parts: readonly Part[]) {
    this.#context = context;
    this.#contract = contract;
    this.#struct = struct;
    this.#group = group;
    this.#parts = parts;
  }

  /** All sessions in their order, with those that were decoded among them. */
  list(kept: readonly LuoSession[]): readonly LuoSession[] {
    const ends: number[] = [];
    let total = 0;
    for (const { length } of this.#parts) {
      total += length;
      ends.push(total);
    }
    return lazyList(total, (index) => {
      let [low, high] = [0, ends.length - 1];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((ends[middle] ?? 0) <= index) low = middle + 1;
        else high = middle;
      }
      const part = this.#parts[low];
      const within = index - (ends[low - 1] ?? 0);
      const session = part === undefined ? undefined : part.isPlain ? this.#read(part).sessions[within] : kept[part.first + within];
      if (session === undefined) throw new Error(`session ${index} of ${total} is no longer there`);
      return session;
    });
  }

  *references(): Iterable<Reference> {
    for (const part of this.#parts) if (part.isPlain) yield* this.#read(part).references;
  }

  /** What is plain says nothing that is not known, and was counted: it is read aside. */
  #read(part: Part): ReadPart {
    const before = this.#held.get(part);
    if (before !== undefined) return before;
    const references: Reference[] = [];
    const aside: Context = { ...this.#context, observations: new Observations(), references, foreign: new Map(), bulk: null };
    const parent = new Node(this.#group.path, this.#group.name);
    const budget = new Budget(UNLIMITED);
    const read = (address: number): readonly LuoSession[] => {
      const session = readSession(aside, this.#contract, this.#struct, address, parent, new Map(), budget);
      return session === null ? [] : [session];
    };
    const made = { sessions: withBudget(budget, () => part.piece.entries.flatMap(read)), references };
    if (this.#held.size === HELD_BLOCKS) this.#held.clear();
    this.#held.set(part, made);
    return made;
  }
}

/** For what the bulk check has bounded. */
const UNLIMITED = { entries: Number.POSITIVE_INFINITY, references: Number.POSITIVE_INFINITY, 'vmalloc-chunks': Number.POSITIVE_INFINITY };

/**
 * One entry below `group`, under a path that its own name makes. Null where its bytes are not there, with an observation of `missing`.
 * @param nameOf the last part of the path, and how the node is called
 */
function readEntry(
  context: Context,
  struct: Struct,
  address: number,
  group: Node,
  seen: Map<string, number>,
  what: { readonly noun: string; readonly missing: 'files-missing' | 'flb-missing'; nameOf(struct: Struct, values: object): string },
): { readonly reading: Reading; readonly path: string; readonly seenBefore: boolean } | null {
  let seenBefore = false;
  const reading = readStruct(context.memory, struct, address, (values) => {
    if (values === null) return { path: `${group.path}/?`, name: '?' };
    const name = what.nameOf(struct, values);
    seenBefore = seen.has(name);
    return { path: `${group.path}/${uniquePart(seen, name)}`, name };
  });
  if (reading.values === null) {
    context.observations.add(what.missing, group, `the ${what.noun} entry at ${hex(address)}: ${reading.node.why ?? 'missing'}`, 'absent', address);
    return null;
  }
  group.add(reading.node);
  return { reading, path: reading.node.path, seenBefore };
}

const NO_TEXT: CStringValue = { text: '', bytes: new Uint8Array(), validUtf8: true, terminated: true, trailing: 0 };

const SESSION = {
  noun: 'session',
  missing: 'files-missing',
  nameOf: (struct: Struct, values: object) => (textOf(struct, values, 'name') ?? NO_TEXT).text,
} as const;

function readSession(
  context: Context,
  contract: Contract,
  struct: Struct,
  address: number,
  group: Node,
  names: Map<string, number>,
  budget: Budget,
): LuoSession | null {
  const entry = readEntry(context, struct, address, group, names, SESSION);
  if (entry === null) return null;
  const { reading, path } = entry;
  const name = reading.text('name') ?? NO_TEXT;
  checkName(context, reading, name, entry.seenBefore);
  const { count, ...files } = readFiles(context, contract, reading, budget);
  reading.node.meaning = counted(count, 'file');
  return { path, name, count, ...files, reading, node: reading.node };
}

function checkName(context: Context, reading: Reading, name: CStringValue, seenBefore: boolean): void {
  const node = reading.field('name');
  if (!name.terminated) nonsense(context, 'session-name', node, `the session name has no NUL in its ${node.bits / 8} bytes`);
  else if (name.bytes.length === 0) nonsense(context, 'session-name', node, 'the session name is empty, which no kernel lets user space create');
  if (seenBefore) nonsense(context, 'session-duplicate', node, 'a session of this name was listed before');
}

function readFiles(
  context: Context,
  contract: Contract,
  session: Reading,
  budget: Budget,
): Pick<LuoSession, 'count' | 'files' | 'complete' | 'unreadable' | 'entries'> {
  const group = session.node.group('files', { description: 'files in the order in which they were preserved' });
  const told = session.integer('file_set_ser.count');
  const countNode = session.field('file_set_ser.count');
  const area = usableArea(context, contract, 'files', group);
  if (area === null || (area.header === null && told === null)) return { count: told ?? 0n, files: [], complete: false, unreadable: true, entries: null };
  const entries = readEntries(context, area, session.integer('file_set_ser.files') ?? 0n, {
    parent: group,
    from: session.field('file_set_ser.files'),
    what: 'file',
    ...(area.header === null ? { counted: { count: told ?? 0n, node: countNode }, kinds: PAGES_OF_FILES } : {}),
  });
  const { places } = entries;
  const count = told ?? BigInt(places.length);
  if (entries.complete && BigInt(places.length) !== count)
    nonsense(context, 'file-count', countNode, `count is ${count}, but the file area holds ${places.length}`);
  const files: LuoFile[] = [];
  const tokens = new Map<string, number>();
  for (const address of places) {
    if (!budget.spend('entries', 1, group.path)) break;
    const file = readFile(context, area.entry, address, group, tokens);
    if (file !== null) files.push(file);
  }
  group.meaning = counted(files.length, 'file');
  const complete = entries.complete && files.length === places.length;
  return { count, files, complete, unreadable: !complete && files.length === 0, entries };
}

const PAGES_OF_FILES = { pointer: 'block-pointer', missing: 'block-missing', count: 'file-count' } as const;

const FILE = { noun: 'file', missing: 'files-missing', nameOf: (struct: Struct, values: object) => hex(integerOf(struct, values, 'token') ?? 0n) } as const;

function readFile(context: Context, struct: Struct, address: number, group: Node, tokens: Map<string, number>): LuoFile | null {
  const entry = readEntry(context, struct, address, group, tokens, FILE);
  if (entry === null) return null;
  const { reading, path } = entry;
  const compatible = reading.text('compatible') ?? NO_TEXT;
  const [token, data] = [reading.integer('token') ?? 0n, reading.integer('data') ?? 0n];
  reading.node.meaning = compatible.text;
  if (entry.seenBefore) nonsense(context, 'file-token-duplicate', reading.field('token'), `token ${hex(token)} was listed before in this session`);
  const compatibleNode = reading.field('compatible');
  if (!compatible.terminated || compatible.bytes.length === 0) {
    nonsense(
      context,
      'file-compatible',
      compatibleNode,
      compatible.terminated ? 'the compatible string is empty' : `the compatible string has no NUL in its ${compatibleNode.bits / 8} bytes`,
    );
  } else if (contractsNamed(context, compatible.text).length === 0) {
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

const FLB_KINDS = { pointer: 'flb-missing', missing: 'flb-missing', count: 'flb-count' } as const;

/** The FLB page that `pointer` points to. */
export function readFlbs(context: Context, contract: Contract, pointer: bigint, parent: Node, from: Node): ReadList<LuoFlb> {
  const group = parent.group('flbs', { description: 'file-lifecycle-bound objects' });
  if (pointer === 0n) return { list: [], entries: null };
  const area = usableArea(context, contract, 'flbs', group);
  if (area === null) return { list: null, entries: null };
  const entries = readEntries(context, area, pointer, { parent: group, from, what: 'FLB', kinds: FLB_KINDS });
  const header = entries.pieces[0]?.header ?? null;
  const pgcnt = header?.integer('pgcnt') ?? null;
  if (header !== null && pgcnt !== null && pgcnt !== 1n) nonsense(context, 'flb-count', header.field('pgcnt'), `pgcnt is ${pgcnt}, always 1`);
  if (entries.pieces.length === 0) return { list: null, entries };
  const names = new Map<string, number>();
  const flbs: LuoFlb[] = [];
  for (const place of entries.places) {
    const flb = readFlb(context, area.entry, place, group, names);
    if (flb !== null) flbs.push(flb);
  }
  group.meaning = counted(flbs.length, 'FLB');
  return { list: flbs, entries };
}

const FLB = { noun: 'FLB', missing: 'flb-missing', nameOf: (struct: Struct, values: object) => (textOf(struct, values, 'name') ?? NO_TEXT).text } as const;

function readFlb(context: Context, struct: Struct, address: number, group: Node, names: Map<string, number>): LuoFlb | null {
  const entry = readEntry(context, struct, address, group, names, FLB);
  if (entry === null) return null;
  const { reading, path } = entry;
  const name = reading.text('name') ?? NO_TEXT;
  const [data, count] = [reading.integer('data') ?? 0n, reading.integer('count') ?? 0n];
  reading.node.meaning = `${count} references`;
  const nameNode = reading.field('name');
  if (!name.terminated || name.bytes.length === 0) {
    nonsense(context, 'flb-unknown', nameNode, name.terminated ? 'the FLB has no name' : `the name has no NUL in its ${nameNode.bits / 8} bytes`);
  } else if (contractsNamed(context, name.text).length === 0) {
    nameNode.mark('unknown-version', `no contract known is called ${JSON.stringify(name.text)}`);
    context.observations.add('flb-unknown', nameNode, `no FLB known is called ${JSON.stringify(name.text)}; what it holds is not decoded`, 'note');
  }
  const decoded = readPayload(context, name, data, reading.node, reading.field('data'));
  return { path, name, data, count, decoded, reading, node: reading.node };
}
