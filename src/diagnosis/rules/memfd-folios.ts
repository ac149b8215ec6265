/**
 * Rules about the folios of preserved memfds: each against the map, against the file's size, against the one before (see
 * memfd-folio-pass.ts). Sources: mm/memfd_luo.c, 6.19 to 7.3.
 */
import { behaviourIsKnown } from '../../../abi/contract.js';
import { formatBytes, hex } from '../../tree/words.js';
import { type HandoverRule, type RuleText, reaction } from '../rule.js';
import { DIRTY_UPTODATE, HOLE, type Judge, MISSING, SHARED, STRUCTURE, TOO_SMALL, judges, passOf, place } from './memfd-folio-pass.js';
import { memfdsOf } from './memfd.js';
import { around } from './references.js';

const RETRIEVE = 'memfd_luo_retrieve_folios(), mm/memfd_luo.c, 6.19 to 7.3';
const KNOWN_FLAGS = 0x3;

/** A rule about single entries; `judge` is asked once for each. */
function each(text: RuleText, judge: Judge): HandoverRule {
  judges.set(text.id, judge);
  return { ...text, check: (subject) => passOf(subject).hits.get(text.id) ?? [] };
}

const notRestored = reaction(
  'retrieve-fails',
  'kho_restore_folio() warns and gives NULL ("Unable to restore folio at physical address"): RETRIEVE_FD fails with EIO, now and on every further try, and the later folios are freed.',
  'EIO',
);

