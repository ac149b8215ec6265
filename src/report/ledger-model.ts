/** What `ledger` shows: one dump or a chain of them, oldest first. */
import type { DecodedDump } from '../handover/decode.js';
import { type Growth, growthOf } from '../handover/ledger/growth.js';
import { type Ledger, readLedger } from '../handover/ledger/ledger.js';
import type { SystemdEntry, SystemdMapping } from '../handover/owners/owner.js';
import { lostEntries } from '../handover/owners/systemd.js';
import { type ScratchAdvice, scratchAdvice } from '../handover/ledger/scratch.js';

export interface LedgerOfDump {
  readonly path: string;
  /** null where no handover's map could be read; `why` says so */
  readonly ledger: Ledger | null;
  readonly scratch: ScratchAdvice | null;
  readonly why: string | null;
}

export interface LedgerChain {
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
