/** What `ledger` shows: one dump or a chain of them, oldest first. */
import type { DecodedDump } from '../handover/decode.js';
import { type Growth, growthOf } from '../handover/ledger/growth.js';
import { type Ledger, readLedger } from '../handover/ledger/ledger.js';
import { type SystemdEntry, type SystemdMapping, ownerText } from '../handover/owners/owner.js';
import { lostEntries } from '../handover/owners/systemd.js';
import { type ScratchAdvice, scratchAdvice } from '../handover/ledger/scratch.js';
import { formatBytes } from '../tree/words.js';
import { escapeText } from './escape.js';
import { countJson, hexJson, type Json, type JsonObject } from './json-value.js';

export interface LedgerOfDump {
  readonly path: string;
  /** null where no handover's map could be read; `why` says so */
  readonly ledger: Ledger | null;
  readonly scratch: ScratchAdvice | null;
  readonly why: string | null;
}

interface LedgerChain {
  readonly dumps: readonly LedgerOfDump[];
  /** null for a single dump */
  readonly growth: readonly Growth[] | null;
  /** descriptors that systemd's mapping lost from one dump to the next, with the later dump's path; null for a single dump */
  readonly unmapped: readonly { readonly path: string; readonly entry: SystemdEntry }[] | null;
}

/** Books the handover of a dump that a reader asks about first, of those whose map can be read. */
export function ledgerOf(path: string, decoded: DecodedDump): LedgerOfDump {
  const handover = decoded.handovers.find(({ map, released }) => map !== null && !released) ?? decoded.handovers.find(({ map }) => map !== null);
  const ledger = handover === undefined ? null : readLedger(handover, decoded.memory);
  if (ledger === null) {
    const [first] = decoded.handovers;
    const reason = first?.observations.find(({ kind }) => kind.startsWith('map-'))?.text;
    return { path, ledger: null, scratch: null, why: reason ?? 'no preserved memory map is in this dump' };
  }
  return { path, ledger, scratch: scratchAdvice(decoded, ledger), why: null };
}

/** @param dumps oldest first. Growth needs two ledgers at least. */
export function ledgerChain(dumps: readonly LedgerOfDump[]): LedgerChain {
  const ledgers = dumps.flatMap(({ ledger }) => (ledger === null ? [] : [ledger]));
  const many = dumps.length > 1 && ledgers.length > 1;
  return { dumps, growth: many ? growthOf(ledgers) : null, unmapped: dumps.length > 1 ? unmapped(dumps) : null };
}

function unmapped(dumps: readonly LedgerOfDump[]): readonly { readonly path: string; readonly entry: SystemdEntry }[] {
  const lost: { path: string; entry: SystemdEntry }[] = [];
  let before: SystemdMapping | null = null;
  for (const { path, ledger } of dumps) {
    const after = ledger?.handover.owners.systemd ?? null;
    if (after === null) continue;
    if (before !== null) for (const entry of lostEntries(before, after)) lost.push({ path, entry });
    before = after;
  }
  return lost;
}

/** Owners that are listed one by one. */
const LISTED = 40;

export function* ledgerText({ dumps, growth, unmapped }: LedgerChain): Iterable<string> {
  for (const dump of dumps) yield* dumpText(dump);
  if (dumps.length > 1 && growth === null) yield 'growth: not known, for fewer than two of the dumps have a preserved map';
  if (growth !== null) yield `growth over ${dumps.length} dumps, in pages:`;
  if (growth?.length === 0) yield '  every owner has as many pages as before';
  for (const { kind, name, pages, change, leaked } of growth ?? []) {
    const left = leaked === 0 ? '' : `; ${leaked} pages that were ${kind === 'nobody' ? 'unclaimed before' : 'its own'} are claimed by nobody now`;
    const by = `${change > 0 ? '+' : ''}${change}`;
    yield `  ${by.padEnd(10)}${kind.padEnd(12)}${escapeText(name)}: ${pages.join(' -> ')}${left}`;
  }
  for (const { path, entry } of unmapped ?? []) {
    const what = entry.token === null ? `session ${JSON.stringify(entry.sessionName)}` : `descriptor ${JSON.stringify(entry.name)}`;
    yield `systemd's mapping in ${escapeText(path)} no longer has ${escapeText(what)} of unit ${escapeText(entry.unit)}: closed by the unit, or lost by a nested manager (systemd issue 42377)`;
  }
}

