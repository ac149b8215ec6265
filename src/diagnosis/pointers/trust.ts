/**
 * Which pointers of a handover are to be believed. A page that is not preserved, or that two pointers lead to, accuses the pointer
 * or the map; what the page holds, and which preserved blocks nobody claims, decide. What was decoded through a pointer that is not
 * believed is not judged as the structure it was taken for.
 */
import type { Reference } from '../../handover/context.js';
import type { Handover } from '../../handover/decode.js';
import { takenAway } from '../../handover/luo.js';
import type { Folio, FolioColumns } from '../../handover/folio-columns.js';
import type { Memfd } from '../../handover/memfd.js';
import type { PreservedBlock } from '../../handover/preserved/preserved-map.js';
import { khoBlockHeaderSer } from '../../../abi/kho/block.js';
import { filePages } from '../../../abi/luo/areas.js';
import { decodeStruct } from '../../codec/decode.js';
import { sizeOf } from '../../codec/layout-table.js';
import { type PhysicalMemory, isReadable, physicalAddress, readBytes } from '../../memory/memory.js';
import { type Subject, cutShort, isIntact } from '../subject.js';
import { listedFolios, memfdsIn, unclaimedBlocks } from './claims.js';
import { type Verdict, entryOf, isFileBlock, isPlausible, isSessionBlock } from './plausible.js';
import { type PageUser, usedFrames, usersOf } from './users.js';

interface Distrusted {
  readonly reference: Reference;
  readonly why: 'not-preserved' | 'shared' | 'something-else';
  /** whose page it is, where it is shared */
  readonly owner: PageUser | null;
}

/** A place in the map where keys should be and are not. */
interface LostKeys {
  /** physical, of the word or entry */
  readonly at: number;
  readonly path: string;
  /** an entry above the leaves */
  readonly above: boolean;
  /** what should be preserved there; the first few */
  readonly names: readonly string[];
  readonly count: number;
  /** kinds of what should be preserved there */
  readonly all: ReadonlySet<string>;
}

interface LackingFolio {
  readonly memfd: Memfd;
  readonly entry: number;
  /** the block that it led to before, where one fits; null where its key was lost */
  readonly was: PreservedBlock | null;
  /** place of the lost key; null where the pfn was changed */
  readonly lostAt: number | null;
}

interface Trust {
  readonly distrusted: ReadonlyMap<Reference, Distrusted>;
  /** by the address of the place */
  readonly lost: ReadonlyMap<number, LostKeys>;
  /** place of the lost key of a reference that is believed and not preserved */
  lostAt(reference: Reference): number | null;
  /** by the table's path and the entry */
  readonly folios: ReadonlyMap<string, LackingFolio>;
  /** Was this path decoded through a pointer that is not believed? */
  isGarbage(path: string): boolean;
}

export const folioKey = (memfd: Memfd, entry: number): string => `${memfd.node.path}/folios[]/${entry}`;

const known = new WeakMap<Handover, Trust>();

/** Judged once for each handover; of one whose pages were freed and reused nothing is distrusted. */
export function trustOf(subject: Subject): Trust {
  const before = known.get(subject.handover);
  if (before !== undefined) return before;
  const trust = isIntact(subject) ? new Judge(subject).judge() : NOTHING;
  known.set(subject.handover, trust);
  return trust;
}

const NOTHING: Trust = { distrusted: new Map(), lost: new Map(), lostAt: () => null, folios: new Map(), isGarbage: () => false };

/** Blocks that nothing leads to, looked at for what a damaged link led to. */
const LOOKED_AT = 4096;
/** So many lost keys are named. */
const NAMED = 3;
/** Folios that lack a key, looked at one by one. */
const MAX_LACKING = 1 << 16;

interface Lacking {
  readonly name: string;
  readonly order: number;
  readonly address: number;
  readonly reference: Reference | null;
  readonly folio: { readonly memfd: Memfd; readonly folio: Folio; readonly isBetween: boolean } | null;
  /** a block of a reserve_mem region, which none other can take the place of */
  readonly isRegion?: true;
}

