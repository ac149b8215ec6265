/** Rules about the scratch areas the next kernel boots in. Sources: kho_reserve_scratch(), kernel/liveupdate/kexec_handover.c, 6.16 to 7.3. */
import { hex } from '../../tree/words.js';
import type { Scratch } from '../../handover/roles.js';
import { type HandoverRule, type Hit, reaction } from '../rule.js';
import type { Subject } from '../subject.js';

const SOURCE = 'kho_reserve_scratch() and kho_populate(), kernel/liveupdate/kexec_handover.c, 6.16 to 7.3';

const path = (subject: Subject): string => `${subject.handover.path}/kho/scratch`;

function* when(subject: Subject, states: readonly Scratch['state'][]): Iterable<Hit> {
  const { scratch } = subject.handover;
  if (states.includes(scratch.state)) yield { message: scratch.why, at: scratch.address, path: path(subject) };
}

export const scratchRules: readonly HandoverRule[] = [
  {
    id: 'scratch/not-filled',
    silent: true,
    severity: 'info',
    phase: 'jump',
    title: 'the scratch areas are not known yet',
    about:
      'The array that a setup_data node names is a destination: it is copied there at the jump. In a dump of the old kernel it still reads as zeros, or as whatever stood there, so nothing can be held against the scratch areas.',
    reactions: null,
    confirm: 'A dump of the next kernel, or out/scratch_phys and out/scratch_len of debugfs, lists them.',
    sources: [SOURCE, 'seen with 7.3.4 and 7.1.13, stopped at machine_kexec'],
    check: (subject) => when(subject, ['empty', 'implausible']),
  },
  {
    id: 'scratch/unknown',
    silent: true,
    severity: 'info',
    phase: 'jump',
    title: 'nothing in the dump tells where the scratch areas are',
    about: 'No setup_data node names this FDT, or the array that it names is not in the dump. Preserved memory can not be checked against scratch then.',
    reactions: null,
    confirm: 'out/scratch_phys and out/scratch_len of debugfs list them.',
    sources: [SOURCE],
    check: (subject) => when(subject, ['missing', 'not-named']),
  },
  {
    id: 'scratch/alignment',
    silent: true,
    severity: 'info',
    phase: 'jump',
    title: 'a scratch area is not aligned to the largest block of the page allocator',
    about: 'Up to 7.1 areas are rounded to the smallest CMA alignment only and may merge with their neighbours’ page blocks; from 7.2 on to the largest block.',
    reactions: { otherwise: reaction('warns', 'Page blocks at the edge of the area get a wrong migrate type.') },
    confirm: 'Compare start and size with 4 MiB (at 4 KiB pages).',
    sources: ['"make sure scratch size aligned", in 7.2', SOURCE],
    *check(subject) {
      const { scratch } = subject.handover;
      if (scratch.areas === null || subject.dialect !== '7.2') return;
      const unit = subject.dump.memory.pageSize * MAX_ORDER_PAGES;
      for (const area of scratch.areas) {
        if (area.start % unit === 0 && area.size % unit === 0) continue;
        yield {
          message: `the scratch area of ${hex(area.size)} bytes at ${hex(area.start)} is not aligned to ${hex(unit)}`,
          at: area.start,
          path: path(subject),
        };
      }
    },
  },
];

/** MAX_ORDER_NR_PAGES where nobody configured it otherwise. */
const MAX_ORDER_PAGES = 1024;
