/**
 * The one pass over the folio tables of preserved memfds that all rules of memfd-folios.ts share: each entry against the map, the
 * file's size and the entry before. Lazily, and bounded.
 */
import type { Handover } from '../../handover/decode.js';
import { hex } from '../../tree/words.js';
import type { Folio, Memfd } from '../../handover/memfd.js';
import type { Hit } from '../rule.js';
import { type Subject, cutShort } from '../subject.js';
import { memfdsOf } from './memfd.js';
import { hasWholeMap } from './references.js';
import { usersOf } from './sharing.js';

export const DIRTY_UPTODATE = 0x3;

/** One entry of a table, with what a rule needs to judge it. */
export interface Walked {
  readonly memfd: Memfd;
  readonly folio: Folio;
  /** null where pfn is 0, or a whole map does not know it */
  readonly pages: number | null;
  /** does it start a block of the map, lie inside of one, or neither? null where the map can't be asked */
  readonly block: 'starts' | 'inside' | 'none' | null;
  /** where the folio before it ended, in pages */
  readonly expected: number;
  /** where the same folio was listed before */
  readonly listedAt: string | null;
}

export type Judge = (walked: Walked, subject: Subject) => string | null;

/** Findings of one rule kept from the pass; more say nothing new. */
const MAX_KEPT = 1000;

/** Page frames remembered to find one that is listed twice: 4 GiB in pages of 4 KiB. */
const MAX_LISTED = 1 << 20;

interface Pass {
  readonly hits: ReadonlyMap<string, readonly Hit[]>;
}

/** rules about single entries, by id */
export const judges = new Map<string, Judge>();
const passes = new WeakMap<Handover, Pass>();

/** Every table once, whatever the number of rules; stops at the limit. */
export function passOf(subject: Subject): Pass {
  const known = passes.get(subject.handover);
  if (known !== undefined) return known;
  const hits = new Map<string, Hit[]>([...judges.keys()].map((id) => [id, []]));
  const keep = (id: string, found: Hit): void => {
    const list = hits.get(id) ?? [];
    if (list.length < MAX_KEPT) list.push(found);
    hits.set(id, list);
  };
  const listed = new Map<number, Walked>();
  let left = subject.limits.items;
  const memfds = memfdsOf(subject);
  const entries = memfds.reduce((sum, memfd) => sum + memfd.readableFolios, 0);
  if (entries > left) cutShort(subject, `${subject.handover.path}/luo/sessions, folios of memfds`, entries - left);
  for (const memfd of memfds) left = walkTable(subject, memfd, listed, left, keep);
  const pass = { hits };
  passes.set(subject.handover, pass);
  return pass;
}

