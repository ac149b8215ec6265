/**
 * The one pass over the folio tables of preserved memfds that the rules of memfd-folios.ts share: each entry against the map, the
 * file's size and its neighbours. Of the fields that contradict each other it blames the one without which the others agree.
 * Lazily, and bounded.
 */
import { FOLIO_FLAGS, memfdLuoFolioSer } from '../../../abi/memfd/folio.js';
import { behaviourIsKnown } from '../../../abi/contract.js';
import { offsetOf } from '../../codec/layout-table.js';
import type { Handover } from '../../handover/decode.js';
import type { Folio, FolioColumns } from '../../handover/folio-columns.js';
import type { Memfd } from '../../handover/memfd.js';
import type { PreservedMap } from '../../handover/preserved/preserved-map.js';
import type { FrameSet } from '../../memory/frame-set.js';
import { formatBytes, hex } from '../../tree/words.js';
import { listedFolios } from '../pointers/claims.js';
import { folioKey, trustOf } from '../pointers/trust.js';
import { usedFrames, usersOf } from '../pointers/users.js';
import type { Clue, Hit } from '../rule.js';
import { type Subject, cutShort } from '../subject.js';
import { memfdsOf } from './memfd.js';
import { around, canAskMap } from './references.js';

export const folioRuleIds = {
  notPreserved: 'memfd/folio-not-preserved',
  insideBlock: 'memfd/folio-inside-block',
  shared: 'memfd/folio-shared',
  structure: 'memfd/folio-is-structure',
  none: 'memfd/folio-none',
  beyondSize: 'memfd/index-beyond-size',
  index: 'memfd/index-order',
  order: 'memfd/folio-order',
  flags: 'memfd/folio-flags',
  hole: 'memfd/hole',
  missing: 'memfd/folios-missing',
  tooSmall: 'memfd/size-small',
} as const;

type FolioRule = (typeof folioRuleIds)[keyof typeof folioRuleIds];

/** Findings of one rule kept from the pass; more say nothing new. */
const MAX_KEPT = 1000;
/** A file has no more. */
const MAX_PAGES = 2 ** 32;

interface Pass {
  readonly hits: ReadonlyMap<string, readonly Hit[]>;
}

const passes = new WeakMap<Handover, Pass>();

/** Every table once, whatever the number of rules; stops at the limit. */
export function passOf(subject: Subject): Pass {
  const known = passes.get(subject.handover);
  if (known !== undefined) return known;
  const memfds = memfdsOf(subject);
  const run = new Run(subject, listedFolios(subject).twice);
  for (const memfd of memfds) run.table(memfd);
  if (run.unseen > 0) cutShort(subject, `${subject.handover.path}/luo/sessions, folios of memfds`, run.unseen);
  const pass = { hits: run.hits };
  passes.set(subject.handover, pass);
  return pass;
}

/** An entry with what its neighbours say of it. */
interface Entry {
  readonly memfd: Memfd;
  readonly folio: Folio;
  readonly before: Folio | null;
  readonly next: Folio | null;
  /** the one after the next */
  readonly second: Folio | null;
}

/** How far the pass has come in a table. */
interface Walk {
  readonly memfd: Memfd;
  /** pages of the file */
  readonly size: number;
  /** page of the file that the next folio should start at */
  expected: number;
  /** is a gap before the next entry explained: by one that could not be read, or that is empty? */
  excused: boolean;
  beyond: number;
  before: Folio | null;
  /** entry that was looked at last */
  last: number;
  /** entries that were never written, with none after them yet */
  empty: Folio[];
}

class Run {
  readonly hits = new Map<string, Hit[]>();
  readonly #subject: Subject;
  /** page frames that several entries name */
  readonly #twice: ReadonlySet<number>;
  /** the first entry met of each of them */
  readonly #listed = new Map<number, Entry>();
  readonly #pageSize: number;
  readonly #whole: boolean;
  readonly #map: PreservedMap | null;
  /** page frames that structures are on */
  readonly #used: FrameSet;
  #budget: number;
  /** order + 1 of each entry of the piece that is looked at; 0 where the map has none */
  #orders = new Uint8Array(0);
  /** entries past the limit */
  unseen = 0;

  constructor(subject: Subject, twice: ReadonlySet<number>) {
    this.#subject = subject;
    this.#twice = twice;
    this.#pageSize = subject.dump.memory.pageSize;
    this.#whole = canAskMap(subject);
    this.#map = subject.handover.map;
    this.#used = usedFrames(subject);
    this.#budget = subject.limits.items;
  }

