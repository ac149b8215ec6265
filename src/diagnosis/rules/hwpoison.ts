/** Rules about the list of broken memory that one kernel hands to the next. Source: mail series "hwpoison over KHO", v5, 15 Sep 2026. */
import { readLedger } from '../../handover/ledger/ledger.js';
import { physicalAddress } from '../../memory/memory.js';
import { hex } from '../../tree/words.js';
import { type HandoverRule, type Hit, wrong } from '../rule.js';
import { knownAreas } from '../scratch-arrays.js';
import { type Subject, isIntact } from '../subject.js';

const SOURCE = 'mail series "hwpoison over KHO", v5, 15 Sep 2026, Breno Leitao; mm/hwpoison-kho.c at 0f171044';

function* preserved(subject: Subject): Iterable<Hit> {
  const { handover, dump } = subject;
  const { pageSize } = dump.memory;
  if (handover.hwpoison === null || !isIntact(subject)) return;
  const ledger = readLedger(handover, dump.memory);
  for (const { pfn, at } of handover.hwpoison.pages()) {
    const address = physicalAddress(pfn * BigInt(pageSize));
    if (address === null) continue;
    const scratch = knownAreas(subject)?.some(({ start, size }) => address >= start && address < start + size) === true;
    if (scratch)
      yield { message: `page frame ${hex(pfn)} is broken, and is in the scratch area the next kernel boots in`, at, path: handover.hwpoison.node.path };
    const owner = ledger?.ownerAt(address) ?? null;
    if (owner === null) continue;
    const whose = owner.kind === 'nobody' ? 'nobody known' : `${owner.kind} ${JSON.stringify(owner.name)}`;
    yield { message: `page frame ${hex(pfn)} is broken, and preserved for ${whose}`, at, path: handover.hwpoison.node.path };
    if (owner.path !== null && owner.kind !== 'nobody')
      yield { message: `its page at ${hex(address)} is broken memory: the list of poisoned pages has it`, at: address, path: owner.path };
  }
}

export const hwpoisonRules: readonly HandoverRule[] = [
  {
    id: 'hwpoison/preserved',
    severity: 'error',
    phase: 'retrieve',
    title: 'a page that is handed over is broken memory',
    about: 'The old kernel met an uncorrectable error in the page. It is preserved all the same, so whoever gets it back meets the error again.',
    reaction: 'hwpoison/preserved',
    confirm: 'Look for "re-poisoning … pages from previous kernel" and "re-poison PFN … failed" in the log of the next kernel.',
    sources: [SOURCE],
    check: preserved,
  },
  {
    id: 'hwpoison/list',
    severity: 'warning',
    phase: 'early boot',
    title: 'the list of broken memory cannot be read',
    about: 'Version 1 has a count and a vmalloc area of page frame numbers, which grows by doubling.',
    reaction: 'hwpoison/list',
    confirm: 'Look for "hwpoison-kho:" in the log of the next kernel.',
    sources: [SOURCE],
    check: (subject) => wrong(subject, 'hwpoison'),
  },
];
