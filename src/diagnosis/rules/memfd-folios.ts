/**
 * Rules about the folios of preserved memfds: each against the map, against the file's size, against the one before (see
 * memfd-folio-pass.ts). Sources: mm/memfd_luo.c, 6.19 to 7.3.
 */
import { FOLIO_FLAGS } from '../../../abi/memfd/folio.js';
import { behaviourIsKnown } from '../../../abi/contract.js';
import type { HandoverRule, RuleText } from '../rule.js';
import { folioRuleIds as ids, passOf } from './memfd-folio-pass.js';
import { memfdsOf } from './memfd.js';

const RETRIEVE = 'memfd_luo_retrieve_folios(), mm/memfd_luo.c, 6.19 to 7.3';

/** A rule whose findings the pass collects. */
const collected = (text: RuleText): HandoverRule => ({ ...text, check: (subject) => passOf(subject).hits.get(text.id) ?? [] });

export const memfdFolioRules: readonly HandoverRule[] = [
  collected({
    id: ids.notPreserved,
    severity: 'error',
    phase: 'retrieve',
    title: 'folio of a memfd is not preserved',
    about: 'The table names a page that the preserved memory map does not have: the pfn was changed, or the key was lost.',
    reaction: 'folio/not-restored',
    confirm: 'Look for "Unable to restore folio at physical address" in the log of the next kernel.',
    sources: [RETRIEVE, 'seen with 7.3.4: a pfn changed at the jump'],
  }),
  collected({
    id: ids.insideBlock,
    severity: 'error',
    phase: 'retrieve',
    title: 'folio of a memfd does not start a preserved block',
    about: 'A folio is restored with the order that the map has for its first page. A page inside a larger block has none.',
    reaction: 'folio/not-restored',
    confirm: 'Look for "Unable to restore folio at physical address" in the log of the next kernel.',
    sources: [RETRIEVE],
  }),
  collected({
    id: ids.shared,
    severity: 'error',
    phase: 'retrieve',
    title: 'folio is listed twice',
    about: 'A page belongs to one file, at one place. It can be restored once: the tag of its first page is cleared.',
    reaction: 'folio/not-restored',
    confirm: 'Look for "WARNING: … kho_restore_page" in the log of the next kernel.',
    sources: ['kho_restore_page(), kernel/liveupdate/kexec_handover.c, 7.3', RETRIEVE],
  }),
  collected({
    id: ids.none,
    severity: 'error',
    phase: 'retrieve',
    title: 'pfn of a folio is 0',
    about: 'No kernel writes such an entry between others: holes are filled when a file is preserved.',
    reaction: 'memfd/folio-none',
    confirm: 'Show the entry in hex.',
    sources: [RETRIEVE],
  }),
  collected({
    id: ids.beyondSize,
    severity: 'error',
    phase: 'retrieve',
    title: 'index of a folio is beyond the end of its file',
    about: 'A file’s folios cover its size, the last one to the end of its block at most.',
    reaction: 'memfd/index-beyond-size',
    confirm: 'Compare index * page size with size.',
    sources: [RETRIEVE],
  }),
  collected({
    id: ids.index,
    severity: 'error',
    phase: 'retrieve',
    title: 'index of a folio is not where the folio before it ends',
    about:
      'Folios are listed by ascending place in the file, each where the one before ends: holes are filled when a file is preserved. Two over the same page cannot both be inserted.',
    reaction: 'memfd/index-order',
    confirm: 'RETRIEVE_FD of the token in the next kernel.',
    sources: ['shmem_add_to_page_cache(), mm/shmem.c', RETRIEVE],
  }),
  collected({
    id: ids.order,
    silent: true,
    severity: 'error',
    phase: 'retrieve',
    title: 'order of a folio’s block is not its length in the file',
    about:
      'How long a folio is, the map alone says: the order of its key. In the page cache a folio of 2^n pages starts at a multiple of 2^n, and the next one follows it.',
    reaction: 'memfd/folio-order',
    confirm: 'Compare the index of the next folio with the order in the map.',
    sources: ['shmem_add_to_page_cache(), mm/shmem.c', 'seen with 7.3.4: a key of order 0 in place of one of order 9'],
  }),
  collected({
    id: ids.structure,
    severity: 'error',
    phase: 'retrieve',
    title: 'folio of a memfd is the page of a structure',
    about: 'The table names a page that something else in the handover uses: the pfn was changed.',
    reaction: 'memfd/folio-is-structure',
    confirm: 'Show the page in hex: its contents tell whose it is.',
    sources: [RETRIEVE],
  }),
  collected({
    id: ids.missing,
    severity: 'info',
    phase: 'retrieve',
    title: 'nr_folios is more than the table lists',
    about: 'The table is as long as nr_folios says, and its last entries were never written. The kernel skips entries with pfn 0.',
    reaction: 'memfd/folios-missing',
    confirm: 'Show the end of the table in hex.',
    sources: [RETRIEVE],
  }),
  collected({
    id: ids.tooSmall,
    severity: 'error',
    phase: 'retrieve',
    title: 'size of a memfd is less than its folios cover',
    about: 'The folios follow each other without a gap to beyond the end of the file: its size was changed.',
    reaction: 'memfd/size-small',
    confirm: 'Compare size with the runs in the report.',
    sources: [RETRIEVE],
  }),
  collected({
    id: ids.hole,
    severity: 'error',
    phase: 'retrieve',
    title: 'pages of a memfd have no folio',
    about: 'Holes of a file are filled when it is preserved, so every page of it has a folio.',
    reaction: 'memfd/hole',
    confirm: 'Compare the runs in the report with the size of the file.',
    sources: ['memfd_pin_folios(), mm/memfd.c', 'seen with 7.1.13 and 7.3.4: sparse files come back fully populated'],
  }),
  collected({
    id: ids.flags,
    severity: 'warning',
    phase: 'retrieve',
    title: 'flags of a folio are not 0x3',
    about:
      'Two bits are known, DIRTY and UPTODATE, and since March 2026 both are always set: a clean folio could be reclaimed after the update, and one that is not up to date reads zeros. In memfd-v1 of earlier kernels they tell the folio’s real state.',
    reaction: 'memfd/folio-flags',
    confirm: 'Show the entry in hex.',
    sources: ['"memfd_luo: always dirty all folios", "memfd_luo: always make all folios uptodate", 4 March 2026'],
  }),
  {
    id: 'memfd/folio-clean',
    severity: 'info',
    phase: 'retrieve',
    title: 'folios of a memfd-v1 are clean or not up to date',
    about:
      'Kernels before the fixes of March 2026 hand over a folio’s real state. Clean folios may be reclaimed after the update and are then lost; one that is not up to date reads zeros.',
    reaction: 'memfd/folio-clean',
    confirm: 'Is the writing kernel older than the fixes?',
    sources: ['"memfd_luo: always dirty all folios", 4 March 2026', 'mm/memfd_luo.c, 6.19.11'],
    *check(subject) {
      for (const memfd of memfdsOf(subject)) {
        if (memfd.seals !== null || !behaviourIsKnown(memfd.contract)) continue;
        let count = 0;
        for (const folio of memfd.folios()) if (folio.flags !== FOLIO_FLAGS && count++ >= subject.limits.items) break;
        if (count > 0) yield { message: `${count} folios are not both dirty and up to date`, at: memfd.entryAddress(0), path: `${memfd.node.path}/folios[]` };
      }
    },
  },
];