  table(memfd: Memfd): void {
    const size = Math.ceil(Number(memfd.size) / this.#pageSize);
    const walk: Walk = { memfd, size, expected: 0, excused: false, beyond: 0, before: null, last: -1, empty: [] };
    for (const columns of memfd.columns()) {
      const { first, count } = columns;
      if (this.#budget < count) {
        this.unseen += memfd.readableFolios - first;
        return;
      }
      this.#budget -= count;
      if (this.#orders.length < count) this.#orders = new Uint8Array(count);
      this.#map?.ordersInto(columns.pfn, count, this.#orders);
      for (let at = 0; at < count; ) {
        const fine = this.#fine(walk, columns, at);
        if (fine > at) {
          walk.before = memfd.folioAt(columns, fine - 1);
          walk.last = first + fine - 1;
          walk.excused = false;
          at = fine;
          if (at === count) break;
        }
        this.#entry(walk, columns, at++);
      }
    }
    this.#end(memfd, walk);
  }

  /** Goes over entries as the kernel writes them, which break no rule, and nearly all are. @returns the first, from `at` on, that is not */
  #fine(walk: Walk, { first, count, ahead, pfn, index, flags }: FolioColumns, at: number): number {
    if (!this.#whole || this.#map === null || walk.empty.length > 0 || first + at !== walk.last + 1) return at;
    const seen = count + ahead;
    const orders = this.#orders;
    let { expected } = walk;
    let entry = at;
    for (; entry < count; entry++) {
      const frame = pfn[entry] ?? 0;
      if (frame === 0 || flags[entry] !== FOLIO_FLAGS || index[entry] !== expected || expected >= walk.size) break;
      if (this.#used.has(frame) || (this.#twice.size > 0 && this.#twice.has(frame))) break;
      const order = orders[entry] ?? 0;
      if (order === 0) break;
      const pages = order === 1 ? 1 : 2 ** (order - 1);
      if (pages > 1 && expected % pages !== 0) break;
      const next = entry + 1;
      if (next < seen && pfn[next] !== 0 && index[next] !== expected + pages) break;
      expected += pages;
    }
    walk.expected = expected;
    return entry;
  }

  #entry(walk: Walk, columns: FolioColumns, at: number): void {
    const { memfd, size } = walk;
    const folio = memfd.folioAt(columns, at);
    if (folio.entry !== walk.last + 1) walk.excused = true;
    walk.last = folio.entry;
    if (folio.pfn === 0) {
      walk.excused = true;
      if (folio.index === 0 && folio.flags === 0) walk.empty.push(folio);
      else this.#none(memfd, folio);
      return;
    }
    for (const none of walk.empty) this.#none(memfd, none);
    walk.empty = [];
    const seen = columns.count + columns.ahead;
    const next = at + 1 < seen ? memfd.folioAt(columns, at + 1) : null;
    const second = at + 2 < seen ? memfd.folioAt(columns, at + 2) : null;
    const entry: Entry = { memfd, folio, before: walk.before, next, second };
    const pages = memfd.pagesOf(folio, next);
    const known = this.#page(entry, pages);
    walk.expected = this.#index(entry, known ? pages : null, walk.expected, walk.excused, size);
    if (folio.index >= size && folio.index < walk.expected) walk.beyond++;
    walk.excused = false;
    walk.before = folio;
  }

  keep(id: FolioRule, hit: Hit): void {
    const list = this.hits.get(id) ?? [];
    if (list.length < MAX_KEPT) list.push(hit);
    this.hits.set(id, list);
  }

  #at(
    id: FolioRule,
    { memfd, folio }: { readonly memfd: Memfd; readonly folio: Folio },
    field: 'pfn_flags' | 'index',
    message: string,
    after: readonly Clue[] = [],
  ): void {
    const entry = memfd.entryAddress(folio.entry);
    this.keep(id, { message, at: entry === null ? null : entry + offsetOf(memfdLuoFolioSer, field), path: folioKey(memfd, folio.entry), after });
  }

  #none(memfd: Memfd, folio: Folio): void {
    this.#at(folioRuleIds.none, { memfd, folio }, 'pfn_flags', `entry ${folio.entry} (page ${folio.index} of the file): pfn is 0`);
  }

