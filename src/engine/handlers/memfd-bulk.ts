/** Taking a table of folios whole where nothing is wrong with it: every page of the file once, in order, up to date, each a preserved block that nobody has taken. */
import { memfdLuoFolioSer } from '../../../abi/memfd/folio.js';
import { layoutTable } from '../../codec/layout-table.js';
import type { Kho } from '../kho/kho.js';

const ENTRY = layoutTable(memfdLuoFolioSer).size;
const WORD = 4;
const HALF = 2 ** 32;
/** The flags stand above the page frame: its upper half, a word of 32 bits, holds what is left of it. */
const HIGH_MASK = 2 ** (bitsOf('pfn').width - 32) - 1;
const FLAG_SHIFT = bitsOf('flags').low - 32;
const INDEX_AT = layoutTable(memfdLuoFolioSer).field('index').offset / WORD;
const PFN_AT = layoutTable(memfdLuoFolioSer).field('pfn_flags').offset / WORD;
/** MEMFD_LUO_FOLIO_UPTODATE */
const UPTODATE = 2;

function bitsOf(name: string): { readonly low: number; readonly width: number } {
  const bit = layoutTable(memfdLuoFolioSer)
    .field('pfn_flags')
    .bits.find((one) => one.name === name);
  if (bit === undefined) throw new Error(`memfd_luo_folio_ser has no bits ${name}`);
  return { low: bit.lowBit, width: bit.field.width };
}

/**
 * @param area physical addresses of the table's pages @param pageCount of the file
 * @returns whether the folios are taken; false: something is wrong, and nothing was changed
 * @throws MissingPageError @throws PanicError
 */
export function takeWhole(kho: Kho, area: readonly number[], count: number, pageCount: number): boolean {
  const { machine, tags } = kho;
  const { pageSize } = machine;
  const perPage = Math.floor(pageSize / ENTRY);
  if (count > area.length * perPage) return false;
  const taken = new Float64Array(count);
  const orders = new Uint8Array(count);
  let done = 0;
  let expected = 0;
  for (let page = 0; done < count; page++) {
    const bytes = machine.read(area[page] ?? 0, Math.min(perPage, count - done) * ENTRY);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / WORD);
    for (let at = 0; at < words.length; at += ENTRY / WORD) {
      const low = words[at + PFN_AT] ?? 0;
      const high = words[at + PFN_AT + 1] ?? 0;
      const pfn = low + (high & HIGH_MASK) * HALF;
      const flags = high >>> FLAG_SHIFT;
      const index = (words[at + INDEX_AT] ?? 0) + (words[at + INDEX_AT + 1] ?? 0) * HALF;
      const address = pfn * pageSize;
      const order = pfn === 0 || index !== expected || (flags & UPTODATE) === 0 || index >= pageCount ? undefined : tags.get(address);
      if (order === undefined) return giveBack(kho, taken, orders, done);
      tags.delete(address);
      taken[done] = address;
      orders[done++] = order;
      expected += 2 ** order;
    }
  }
  return expected >= pageCount || giveBack(kho, taken, orders, done);
}

function giveBack({ tags }: Kho, taken: Float64Array, orders: Uint8Array, done: number): false {
  for (let at = 0; at < done; at++) tags.set(taken[at] ?? 0, orders[at] ?? 0);
  return false;
}