function* dumpText({ path, ledger, scratch, why }: LedgerOfDump): Iterable<string> {
  if (ledger === null) {
    yield `${escapeText(path)}: preserved pages are not known: ${escapeText(why ?? '')}`;
    yield '';
    return;
  }
  const { pageSize } = ledger;
  yield `${escapeText(path)}: ${ledger.handover.path}, ${ledger.pages} pages preserved (${formatBytes(ledger.pages * pageSize)}) in ${ledger.blocks} blocks`;
  const shown = ledger.entries.slice(0, LISTED);
  for (const { owner, pages, unpreserved, shared, unread } of shown) {
    const damage = [
      ...(unpreserved === 0 ? [] : [`${unpreserved} pages it uses are NOT preserved`]),
      ...(shared === 0 ? [] : [`${shared} pages it uses are another's`]),
      ...(unread === 0n ? [] : [`${unread} entries of its list of pages could not be read: their pages count as nobody's`]),
    ];
    const details = [owner.detail, belongsTo(ledger, owner.path) ?? ''].filter((text) => text !== '');
    const detail = details.length === 0 ? '' : ` (${escapeText(details.join('; '))})`;
    yield `  ${String(pages).padStart(10)}  ${formatBytes(pages * pageSize).padStart(10)}  ${owner.kind.padEnd(12)}${escapeText(owner.name)}${detail}${damage.length === 0 ? '' : `; ${damage.join(', ')}`}`;
  }
  const rest = ledger.entries.slice(LISTED);
  if (rest.length > 0) {
    const pages = rest.reduce((sum, entry) => sum + entry.pages, 0);
    yield `  ${String(pages).padStart(10)}  ${formatBytes(pages * pageSize).padStart(10)}  ${rest.length} more owners (--json lists them)`;
  }
  if (ledger.twice > 0) yield `  ${ledger.twice} pages are preserved twice: their blocks are inside larger ones`;
  const gaps = incomplete(ledger.mapComplete, ledger.uncounted, ledger.limit);
  if (gaps !== null) yield `  not everything was counted: ${gaps}`;
  if (scratch !== null) yield `  scratch: ${scratch.text}`;
  yield '';
}

/** `total`, `owners` and what follows are the last dump's; `dumps` has all of them, oldest first. */
export function ledgerJson({ dumps, growth, unmapped }: LedgerChain): JsonObject {
  const last = dumps.at(-1);
  return {
    schema: 'luo-inspect.ledger/1',
    ...(last === undefined ? {} : dumpJson(last)),
    growth: growth === null ? null : growth.map(({ kind, name, pages, change, leaked }) => ({ owner: name, kind, pages: [...pages], change, leaked })),
    unmapped:
      unmapped === null
        ? null
        : unmapped.map(({ path, entry: { unit, name, token, sessionName } }) => ({
            path,
            unit,
            name,
            token: token === null ? null : hexJson(token),
            sessionName,
          })),
    dumps: dumps.map((dump) => ({ path: dump.path, ...dumpJson(dump) })),
  };
}

function dumpJson({ ledger, scratch, why }: LedgerOfDump): JsonObject {
  if (ledger === null) return { handover: null, total: null, owners: [], unpreserved: null, shared: null, twice: null, complete: false, why, scratch: null };
  const { pageSize, entries } = ledger;
  const sum = (of: (entry: (typeof entries)[number]) => number): number => entries.reduce((total, entry) => total + of(entry), 0);
  return {
    handover: ledger.handover.path,
    total: { pages: ledger.pages, bytes: countJson(ledger.pages * pageSize), blocks: ledger.blocks },
    owners: entries.map(({ owner, blocks, pages, unpreserved, shared, unread }) => ({
      owner: owner.name,
      kind: owner.kind,
      detail: owner.detail,
      path: owner.path,
      belongsTo: belongsTo(ledger, owner.path),
      pages,
      bytes: countJson(pages * pageSize),
      blocks,
      unpreserved,
      shared,
      unread: countJson(unread),
    })),
    unpreserved: sum(({ unpreserved }) => unpreserved),
    shared: sum(({ shared }) => shared),
    twice: ledger.twice,
    complete: ledger.mapComplete && ledger.limit === null && ledger.uncounted === 0,
    why: incomplete(ledger.mapComplete, ledger.uncounted, ledger.limit),
    scratch: scratch === null ? null : ({ ...scratch } satisfies Readonly<Record<string, Json>>),
  };
}

/** Whose a file or session is in user space, in words; null where nothing tells. */
function belongsTo({ handover }: Ledger, path: string | null): string | null {
  const owner = path === null ? undefined : handover.owners.byPath.get(path);
  return owner === undefined ? null : ownerText(owner);
}

/** Why the sum of the owners is not everything, or null. */
function incomplete(mapComplete: boolean, uncounted: number, limit: string | null): string | null {
  const reasons = [
    ...(mapComplete ? [] : ['parts of the preserved map could not be read']),
    ...(uncounted === 0 ? [] : [`${uncounted} pages did not fit the ledger`]),
    ...(limit === null ? [] : [limit]),
  ];
  return reasons.length === 0 ? null : reasons.join('; ');
}