  /** pfn and flags. @returns false where the pfn is known to be wrong, so that the map does not tell how long the folio is */
  #page(entry: Entry, pages: number | null): boolean {
    const { memfd, folio } = entry;
    const isKnown = behaviourIsKnown(memfd.contract);
    if (isKnown && (folio.flags & ~FOLIO_FLAGS) !== 0)
      this.#at(folioRuleIds.flags, entry, 'pfn_flags', `entry ${folio.entry}: flags are ${hex(folio.flags)}, known are ${hex(FOLIO_FLAGS)}`);
    else if (isKnown && memfd.seals !== null && folio.flags !== FOLIO_FLAGS)
      this.#at(folioRuleIds.flags, entry, 'pfn_flags', `entry ${folio.entry}: flags are ${hex(folio.flags)}, ${hex(FOLIO_FLAGS)} is always written`);
    const user = (usersOf(this.#subject).get(folio.pfn * this.#pageSize) ?? []).find(
      ({ reference }) => reference === null || !trustOf(this.#subject).distrusted.has(reference),
    );
    if (user !== undefined) {
      this.#at(folioRuleIds.structure, entry, 'pfn_flags', `${place(entry)} is the page of ${user.what} (from ${user.path})`);
      return false;
    }
    const other = this.#listed.get(folio.pfn);
    if (other !== undefined) {
      // The one that is not between its neighbours was changed; else the later, which the kernel meets second.
      const [otherFits, fits] = [followsNeighbours(other, this.#pagesOf(other)), followsNeighbours(entry, pages)];
      const isOther = otherFits === fits ? strays(other) > strays(entry) : fits;
      const [wrong, right] = isOther ? [other, entry] : [entry, other];
      this.#at(
        folioRuleIds.shared,
        wrong,
        'pfn_flags',
        `${place(wrong)} is listed twice, ${isOther ? 'again' : 'before'} at ${folioKey(right.memfd, right.folio.entry)}`,
      );
      if (isOther) this.#listed.set(folio.pfn, entry);
      return isOther;
    }
    if (this.#twice.has(folio.pfn)) this.#listed.set(folio.pfn, entry);
    if (pages !== null || !this.#whole) return true;
    return this.#lacking(entry);
  }

  #pagesOf = ({ memfd, folio, next }: Entry): number | null => memfd.pagesOf(folio, next);

  #lacking(entry: Entry): boolean {
    const { map } = this.#subject.handover;
    const address = entry.folio.pfn * this.#pageSize;
    if (map === null || map.brokenAt(address, null) !== null) return true;
    const what = around(this.#subject, address);
    if (map.blockOf(address) !== null) {
      this.#at(folioRuleIds.insideBlock, entry, 'pfn_flags', `${place(entry)} does not start a preserved block: ${what}`);
      return false;
    }
    const judged = trustOf(this.#subject).folios.get(folioKey(entry.memfd, entry.folio.entry));
    const was = judged?.was == null ? '' : `; the block at ${hex(judged.was.start)} is preserved, and nothing leads there`;
    const clue = judged?.lostAt == null ? [] : [{ at: judged.lostAt }];
    this.#at(folioRuleIds.notPreserved, entry, 'pfn_flags', `${place(entry)} is not preserved: ${what}${was}`, clue);
    return true;
  }

  /** The place in the file, held against the folio before and the one after. @returns where the next is expected */
  #index(entry: Entry, pages: number | null, expected: number, excused: boolean, size: number): number {
    const { folio, next } = entry;
    const index = folio.exactIndex ?? folio.index;
    const gap = next === null || next.pfn === 0 ? null : next.index - folio.index;
    // How far the last one reaches, the map alone tells.
    const reach = pages ?? (gap !== null && gap > 0 ? gap : gap === null && next === null ? Math.max(1, size - folio.index) : 1);
    if (index === expected || excused) {
      this.#order(entry, pages, gap);
      return folio.index + Math.max(reach, this.#isShort(entry, pages, gap) ? (gap ?? reach) : reach);
    }
    // The others agree without this one.
    const agrees = next === null ? expected + reach >= size && expected < size : next.index === expected + reach;
    const far = folio.index >= size && expected < size;
    const text = `${place(entry)}: index is ${index}, page ${expected} follows the folio before it`;
    if (far) this.#at(folioRuleIds.beyondSize, entry, 'index', `${text}, and the file (${formatBytes(entry.memfd.size)}) has ${size} pages`);
    else if (folio.index < expected) this.#at(folioRuleIds.index, entry, 'index', text);
    else this.#at(agrees ? folioRuleIds.index : folioRuleIds.hole, entry, 'index', text);
    return agrees || far ? expected + reach : Math.max(expected, folio.index + reach);
  }

  /** Has the map a shorter block for the folio than the file has pages before the next? */
  #isShort({ memfd, folio, next, second }: Entry, pages: number | null, gap: number | null): boolean {
    // It is not the index of the next that is wrong.
    if (next !== null && second !== null && second.index !== next.index + (memfd.pagesOf(next, second) ?? 1)) return false;
    return pages !== null && gap !== null && gap > pages && Number.isInteger(Math.log2(gap)) && folio.pfn % gap === 0 && folio.index % gap === 0;
  }

  /** The map's block for the folio against the pages it has in the file. */
  #order(entry: Entry, pages: number | null, gap: number | null): void {
    const { folio, memfd } = entry;
    if (!this.#whole || pages === null || gap === pages) return;
    const { map } = this.#subject.handover;
    const address = folio.pfn * this.#pageSize;
    const orders = map?.ordersAt(address) ?? [];
    if (this.#isShort(entry, pages, gap) && map !== null) {
      const key = map.placeOf(address, Math.log2(pages));
      const text = `${place(entry)} is preserved as a block of order ${Math.log2(pages)}, the file has ${gap} pages before the next (order ${Math.log2(gap ?? 1)})`;
      this.keep(folioRuleIds.order, { message: text, at: key?.at ?? memfd.entryAddress(folio.entry), path: key?.path ?? folioKey(memfd, folio.entry) });
      return;
    }
    if (folio.index % pages !== 0 || (gap !== null && gap > 0 && gap < pages && orders.length === 1 && entry.next?.index === folio.index + gap && pages > 1))
      this.#at(
        folioRuleIds.order,
        entry,
        'pfn_flags',
        `${place(entry)} is preserved as a block of ${pages} pages, which cannot be at page ${folio.index} of the file`,
      );
  }

  #end(memfd: Memfd, { size, expected, beyond, last, empty }: Walk): void {
    const readAll = BigInt(last + 1) === memfd.folioCount && (memfd.area !== null || memfd.folioCount === 0n);
    if (!readAll) return;
    const count = memfd.reading.field('nr_folios');
    const [firstEmpty] = empty;
    if (firstEmpty !== undefined && expected >= size)
      this.keep(folioRuleIds.missing, {
        message: `nr_folios is ${memfd.folioCount}, the table ends with entry ${firstEmpty.entry - 1}`,
        at: count.address,
        path: count.path,
      });
    else for (const none of empty) this.#none(memfd, none);
    const node = memfd.reading.field('size');
    const isSize = memfd.size > 0x7fffffffffffffffn || size > MAX_PAGES;
    if (beyond > 0 && !isSize)
      this.keep(folioRuleIds.tooSmall, {
        message: `size is ${memfd.size} bytes (${size} pages), the folios reach to page ${expected}`,
        at: node.address,
        path: node.path,
      });
    if (this.#whole && expected < size && !isSize && empty.length === 0 && memfd.usedEntryAfter() === null)
      this.keep(folioRuleIds.hole, {
        message: `size is ${memfd.size} bytes (${size} pages), the folios end at page ${expected}`,
        at: node.address,
        path: node.path,
      });
  }
}

/** Is the folio in memory where the one before it ends, or does it end where the one after it starts? */
function followsNeighbours({ memfd, folio, before, next }: Entry, pages: number | null): boolean {
  const length = pages ?? 1;
  return (before !== null && before.pfn + (memfd.pagesOf(before, folio) ?? 1) === folio.pfn) || (next !== null && next.pfn === folio.pfn + length);
}

/** How far the folio is from its neighbours in the file, beyond what they are from each other: pages of a file are often allocated near each other. */
function strays({ folio, before, next }: Entry): number {
  const [first, last] = [before ?? next, next ?? before];
  if (first === null || last === null || first.pfn === 0 || last.pfn === 0) return 0;
  return Math.abs(folio.pfn - first.pfn) + Math.abs(last.pfn - folio.pfn) - Math.abs(last.pfn - first.pfn);
}

const place = ({ folio }: { readonly folio: Folio }): string =>
  `folio ${folio.entry} (page ${folio.exactIndex ?? folio.index} of the file, pfn ${hex(folio.pfn)})`;
