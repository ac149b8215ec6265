/** `luo-inspect ledger` for people: the owners of each dump's preserved pages, largest first, then what changed along the chain. */
import { formatBytes } from '../tree/words.js';
import { escapeText } from './escape.js';
import { belongsTo, incomplete } from './ledger-json.js';
import type { LedgerChain, LedgerOfDump } from './ledger-model.js';

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
