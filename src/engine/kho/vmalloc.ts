/** kho_vmalloc: handing over a virtually contiguous area page by page. Source: abi/kho/vmalloc.ts; kernel/liveupdate/kexec_handover.c, 7.3. */
import { KHO_VMALLOC, khoVmallocChunk } from '../../../abi/kho/vmalloc.js';
import { arrayCount, layoutTable } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import type { Steps } from '../machine.js';
import type { Kho } from './kho.js';

/** The fields of struct kho_vmalloc. */
export interface VmallocDescriptor {
  /** physical; from 2^63 on as the negative number that phys_to_virt() makes of it: later fields wrap around to physical 0 */
  readonly first: number;
  readonly total_pages: number;
  readonly flags: number;
  readonly order: number;
}

/** The descriptor as it was handed over. */
export const vmallocDescriptor = (read: Omit<VmallocDescriptor, 'first'> & { readonly first: bigint }): VmallocDescriptor => ({
  first: Number(BigInt.asIntN(64, read.first)),
  total_pages: read.total_pages,
  flags: read.flags,
  order: read.order,
});

const POINTER_BYTES = 8;
/** kvmalloc() gives no more at once. */
const INT_MAX = 0x7fffffff;

/** Entries of one chunk. */
const chunkEntries = (pageSize: number): number => arrayCount(layoutTable(khoVmallocChunk, pageSize).field('phys'), pageSize);

/**
 * kho_preserve_vmalloc: `pages` are the physical addresses of the area's pages, in order.
 * @returns the descriptor to hand over, or a negative errno with everything undone
 */
export const preserveVmalloc = (kho: Kho, pages: readonly number[]): Steps<VmallocDescriptor | number> =>
  kho.machine.call('kho', 'kho_preserve_vmalloc', { pages: pages.length }, preserveEntries(kho, pages), (done) =>
    typeof done === 'number' ? null : { first: done.first },
  );

function* preserveEntries(kho: Kho, pages: readonly number[]): Steps<VmallocDescriptor | number> {
  const { machine } = kho;
  const room = chunkEntries(machine.pageSize);
  const first = yield* newChunk(kho, null);
  if (first === null) return negative('ENOMEM');
  let chunk = first;
  let index = 0;
  for (const page of pages) {
    let error = yield* kho.preservePages(page, 1);
    if (error === 0) {
      machine.writeElement(khoVmallocChunk, chunk, 'phys', index++, page);
      if (index < room) continue;
      const next = yield* newChunk(kho, chunk);
      if (next === null) error = negative('ENOMEM');
      else {
        chunk = next;
        index = 0;
        continue;
      }
    }
    yield* unpreserveVmalloc(kho, { first, total_pages: 0, flags: 0, order: 0 });
    return error;
  }
  return { first, total_pages: pages.length, flags: KHO_VMALLOC.ALLOC, order: 0 };
}

function* newChunk(kho: Kho, previous: number | null): Steps<number | null> {
  const page = kho.pages.alloc();
  if (page === null) return null;
  if ((yield* kho.preservePages(page, 1)) !== 0) {
    kho.pages.free(page);
    return null;
  }
  kho.machine.noteWritten(khoVmallocChunk, page);
  if (previous !== null) kho.machine.writeField(khoVmallocChunk, previous, 'next', page);
  return page;
}

/** kho_unpreserve_vmalloc: takes back the area's pages and frees the chunks, not the area. */
export function* unpreserveVmalloc(kho: Kho, descriptor: VmallocDescriptor): Steps<void> {
  const { machine } = kho;
  yield machine.enter('kho', 'kho_unpreserve_vmalloc', { first: descriptor.first });
  const room = chunkEntries(machine.pageSize);
  let chunk = descriptor.first;
  while (chunk !== 0) {
    yield* kho.unpreservePages(chunk, 1);
    for (let index = 0; index < room; index++) {
      const page = machine.readElement(khoVmallocChunk, chunk, 'phys', index);
      if (page === 0) break;
      yield* kho.unpreservePages(page, 2 ** descriptor.order);
    }
    const next = machine.readAddressField(khoVmallocChunk, chunk, 'next');
    kho.pages.free(chunk);
    chunk = next;
  }
  yield machine.exit();
}

/**
 * kho_restore_vmalloc in the next kernel.
 * @returns the physical addresses of the area's pages, or null where the kernel gives up
 */
export const restoreVmalloc = (kho: Kho, descriptor: VmallocDescriptor): Steps<number[] | null> =>
  kho.machine.call('kho', 'kho_restore_vmalloc', { ...descriptor }, restoreEntries(kho, descriptor), (pages) => ({ pages: pages?.length ?? null }));

/** Of a shift by `order` the processor takes 5 bits alone (`1 << order` of an int): 2048 is taken as 0, seen with 7.3.4. */
const SHIFT_BITS = 32;

// Flags that it does not know are no concern of kho_restore_vmalloc: seen with 7.1.13, 7.2.13 and 7.3.4.
function* restoreEntries(kho: Kho, { first, total_pages, order }: VmallocDescriptor): Steps<number[] | null> {
  const { machine } = kho;
  const room = chunkEntries(machine.pageSize);
  const each = 2 ** (order % SHIFT_BITS);
  const pages: number[] = [];
  // Room for pointers to all pages comes before the first chunk is looked at: seen with 7.3.4.
  if (total_pages * POINTER_BYTES > INT_MAX) {
    yield machine.printk('WARNING: mm/slub.c at __kvmalloc_node_noprof', 'kernel');
    return null;
  }
  let chunk = first;
  while (chunk !== 0) {
    for (let index = 0; index < room; index++) {
      const entry = machine.readElement(khoVmallocChunk, chunk, 'phys', index);
      if (entry === 0) break;
      if (pages.length + each > total_pages) return null;
      // PHYS_PFN() drops what is below a page: seen with 7.1.13 and 7.3.4.
      const phys = entry - (entry % machine.pageSize);
      if (!(yield* kho.restorePages(phys, each))) return null;
      for (let page = 0; page < each; page++) pages.push(phys + page * machine.pageSize);
    }
    if (!(yield* kho.restorePages(chunk, 1))) return null;
    const next = machine.readAddressField(khoVmallocChunk, chunk, 'next');
    kho.pages.free(chunk);
    chunk = next;
  }
  // __get_vm_area_node() makes no area of nothing.
  return pages.length === total_pages && total_pages > 0 ? pages : null;
}
