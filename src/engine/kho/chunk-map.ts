/** The next kernel's walk over a preserved memory map of kho-v1: a chain of chunks that name bitmaps. Source: abi/kho/chunk.ts; kernel/kexec_handover.c, 6.17.8 and 6.18.15. */
import { type BitmapForm, bitmapBytes, khoserMemChunk } from '../../../abi/kho/chunk.js';
import { arrayCount, layoutTable } from '../../codec/layout-table.js';
import { type Machine, PanicError, type Steps } from '../machine.js';
import { checkBlock, type TakeBlock } from './preserved-map.js';

/** Blocks are numbered with 52 bits at most: no order is higher. */
const MOST_ORDER = 52;

/**
 * @param first physical address of the first chunk; 0: nothing is preserved
 * @throws PanicError where the kernel would touch what is no memory, or walk without end @throws MissingPageError
 */
export function* walkChunks(machine: Machine, first: number, form: BitmapForm, take: TakeBlock): Steps<void> {
  const room = arrayCount(layoutTable(khoserMemChunk, machine.pageSize).field('bitmaps'), machine.pageSize);
  const walked = new Set<number>();
  for (let chunk = first; chunk !== 0; ) {
    // Nothing changes on the way: who comes back goes round for ever.
    if (walked.has(chunk)) throw new PanicError('the chain of the preserved memory map does not end');
    walked.add(chunk);
    const { hdr, bitmaps } = machine.readStruct(khoserMemChunk, chunk);
    let blocks = 0;
    for (const { phys_start, bitmap } of bitmaps.slice(0, Math.min(hdr.num_elms, room))) {
      machine.work.walk(Number(bitmap));
      const bits = machine.read(Number(bitmap), bitmapBytes(form, machine.pageSize));
      if (hdr.order <= MOST_ORDER) blocks += readBitmap(machine, bits, Number(phys_start), hdr.order, take);
    }
    yield machine.event('next-kernel', 'kho_mem_deserialize', { address: chunk, order: hdr.order, blocks });
    chunk = Number(hdr.next);
  }
}

function readBitmap(machine: Machine, bits: Uint8Array, start: number, order: number, take: TakeBlock): number {
  let blocks = 0;
  const span = machine.pageSize * 2 ** order;
  for (const [index, byte] of bits.entries()) {
    for (let bit = 0; byte >> bit !== 0; bit++) {
      const address = start + (index * 8 + bit) * span;
      if (((byte >> bit) & 1) === 0) continue;
      checkBlock(machine, address, order);
      if (!machine.fromDump && address + span > machine.size) continue;
      take(address, order);
      blocks++;
    }
  }
  return blocks;
}
