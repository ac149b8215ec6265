/** A chain of ledgers, oldest first: which owners grew, and whose pages were left without anybody who claims them. */
import type { Ledger } from './ledger.js';
import { NOBODY } from './ledger.js';
import type { OwnerKind } from './claims.js';

export interface Growth {
  readonly kind: OwnerKind;
  readonly name: string;
  /** pages in each ledger; 0 where it is not there */
  readonly pages: readonly number[];
  /** last less first, in pages */
  readonly change: number;
  /** pages of the last ledger that nobody claims and that were this owner's in an earlier one */
  readonly leaked: number;
}

/** Every owner whose pages changed or leaked over the chain, the largest change first. Empty if all stayed as it was. */
export function growthOf(ledgers: readonly Ledger[]): readonly Growth[] {
  const last = ledgers.at(-1);
  const leaks = last === undefined ? new Map<string, number>() : leaksOf(ledgers.slice(0, -1), last);
  const rows = new Map<string, { kind: OwnerKind; name: string; pages: number[] }>();
  for (const [index, ledger] of ledgers.entries()) {
    for (const { owner, pages } of ledger.entries) {
      const key = keyOf(owner);
      const row = rows.get(key) ?? { kind: owner.kind, name: owner.name, pages: ledgers.map(() => 0) };
      rows.set(key, row);
      row.pages[index] = pages;
    }
  }
  return [...rows]
    .map(([key, { kind, name, pages }]) => ({ kind, name, pages, change: (pages.at(-1) ?? 0) - (pages[0] ?? 0), leaked: leaks.get(key) ?? 0 }))
    .filter(({ pages, leaked }) => leaked > 0 || pages.some((count) => count !== pages[0]))
    .sort((a, b) => b.leaked - a.leaked || Math.abs(b.change) - Math.abs(a.change));
}

const keyOf = ({ kind, name }: { readonly kind: OwnerKind; readonly name: string }): string => `${kind} ${name}`;

/** Unclaimed pages of `last`, by who had them before; the latest owner counts. Those that never had one are nobody's. */
function leaksOf(earlier: readonly Ledger[], last: Ledger): ReadonlyMap<string, number> {
  const leaks = new Map<string, number>();
  const before = [...earlier].reverse();
  for (const { start, order } of last.unclaimed()) {
    let key: string | null = null;
    for (const ledger of before) {
      const owner = ledger.ownerAt(start);
      if (owner === null) continue;
      key = keyOf(owner);
      if (owner !== NOBODY) break;
    }
    if (key !== null) leaks.set(key, (leaks.get(key) ?? 0) + 2 ** order);
  }
  return leaks;
}
