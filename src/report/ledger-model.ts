/** What `ledger` shows: one dump or a chain of them, oldest first. */
import type { DecodedDump } from '../handover/decode.js';
import { type Growth, growthOf } from '../handover/ledger/growth.js';
import { type Ledger, readLedger } from '../handover/ledger/ledger.js';
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
}

/** Books the handover of a dump that a reader asks about first, of those whose map can be read. */
export function ledgerOf(path: string, decoded: DecodedDump): LedgerOfDump {
  const handover = decoded.handovers.find(({ map, released }) => map !== null && !released) ?? decoded.handovers.find(({ map }) => map !== null);
  const ledger = handover === undefined ? null : readLedger(handover, decoded.memory.pageSize);
  if (ledger === null) {
    const [first] = decoded.handovers;
    const reason = first?.observations.find(({ kind }) => kind.startsWith('map-'))?.text;
    return { path, ledger: null, scratch: null, why: reason ?? 'no preserved memory map is in this dump' };
  }
  return { path, ledger, scratch: scratchAdvice(decoded, ledger), why: null };
}

export function ledgerChain(dumps: readonly LedgerOfDump[]): LedgerChain {
  const ledgers = dumps.flatMap(({ ledger }) => (ledger === null ? [] : [ledger]));
  return { dumps, growth: dumps.length > 1 && ledgers.length > 1 ? growthOf(ledgers) : null };
}