export const memfdFolioRules: readonly HandoverRule[] = [
  each(
    {
      id: 'memfd/folio-not-preserved',
      severity: 'error',
      phase: 'retrieve',
      title: 'a folio of a memfd is not preserved',
      about:
        'The table names a page that the preserved memory map does not have: the entry is damaged, or the key was lost. The next kernel uses the page for other things before the file is retrieved.',
      reactions: { otherwise: notRestored },
      confirm: 'Look for "Unable to restore folio at physical address" in the log of the next kernel.',
      sources: [RETRIEVE, 'seen with 7.3.4: a pfn changed at the jump'],
    },
    (walked, subject) =>
      walked.block === 'none' ? `${place(walked)} is not preserved: ${around(subject, walked.folio.pfn * subject.dump.memory.pageSize)}` : null,
  ),
  each(
    {
      id: 'memfd/folio-inside-block',
      severity: 'error',
      phase: 'retrieve',
      title: 'a folio of a memfd is not the first page of a preserved block',
      about: 'A folio is restored with the order that the map has for its first page. A page inside a larger block has none.',
      reactions: { otherwise: notRestored },
      confirm: 'Look for "Unable to restore folio at physical address" in the log of the next kernel.',
      sources: [RETRIEVE],
    },
    (walked, subject) =>
      walked.block === 'inside'
        ? `${place(walked)} does not start a preserved block: ${around(subject, walked.folio.pfn * subject.dump.memory.pageSize)}`
        : null,
  ),
  each(
    {
      id: SHARED,
      severity: 'error',
      phase: 'retrieve',
      title: 'a folio is listed twice',
      about: 'A page belongs to one file, at one place. It can be restored once: the tag of its first page is cleared.',
      reactions: { otherwise: notRestored },
      confirm: 'Look for "WARNING: … kho_restore_page" in the log of the next kernel.',
      sources: ['kho_restore_page(), kernel/liveupdate/kexec_handover.c, 7.3', RETRIEVE],
    },
    (walked) => (walked.listedAt === null ? null : `${place(walked)} is listed before, at ${walked.listedAt}`),
  ),
  each(
    {
      id: 'memfd/folio-none',
      severity: 'error',
      phase: 'retrieve',
      title: 'an entry of a folio table is empty',
      about: 'The kernel skips an entry with pfn 0, and no kernel writes one: holes are filled when a file is preserved.',
      reactions: { otherwise: reaction('corrupts', 'The file is retrieved with a hole: it reads zeros there, and the page stays reserved.') },
      confirm: 'Show the entry in hex.',
      sources: [RETRIEVE],
    },
    (walked) => (walked.folio.pfn === 0 ? `entry ${walked.folio.entry} (page ${walked.folio.index} of the file) has pfn 0` : null),
  ),
  each(
    {
      id: 'memfd/index-beyond-size',
      severity: 'error',
      phase: 'retrieve',
      title: 'a folio lies beyond the end of its file',
      about: 'A file’s folios cover its size, the last one to the end of its block at most.',
      reactions: { otherwise: reaction('corrupts', 'The page is inserted where nobody can read it, and what belongs there reads zeros.') },
      confirm: 'Compare index * page size with size.',
      sources: [RETRIEVE],
    },
    (walked, subject) => {
      const end = Math.ceil(Number(walked.memfd.size) / subject.dump.memory.pageSize);
      return walked.folio.index >= end ? `${place(walked)} lies beyond the ${end} pages of the file (${formatBytes(walked.memfd.size)})` : null;
    },
  ),
  each(
    {
      id: 'memfd/index-order',
      severity: 'error',
      phase: 'retrieve',
      title: 'folios of a memfd overlap or stand out of order',
      about: 'Folios are listed by ascending place in the file, each behind the end of the one before. Two over the same page can not both be inserted.',
      reactions: {
        otherwise: reaction(
          'retrieve-fails',
          'Inserting a folio over another fails with EEXIST; the file is dropped, and the later folios are freed.',
          'EEXIST',
        ),
      },
      confirm: 'RETRIEVE_FD of the token in the next kernel.',
      sources: ['shmem_add_to_page_cache(), mm/shmem.c', RETRIEVE],
    },
    (walked) => (walked.folio.index < walked.expected ? `${place(walked)} stands before page ${walked.expected}, where the folio before it ends` : null),
  ),
  each(
    {
      id: 'memfd/folio-alignment',
      severity: 'error',
      phase: 'retrieve',
      title: 'a large folio stands at a place in the file that its size does not allow',
      about: 'In the page cache a folio of 2^n pages starts at an index that is a multiple of 2^n.',
      reactions: { otherwise: reaction('corrupts', 'The next kernel inserts it at a rounded index, over other pages.') },
      confirm: 'Compare the index with the order that the map has for the folio.',
      sources: ['shmem_add_to_page_cache(), mm/shmem.c'],
    },
    (walked) =>
      walked.pages !== null && walked.pages > 1 && walked.folio.index % walked.pages !== 0
        ? `${place(walked)} has ${walked.pages} pages, but its index is no multiple of that`
        : null,
  ),
  {
    id: STRUCTURE,
    severity: 'error',
    phase: 'retrieve',
    title: 'a folio of a memfd is the page of a structure',
    about: 'The table names a page that something else in the handover stands on: the entry was changed.',
    reactions: {
      otherwise: reaction(
        'corrupts',
        'The page is restored twice: the first restore gets it, the second warns in kho_restore_page() and fails; the file may show the structure’s bytes.',
      ),
    },
    confirm: 'Show the page in hex: its contents tell whose it is.',
    sources: [RETRIEVE],
    check: (subject) => passOf(subject).hits.get(STRUCTURE) ?? [],
  },
  {
    id: MISSING,
    severity: 'error',
    phase: 'retrieve',
    title: 'a memfd counts more folios than its table lists',
    about: 'The table ends before nr_folios: the count is too large. The kernel skips entries with pfn 0.',
    reactions: { otherwise: reaction('ignored', 'Entries with pfn 0 are skipped; beyond the table’s last page the kernel reads on, whatever stands there.') },
    confirm: 'Show the end of the table in hex.',
    sources: [RETRIEVE],
    check: (subject) => passOf(subject).hits.get(MISSING) ?? [],
  },
  {
    id: TOO_SMALL,
    severity: 'error',
    phase: 'retrieve',
    title: 'a memfd has more folios than its size has pages',
    about: 'The folios follow each other without a gap to beyond the end of the file: its size was changed.',
    reactions: { otherwise: reaction('corrupts', 'The file comes back shorter than it was; what lies behind its end can not be read.') },
    confirm: 'Compare size with the runs in the report.',
    sources: [RETRIEVE],
    check: (subject) => passOf(subject).hits.get(TOO_SMALL) ?? [],
  },
  {
    id: HOLE,
    severity: 'error',
    phase: 'retrieve',
    title: 'pages of a memfd have no folio',
    about: 'Holes of a file are filled when it is preserved, so every page of it has a folio. A page without one was lost.',
    reactions: { otherwise: reaction('corrupts', 'The file is retrieved, and reads zeros there.') },
    confirm: 'Compare the runs in the report with the size of the file.',
    sources: ['memfd_pin_folios(), mm/memfd.c', 'seen with 7.1.13 and 7.3.4: sparse files come back fully populated'],
    check: (subject) => passOf(subject).hits.get(HOLE) ?? [],
  },
  each(
    {
      id: 'memfd/folio-flags',
      severity: 'warning',
      phase: 'retrieve',
      title: 'a folio’s flags are not those the kernel writes',
      about:
        'Two bits are known, DIRTY and UPTODATE, and since March 2026 both are always set: a clean folio could be reclaimed after the update, and one that is not up to date reads zeros. In memfd-v1 of earlier kernels they tell the folio’s real state.',
      reactions: {
        otherwise: reaction(
          'corrupts',
          'A folio that is not dirty may be dropped under memory pressure, and its contents are lost; one that is not up to date reads zeros.',
        ),
      },
      confirm: 'Show the entry in hex.',
      sources: ['"memfd_luo: always dirty all folios", "memfd_luo: always make all folios uptodate", 4 March 2026'],
    },
    ({ memfd, folio }) => {
      if (!behaviourIsKnown(memfd.contract)) return null;
      if ((folio.flags & ~KNOWN_FLAGS) !== 0) return `entry ${folio.entry}: flags ${hex(folio.flags)} holds bits no kernel knows`;
      return memfd.seals !== null && folio.pfn !== 0 && folio.flags !== DIRTY_UPTODATE
        ? `entry ${folio.entry}: flags are ${hex(folio.flags)}, 0x3 is always written`
        : null;
    },
  ),
  {
    id: 'memfd/folio-clean',
    severity: 'info',
    phase: 'retrieve',
    title: 'folios of a memfd-v1 are clean or not up to date',
    about:
      'Kernels before the fixes of March 2026 hand over a folio’s real state. Clean folios may be reclaimed after the update and are then lost; one that is not up to date reads zeros.',
    reactions: { otherwise: reaction('corrupts', 'Contents may be lost after the update, under memory pressure.') },
    confirm: 'Is the writing kernel older than the fixes?',
    sources: ['"memfd_luo: always dirty all folios", 4 March 2026', 'mm/memfd_luo.c, 6.19.11'],
    *check(subject) {
      for (const memfd of memfdsOf(subject)) {
        if (memfd.seals !== null || !behaviourIsKnown(memfd.contract)) continue;
        let count = 0;
        for (const folio of memfd.folios()) if (folio.flags !== DIRTY_UPTODATE && count++ >= subject.limits.items) break;
        if (count > 0) yield { message: `${count} folios are not both dirty and up to date`, at: memfd.entryAddress(0), path: `${memfd.node.path}/folios[]` };
      }
    },
  },
];