class Judge {
  readonly #subject: Subject;
  readonly #distrusted = new Map<Reference, Distrusted>();
  readonly #garbage = new Set<string>();
  readonly #lacking: Lacking[] = [];
  readonly #lostOf = new Map<Reference, number>();
  #byPage: ReadonlyMap<number, readonly string[]> | null = null;
  /** whether a session's count, or a memfd's table, goes with what it leads to; by path */
  #fits: ReadonlyMap<string, (reference: Reference) => boolean> | null = null;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  judge(): Trust {
    this.#sharing();
    this.#pages();
    this.#further();
    this.#folioPages();
    this.#regions();
    const folios = new Map<string, LackingFolio>();
    const lost = this.#keys(folios);
    const garbage = this.#garbage;
    return {
      distrusted: this.#distrusted,
      lost,
      lostAt: (reference) => this.#lostOf.get(reference) ?? null,
      folios,
      isGarbage: (path) => garbage.size > 0 && prefixesOf(path).some((prefix) => garbage.has(prefix)),
    };
  }

  #distrust(reference: Reference, why: Distrusted['why'], owner: PageUser | null = null): void {
    if (this.#distrusted.has(reference)) return;
    this.#distrusted.set(reference, { reference, why, owner });
    for (const path of this.#reached(reference)) this.#garbage.add(path);
  }

  #isGarbage(path: string): boolean {
    return this.#garbage.size > 0 && prefixesOf(path).some((prefix) => this.#garbage.has(prefix));
  }

  /** Paths of what was decoded through a pointer. */
  #reached({ what, address, node, from }: Reference): readonly string[] {
    // A structure that two pointers lead to is decoded once, below the first of them.
    const entry = from.path.slice(0, from.path.lastIndexOf('/'));
    const own = node.path === from.path || (what.startsWith('struct ') && !node.path.startsWith(`${entry}/`)) ? [] : [node.path];
    if (what === 'session area') return [...own, ...(this.#subject.handover.luo?.sessions ?? []).map(({ path }) => path)];
    if (what === 'session block') return [...own, ...(this.#entries().get(address) ?? []).filter((path) => !path.includes('/files/'))];
    if (what === 'file block') {
      const session = from.path.slice(0, Math.max(from.path.indexOf('/file_set_ser'), from.path.indexOf('/files/')));
      return [...own, ...(this.#entries().get(address) ?? []).filter((path) => path.startsWith(`${session}/files/`))];
    }
    const subtree = SUBTREE_NODES.get(what);
    if (subtree !== undefined) return [...own, `${this.#subject.handover.path}/${subtree}`];
    const memfd = /^.*?\/memfd_luo_ser(?=\/)/.exec(node.path)?.[0];
    if (what.startsWith('vmalloc') && memfd !== undefined) return what === 'vmalloc chunk' ? [...own, `${memfd}/folios[]`] : [`${memfd}/folios[]`];
    return own;
  }

  /** Paths of sessions and files by the page that their entries are on. */
  #entries(): ReadonlyMap<number, readonly string[]> {
    if (this.#byPage !== null) return this.#byPage;
    const found = new Map<number, string[]>();
    const { pageSize } = this.#subject.dump.memory;
    const add = (address: number | null, path: string): void => {
      if (address === null) return;
      const page = address - (address % pageSize);
      const paths = found.get(page);
      if (paths === undefined) found.set(page, [path]);
      else paths.push(path);
    };
    for (const session of this.#subject.handover.luo?.sessions ?? []) {
      add(session.reading.address, session.path);
      for (const file of session.files) add(file.reading.address, file.path);
    }
    this.#byPage = found;
    return found;
  }

  /** Pages that two pointers lead to: the one whose structure is not there is wrong; of equals the one that fits less, or comes later. */
  #sharing(): void {
    for (const users of usersOf(this.#subject).values()) {
      if (users.length < 2) continue;
      const judged = users.map((user) => ({ user, plausible: user.reference === null ? this.#ofMap(users) : isPlausible(this.#subject, user.reference) }));
      const best = [...judged].sort(
        (a, b) => rank(b.plausible) - rank(a.plausible) || this.#fit(b.user) - this.#fit(a.user) || this.#pagesAway(a.user) - this.#pagesAway(b.user),
      )[0];
      for (const { user } of judged) {
        if (user === best?.user || user.reference === null || this.#isGarbage(user.reference.from.path)) continue;
        this.#distrust(user.reference, 'shared', best?.user ?? null);
      }
    }
  }

  /** How far the page is from where the pointer is: a structure is allocated near the one that leads to it. */
  #pagesAway({ at, reference }: PageUser): number {
    if (reference === null) return Number.MAX_SAFE_INTEGER;
    return at === null ? 0 : Math.floor(Math.abs(at - reference.address) / this.#subject.dump.memory.pageSize);
  }

  /** A page of the map that a structure rightly occupies is the structure's. */
  #ofMap(users: readonly PageUser[]): Verdict {
    return users.some((user) => user.reference !== null && isPlausible(this.#subject, user.reference) === true) ? false : null;
  }

  /** 1: what the pointer's own structure counts is what it leads to; -1: it is not; 0: nothing tells. */
  #fit({ reference }: PageUser): number {
    if (reference === null) return 0;
    // No list ends with a block that holds nothing.
    if ((reference.what === 'session block' || reference.what === 'file block') && isEmptyBlock(this.#subject.dump.memory, reference.address)) return -1;
    const owner = /^.*?(?=\/file_set_ser|\/memfd_luo_ser)/.exec(reference.from.path)?.[0];
    const fits = owner === undefined ? undefined : this.#owners().get(owner);
    return fits === undefined ? 0 : fits(reference) ? 1 : -1;
  }

  /** Has the block, or the area, as many entries as the session counts? Of the first of several blocks only that they are more than it holds. */
  #holds({ what, address }: Reference, count: bigint): boolean {
    const { memory } = this.#subject.dump;
    if (what === 'file area') {
      const size = sizeOf(entryOf(this.#subject, 'files'));
      return isWritten(memory, address, size, count - 1n) && !isWritten(memory, address, size, count);
    }
    const read = readBytes(memory, address, sizeOf(khoBlockHeaderSer));
    if (!read.ok) return false;
    const header = decodeStruct(khoBlockHeaderSer, read.bytes);
    return header.next === 0n ? header.count === count : header.count < count;
  }

  #owners(): ReadonlyMap<string, (reference: Reference) => boolean> {
    if (this.#fits !== null) return this.#fits;
    const found = new Map<string, (reference: Reference) => boolean>();
    const tables = new Map<Memfd, () => boolean>();
    for (const session of this.#subject.handover.luo?.sessions ?? []) {
      found.set(session.path, (reference) => this.#holds(reference, session.count));
      for (const { path, decoded } of session.files)
        if (decoded?.kind === 'memfd') {
          const fits = tables.get(decoded) ?? once(() => fitsTable(decoded));
          tables.set(decoded, fits);
          found.set(path, fits);
        }
    }
    this.#fits = found;
    return found;
  }

  /** What was reached from garbage is garbage. References are in the order in which they were met. */
  #further(): void {
    if (this.#garbage.size === 0) return;
    for (const reference of this.#subject.handover.references)
      if (!this.#distrusted.has(reference) && this.#isGarbage(reference.from.path)) for (const path of this.#reached(reference)) this.#garbage.add(path);
  }

  /** Is a block without an entry linked, while one with entries is preserved that nothing leads to? */
  #replaces({ what, address }: Reference): boolean {
    if ((what !== 'session block' && what !== 'file block') || !isEmptyBlock(this.#subject.dump.memory, address)) return false;
    const isSame = what === 'session block' ? isSessionBlock : isFileBlock;
    return (unclaimedBlocks(this.#subject) ?? []).slice(0, LOOKED_AT).some(({ start, order }) => order === 0 && isSame(this.#subject, start) === true);
  }

  /** Every page against the map and against what should be on it, outer structures first. */
  #pages(): void {
    const { handover, dump } = this.#subject;
    for (const reference of handover.references) {
      if (this.#distrusted.has(reference) || this.#isGarbage(reference.from.path)) continue;
      const { address, order, what } = reference;
      const state = this.#stateOf(address, order);
      if (state === 'preserved' || state === 'unknown') {
        if ((JUDGED.has(what) && isPlausible(this.#subject, reference) === false) || this.#replaces(reference)) this.#distrust(reference, 'something-else');
        continue;
      }
      const plausible = isReadable(dump.memory, address) ? isPlausible(this.#subject, reference) : null;
      if (plausible === false) this.#distrust(reference, 'not-preserved');
      else this.#lacking.push({ name: what, order: order ?? 0, address, reference, folio: null });
    }
  }

  #stateOf(address: number, order: number | null): 'preserved' | 'lacking' | 'unknown' {
    const { map } = this.#subject.handover;
    if (map === null || map.brokenAt(address, order) !== null) return 'unknown';
    return (order === null ? map.blockOf(address) !== null : map.ordersAt(address).includes(order)) ? 'preserved' : 'lacking';
  }

  /** Folios that the map does not have, and structures that were taken for standing where a folio is. */
  #folioPages(): void {
    const { handover, dump, limits } = this.#subject;
    const { map } = handover;
    if (map === null) return;
    const users = usersOf(this.#subject);
    const used = usedFrames(this.#subject);
    const { pageSize } = dump.memory;
    let left = limits.items;
    let orders = new Uint8Array(0);
    /** pages whose other users were judged: by what is there, whichever folio says it has it */
    const met = new Set<number>();
    const { suspects } = listedFolios(this.#subject);
    for (const decoded of memfdsIn(this.#subject)) {
      if (!suspects.has(decoded)) {
        left -= decoded.readableFolios;
        continue;
      }
      if (this.#isGarbage(`${decoded.node.path}/folios[]`)) continue;
      const end = Math.ceil(Number(decoded.size) / pageSize);
      const see = (folio: Folio, before: Folio | null, next: Folio | null): void => {
        const address = folio.pfn * pageSize;
        const atPage = met.has(address) ? [] : (users.get(address) ?? []);
        if (atPage.length > 0) met.add(address);
        for (const { reference } of atPage) {
          const owner = { what: `folio ${folio.entry}`, at: decoded.entryAddress(folio.entry), path: folioKey(decoded, folio.entry), reference: null };
          if (reference !== null && isPlausible(this.#subject, reference) === false) this.#distrust(reference, 'shared', owner);
        }
        if (decoded.pagesOf(folio, null) !== null || map.blockOf(address) !== null || map.brokenAt(address, null) !== null) return;
        if (this.#lacking.length >= MAX_LACKING) return;
        const pages = (next?.index ?? end) - folio.index;
        const isBetween = (before !== null && before.pfn + (decoded.pagesOf(before, null) ?? 1) === folio.pfn) || next?.pfn === folio.pfn + pages;
        this.#lacking.push({ name: 'folio', order: orderFor(pages), address, reference: null, folio: { memfd: decoded, folio, isBetween } });
      };
      let before: Folio | null = null;
      for (const columns of decoded.columns()) {
        const { first, count, ahead, pfn } = columns;
        left -= count;
        if (left < 0) {
          cutShort(this.#subject, `${handover.path}/luo/sessions, folios of memfds`, decoded.readableFolios - first);
          return;
        }
        if (orders.length < count) orders = new Uint8Array(count);
        map.ordersInto(pfn, count, orders);
        for (let at = 0; at < count; at++) {
          const frame = pfn[at] ?? 0;
          // Nearly all start a block, and no structure is where they start.
          if (frame === 0 || (orders[at] !== 0 && !used.has(frame))) continue;
          let next = at + 1;
          while (next < count + ahead && pfn[next] === 0) next++;
          const previous = previousIn(decoded, columns, at) ?? before;
          see(decoded.folioAt(columns, at), previous, next < count + ahead ? decoded.folioAt(columns, next) : null);
        }
        before = previousIn(decoded, columns, count) ?? before;
      }
    }
  }

  /** Blocks of reserve_mem regions that lost their keys: others of the region have theirs, and no blocks are left over that it may have had. */
  #regions(): void {
    const { handover, dump } = this.#subject;
    const { map } = handover;
    const { pageSize } = dump.memory;
    if (map === null) return;
    for (const { name, start, size } of handover.memblock ?? []) {
      const first = physicalAddress(start);
      if (first === null || first === 0 || first % pageSize !== 0 || size % BigInt(pageSize) !== 0n || size > MAX_REGION) continue;
      const blocks = blocksOf(first / pageSize, Number(size) / pageSize).map(({ pfn, order }) => ({ address: pfn * pageSize, order }));
      const missing = blocks.filter(({ address, order }) => !map.ordersAt(address).includes(order) && map.brokenAt(address, order) === null);
      if (missing.length === 0 || missing.some(({ address }) => map.blockOf(address) !== null)) continue;
      // A region that was made longer lacks its end; one that was moved lacks most, and what it had is left over.
      const isEnd = missing.length < blocks.length && missing.every((block, index) => block === blocks[blocks.length - missing.length + index]);
      const pages = missing.reduce((sum, { order }) => sum + 2 ** order, 0);
      const isMost = 2 * pages * pageSize >= Number(size);
      const moved = isMost && (unclaimedBlocks(this.#subject) ?? []).reduce((sum, { order }) => sum + 2 ** order, 0) >= pages;
      if ((isEnd && !isWhole(size)) || moved) continue;
      for (const { address, order } of missing)
        this.#lacking.push({ name: `region ${JSON.stringify(name)}`, order, address, reference: null, folio: null, isRegion: true });
    }
  }

  /** Entries of the map that lead to keys of something in use. */
  #goodEntries(): ReadonlySet<number> {
    const { map, references, memblock } = this.#subject.handover;
    const { pageSize } = this.#subject.dump.memory;
    const good = new Set<number>();
    const add = (address: number, order: number | null): void => {
      const of = order ?? map?.blockOf(address)?.order ?? null;
      if (map === null || of === null || !map.ordersAt(address).includes(of)) return;
      for (const { at } of map.placeOf(address, of)?.through ?? []) good.add(at);
    };
    for (const reference of references) if (!this.#distrusted.has(reference)) add(reference.address, reference.order);
    for (const memfd of memfdsIn(this.#subject)) {
      let left = SAMPLED;
      for (const { pfn } of memfd.folios()) {
        if (left-- === 0) break;
        add(pfn * pageSize, null);
      }
    }
    for (const frame of takenAway(this.#subject.handover)?.claimed.frames() ?? []) add(frame * pageSize, null);
    for (const { start, size } of memblock ?? []) {
      const first = physicalAddress(start);
      if (first === null || first % pageSize !== 0 || size > MAX_REGION) continue;
      for (const { pfn, order } of blocksOf(first / pageSize, Math.floor(Number(size) / pageSize))) add(pfn * pageSize, order);
    }
    return good;
  }

  /**
   * Two keys that should be at one place are not lost by two pointers: the place is damaged. A single one is the pointer's fault
   * where a block that nobody claims is what it led to before.
   */
  #keys(folios: Map<string, LackingFolio>): ReadonlyMap<number, LostKeys> {
    const { map } = this.#subject.handover;
    const places = new Map<number, { path: string; above: boolean; all: Lacking[] }>();
    const { references } = this.#subject.handover;
    const good = this.#lacking.length < 2 ? null : this.#goodEntries();
    // Not one page is in the map: it is not this handover's.
    const root = good?.size === 0 && references.length > 2 && this.#lacking.length >= references.length - 1 ? this.#rootPointer() : null;
    const perEntry = new Map<number, Set<number>>();
    if (good !== null)
      for (const { address, order } of this.#lacking) {
        const place = map?.placeOf(address, order);
        for (const { at } of place?.through ?? []) perEntry.set(at, (perEntry.get(at) ?? new Set()).add(place?.at ?? 0));
      }
    const garbage = this.#lacking.filter(({ reference, folio }) => !this.#isGarbage(reference?.from.path ?? `${folio?.memfd.node.path ?? ''}/folios[]`));
    for (const lacking of garbage) {
      const word = map?.placeOf(lacking.address, lacking.order) ?? null;
      if (word === null) continue;
      // An entry below which several places lack keys, and none has one in use, leads to a wrong page; so does one to a table with others' entries alone.
      const isForeign = word.above && this.#hasOtherEntries(word.at);
      const through = word.through.findLast(
        ({ at }, index) => good?.has(at) === false && ((perEntry.get(at)?.size ?? 0) > 1 || (isForeign && index === word.through.length - 1)),
      );
      const place = root ?? (through === undefined ? word : { ...through, above: true });
      const found = places.get(place.at);
      if (found === undefined) places.set(place.at, { path: place.path, above: place.above, all: [lacking] });
      else found.all.push(lacking);
    }
    const unclaimed = this.#lacking.length === 0 ? [] : (unclaimedBlocks(this.#subject) ?? []);
    const lost = new Map<number, LostKeys>();
    for (const [at, { path, above, all }] of places) {
      const [only] = all;
      const was = all.length === 1 && only !== undefined ? this.#before(only, unclaimed) : null;
      if (only !== undefined && was !== null) {
        if (only.reference !== null) this.#distrust(only.reference, 'not-preserved');
        if (only.folio !== null)
          folios.set(folioKey(only.folio.memfd, only.folio.folio.entry), { memfd: only.folio.memfd, entry: only.folio.folio.entry, was, lostAt: null });
        continue;
      }
      const names = all.slice(0, NAMED).map(({ name, address }) => `${name} at 0x${address.toString(16)}`);
      lost.set(at, { at, path, above, names, count: all.length, all: new Set(all.map(({ name }) => name)) });
      for (const { reference, folio } of all) {
        if (reference !== null) this.#lostOf.set(reference, at);
        if (folio !== null) folios.set(folioKey(folio.memfd, folio.folio.entry), { memfd: folio.memfd, entry: folio.folio.entry, was: null, lostAt: at });
      }
    }
    return lost;
  }

  /** Has the table that an entry is in any other? */
  #hasOtherEntries(at: number): boolean {
    const { memory } = this.#subject.dump;
    const read = readBytes(memory, at - (at % memory.pageSize), memory.pageSize);
    return read.ok && read.bytes.some((byte, index) => byte !== 0 && (index < at % memory.pageSize || index >= (at % memory.pageSize) + 8));
  }

  /** Where the root of the map is named. */
  #rootPointer(): { readonly path: string; readonly at: number; readonly above: boolean } | null {
    const root = this.#subject.handover.node
      .children()
      .find(({ name }) => name === 'kho')
      ?.children()
      .find(({ name }) => name === '/')
      ?.children()
      .find(({ name }) => name === 'preserved-memory-map');
    return root?.address == null ? null : { path: root.path, at: root.address, above: true };
  }

  /** The block that a pointer led to before it was changed, or null where it is its key that was lost. */
  #before({ order, address, reference, folio, isRegion }: Lacking, unclaimed: readonly PreservedBlock[]): PreservedBlock | null {
    if (isRegion === true) return null;
    // A structure that is where its pointer says was not moved.
    if (reference !== null && isPlausible(this.#subject, reference) === true) return null;
    const fitting = unclaimed.filter((block) => block.order === order);
    // Pages of a file are often allocated in a row.
    if (folio?.isBetween === true) return null;
    return fitting.find((block) => differsByAByte(block.start, address)) ?? fitting[0] ?? null;
  }
}

/** The folio before entry `at` of a piece, as far as it is in that piece. */
function previousIn(memfd: Memfd, columns: FolioColumns, at: number): Folio | null {
  for (let before = at - 1; before >= 0; before--) if (columns.pfn[before] !== 0) return memfd.folioAt(columns, before);
  return null;
}

const JUDGED = new Set([
  'struct memfd_luo_ser',
  'session block',
  'file block',
  'file area',
  'session area',
  'subtree LUO',
  'subtree memblock',
  'subtree kho_test',
  'subtree kexec-metadata',
]);

/** What a subtree holds is shown beside KHO's own part of the tree. */
const SUBTREE_NODES: ReadonlyMap<string, string> = new Map(
  ['luo', 'memblock', 'kho_test', 'kexec-metadata'].map((name) => [`subtree ${name === 'luo' ? 'LUO' : name}`, name]),
);

const rank = (plausible: Verdict): number => (plausible === true ? 2 : plausible === null ? 1 : 0);

const prefixesOf = (path: string): readonly string[] => {
  const parts = path.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
};

/** Does a memfd's table go with its size, entry by entry? */
function fitsTable(memfd: Memfd): boolean {
  let expected = 0;
  for (const folio of memfd.folios()) {
    if (folio.index !== expected) return false;
    expected += memfd.pagesOf(folio, null) ?? 1;
  }
  return expected >= Math.ceil(Number(memfd.size) / memfd.pageSize) && memfd.usedEntryAfter() === null;
}

/** Regions are of megabytes; no list is made of what a damaged size claims. */
const MAX_REGION = 1n << 40n;
/** Folios of a file that are asked where their keys are. */
const SAMPLED = 16;

/** A size that a command line has, not one with a page too many. */
const isWhole = (size: bigint): boolean => size % (64n << 10n) === 0n;

/** How a range is preserved: the largest aligned blocks that fit, from the front. @param first page number @param pages how many */
function blocksOf(first: number, pages: number): readonly { readonly pfn: number; readonly order: number }[] {
  const found: { pfn: number; order: number }[] = [];
  for (let pfn = first; pfn < first + pages; ) {
    let order = 0;
    while (pfn % 2 ** (order + 1) === 0 && pfn + 2 ** (order + 1) <= first + pages) order++;
    found.push({ pfn, order });
    pfn += 2 ** order;
  }
  return found;
}

const orderFor = (pages: number): number => (pages >= 1 && Number.isInteger(Math.log2(pages)) ? Math.log2(pages) : 0);

/** Does a file area of 6.19 to 7.1 have an entry (of `size` bytes) at `index`? */
function isWritten(memory: PhysicalMemory, area: number, size: number, index: bigint): boolean {
  if (index < 0n || (index + 1n) * BigInt(size) > BigInt(filePages.pages * memory.pageSize)) return false;
  const read = readBytes(memory, area + Number(index) * size, size);
  return read.ok && read.bytes.some((byte) => byte !== 0);
}

function isEmptyBlock(memory: PhysicalMemory, address: number): boolean {
  const read = readBytes(memory, address, sizeOf(khoBlockHeaderSer));
  return read.ok && read.bytes.every((byte) => byte === 0);
}

function once(judge: () => boolean): () => boolean {
  let known: boolean | null = null;
  return () => {
    known ??= judge();
    return known;
  };
}

/** Addresses that differ in the bits of one byte alone. */
function differsByAByte(a: number, b: number): boolean {
  const difference = BigInt(a) ^ BigInt(b);
  for (let shift = 0n; shift < 56n; shift += 8n) if ((difference & ~(0xffn << shift)) === 0n) return true;
  return false;
}
