/** Rules about kho_vmalloc: descriptor, chunks, entries. Sources: kho_restore_vmalloc(), kernel/liveupdate/kexec_handover.c, 6.18 to 7.3. */
import type { ObservationKind } from '../../handover/observe.js';
import { KHO_VMALLOC, khoVmalloc } from '../../../abi/kho/vmalloc.js';
import { type HandoverRule, type Hit, wrong } from '../rule.js';
import { type TreeNode, walk } from '../../tree/tree.js';
import { type Subject, isIntact } from '../subject.js';
import { memfdsOf } from './memfd.js';

const RESTORE = 'kho_restore_vmalloc(), kernel/liveupdate/kexec_handover.c, 6.18 to 7.3';

/** An area is a file's folio table, or the KHO test's list. */
function* owned(hits: Iterable<Hit>): Iterable<Hit> {
  for (const found of hits) {
    const test = (found.path ?? '').includes('/kho_test/');
    yield test ? { ...found, severity: 'warning', reaction: 'vmalloc/kho-test' } : found;
  }
}

const rule = (id: string, kind: ObservationKind, title: string, about: string): HandoverRule => ({
  id,
  severity: 'error',
  phase: 'retrieve',
  title,
  about,
  reaction: 'vmalloc/not-restored',
  confirm: 'RETRIEVE_FD of the token in the next kernel gives EINVAL.',
  sources: [RESTORE],
  check: (subject) => owned(wrong(subject, kind)),
});

export const vmallocRules: readonly HandoverRule[] = [
  rule(
    'vmalloc/total-pages',
    'vmalloc-count',
    'a vmalloc area and its total of pages disagree',
    'The blocks listed in the chunks must add up to total_pages exactly. 6.18 leaves such a descriptor when it runs out of memory for a chunk: kho_preserve_vmalloc() then returned 0 although nothing was preserved. Seen with 7.3.4: total_pages 3 over one page.',
  ),
  rule(
    'vmalloc/order',
    'vmalloc-order',
    'the order of a vmalloc area is larger than any block',
    'Each entry covers 2^order pages; the page allocator has orders up to 10.',
  ),
  {
    ...rule(
      'vmalloc/flags',
      'vmalloc-flags',
      'kho_vmalloc flags are unknown',
      'Two bits are known: KHO_VMALLOC_ALLOC and KHO_VMALLOC_HUGE_VMAP. Others are refused when an area is preserved; kho_restore_vmalloc() takes them.',
    ),
    severity: 'info',
    reaction: 'vmalloc/flags',
  },
  rule(
    'vmalloc/pointer',
    'vmalloc-pointer',
    'the list of a vmalloc area leads to no page of this machine',
    'Chunks and blocks are whole pages of preserved memory; an entry of order n is aligned to its size.',
  ),
  rule('vmalloc/cycle', 'vmalloc-cycle', 'the chunks of a vmalloc area do not end', 'A chunk is linked twice, or more chunks follow than total_pages needs.'),
  {
    id: 'vmalloc/not-allocated',
    severity: 'info',
    phase: 'retrieve',
    title: 'a vmalloc area does not say that it was allocated',
    about: 'Every area that can be preserved comes from vmalloc() and has ALLOC; without it the next kernel makes a mapping that vfree() does not give back.',
    reaction: 'vmalloc/not-allocated',
    confirm: 'Show the descriptor in hex.',
    sources: ['kho_preserve_vmalloc(), kernel/liveupdate/kexec_handover.c, 7.3'],
    *check(subject) {
      for (const node of areasOf(subject)) {
        const [first, flags] = ['first', 'flags'].map((name) => node.children().find((child) => child.name === name));
        if (first?.value !== 0n && flags !== undefined && typeof flags.value === 'number' && (flags.value & KHO_VMALLOC.ALLOC) === 0)
          yield { message: `flags are ${flags.value}, without KHO_VMALLOC_ALLOC`, at: flags.address, path: flags.path };
      }
    },
  },
  {
    id: 'vmalloc/not-empty',
    severity: 'info',
    phase: 'retrieve',
    title: 'a memfd without folios has a folio table',
    about: 'An empty file has no table: its descriptor is all zeros.',
    reaction: 'vmalloc/not-empty',
    confirm: 'Show the structure in hex.',
    sources: ['memfd_luo_preserve_folios(), mm/memfd_luo.c, 6.19 to 7.3'],
    check: notEmpty,
  },
];

/** The descriptors of folio tables, and of the KHO test's list. */
function* areasOf(subject: Subject): Iterable<TreeNode> {
  for (const memfd of memfdsOf(subject)) yield memfd.reading.field('folios');
  const test = isIntact(subject) ? subject.handover.node.children().find((child) => child.name === 'kho_test') : undefined;
  const found: TreeNode[] = [];
  const collect = (node: TreeNode): undefined => {
    if (node.fieldType?.kind === 'nested' && node.fieldType.struct.name === khoVmalloc.name) found.push(node);
  };
  if (test !== undefined) walk(test, collect);
  yield* found;
}

function* notEmpty(subject: Subject): Iterable<Hit> {
  for (const memfd of memfdsOf(subject)) {
    if (memfd.folioCount !== 0n || memfd.size !== 0n) continue;
    for (const field of memfd.reading.field('folios').children()) {
      if (field.value !== null && BigInt(field.value) !== 0n)
        yield { message: `nr_folios is 0, but ${field.name} of the table is ${field.value}`, at: field.address, path: field.path };
    }
  }
}
