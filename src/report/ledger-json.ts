/** `luo-inspect ledger --json`: schema luo-inspect.ledger/1. */
import { countJson, hexJson, type Json, type JsonObject } from './json-value.js';
import type { Ledger } from '../handover/ledger/ledger.js';
import { ownerText } from '../handover/owners/owner.js';
import type { LedgerChain, LedgerOfDump } from './ledger-model.js';

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
export function belongsTo({ handover }: Ledger, path: string | null): string | null {
  const owner = path === null ? undefined : handover.owners.byPath.get(path);
  return owner === undefined ? null : ownerText(owner);
}

/** Why the sum of the owners is not everything, or null. */
export function incomplete(mapComplete: boolean, uncounted: number, limit: string | null): string | null {
  const reasons = [
    ...(mapComplete ? [] : ['parts of the preserved map could not be read']),
    ...(uncounted === 0 ? [] : [`${uncounted} pages did not fit the ledger`]),
    ...(limit === null ? [] : [limit]),
  ];
  return reasons.length === 0 ? null : reasons.join('; ');
}