function walkTable(subject: Subject, memfd: Memfd, listed: Map<number, Walked>, limit: number, keep: (id: string, found: Hit) => void): number {
  const { pageSize } = subject.dump.memory;
  const whole = hasWholeMap(subject);
  const size = Math.ceil(Number(memfd.size) / pageSize);
  const users = usersOf(subject);
  /** first of the entries with pfn 0 that nothing follows */
  let firstEmpty = -1;
  /** folios in order, and yet beyond the end: then it is the size that is wrong */
  let beyond = 0;
  let expected = 0;
  let lastEntry = -1;
  let left = limit;
  for (const [folio, next] of withNext(memfd.entries())) {
    if (left-- <= 0) return 0;
    const pages = folio.pfn === 0 ? null : memfd.pagesOf(folio, next);
    const block = folio.pfn === 0 || !whole ? null : pages !== null ? 'starts' : blockAt(subject, folio.pfn * pageSize);
    const before = folio.pfn === 0 ? undefined : listed.get(folio.pfn);
    const listedAt = before === undefined ? null : pathOf(before);
    const walked: Walked = { memfd, folio, pages, block, expected, listedAt };
    if (before !== undefined) keep(SHARED, entryHit(before, `${place(before)} is listed again, at ${pathOf(walked)}`));
    const user = folio.pfn === 0 ? undefined : users.get(folio.pfn * pageSize)?.[0];
    if (user !== undefined) keep(STRUCTURE, entryHit(walked, `${place(walked)} is the page of ${user.what} (from ${user.path})`));
    if (folio.pfn !== 0) firstEmpty = -1;
    else if (firstEmpty === -1) firstEmpty = folio.entry;
    if (folio.pfn !== 0 && folio.index >= size && folio.index === expected) beyond++;
    if (!isAsWritten(walked, size)) {
      for (const [id, judge] of judges) {
        const message = judge(walked, subject);
        if (message !== null) keep(id, entryHit(walked, message));
      }
    }
    if (folio.pfn !== 0 && before === undefined) {
      if (listed.size < MAX_LISTED) listed.set(folio.pfn, walked);
      else cutShort(subject, `${memfd.node.path}, whether folios behind entry ${folio.entry} are listed twice`);
    }
    // Entries that could not be read explain a gap.
    if (whole && folio.pfn !== 0 && folio.index > expected && folio.entry === lastEntry + 1)
      keep(HOLE, entryHit(walked, `pages ${expected} to ${folio.index - 1} of the file have no folio: ${place(walked)} follows them`));
    lastEntry = folio.entry;
    const reach = pages ?? (whole ? 1 : Math.max(1, (next?.index ?? 0) - folio.index));
    expected = Math.max(expected, folio.index + (folio.pfn === 0 ? 0 : reach));
  }
  const readAll = BigInt(lastEntry + 1) === memfd.folioCount && (memfd.area !== null || memfd.folioCount === 0n);
  if (readAll && firstEmpty !== -1) {
    const node = memfd.reading.field('nr_folios');
    keep(MISSING, { message: `nr_folios is ${memfd.folioCount}, but the table ends with entry ${firstEmpty - 1}`, at: node.address, path: node.path });
  }
  if (beyond > 0 && readAll) {
    const node = memfd.reading.field('size');
    keep(TOO_SMALL, { message: `size is ${memfd.size} bytes (${size} pages), but the folios reach to page ${expected}`, at: node.address, path: node.path });
  }
  if (whole && readAll && expected < size && size <= MAX_PAGES) {
    const node = memfd.reading.field('size');
    keep(HOLE, { message: `size is ${memfd.size} bytes (${size} pages), but the folios end at page ${expected}`, at: node.address, path: node.path });
  }
  return left;
}

/** An entry as the kernel writes it breaks no rule, and nearly all are: it is not shown to each of them. `size` in pages. */
const isAsWritten = ({ folio, pages, block, expected, listedAt }: Walked, size: number): boolean =>
  block === 'starts' &&
  pages !== null &&
  listedAt === null &&
  folio.flags === DIRTY_UPTODATE &&
  folio.index === expected &&
  folio.index < size &&
  folio.index % pages === 0 &&
  folio.exactIndex === undefined;

export const HOLE = 'memfd/hole';
export const SHARED = 'memfd/folio-shared';
export const STRUCTURE = 'memfd/folio-is-structure';
export const MISSING = 'memfd/folios-missing';
export const TOO_SMALL = 'memfd/size-small';
/** A file has no more. */
const MAX_PAGES = 2 ** 32;

function blockAt(subject: Subject, address: number): Walked['block'] {
  const { map } = subject.handover;
  if (map === null) return null;
  return map.blockOf(address) === null ? 'none' : 'inside';
}

function* withNext(entries: Iterable<Folio>): Iterable<readonly [Folio, Folio | null]> {
  let last: Folio | null = null;
  for (const entry of entries) {
    if (last !== null) yield [last, entry];
    last = entry;
  }
  if (last !== null) yield [last, null];
}

function entryHit({ memfd, folio }: { readonly memfd: Memfd; readonly folio: Folio }, message: string): Hit {
  return { message, at: memfd.entryAddress(folio.entry), path: pathOf({ memfd, folio }) };
}

const pathOf = ({ memfd, folio }: { readonly memfd: Memfd; readonly folio: Folio }): string => `${memfd.node.path}/folios[]/${folio.entry}`;

export const place = ({ folio }: { readonly folio: Folio }): string => `folio ${folio.entry} (page ${folio.index} of the file, pfn ${hex(folio.pfn)})`;
