/**
 * Is what the next kernel hands out what was handed over? Nothing of a memfd is left out when it is preserved: every hole is filled
 * (memfd_pin_folios), folios stand in the order of the file, each up to date, none behind the end. Source: mm/memfd_luo.c, 6.19 to 7.3.
 */
import type { DeliveredFile } from '../engine/client.js';

/** f_pos and i_size are loff_t: from here on they are negative. */
const NEGATIVE = 2 ** 63;

/** What is not as it was handed over, in words; null if everything is. @param pageSize bytes */
export function difference(file: DeliveredFile, pageSize: number): string | null {
  if (file.size === null) return null;
  if (file.size >= NEGATIVE) return `its size is negative (0x${BigInt(file.size).toString(16)})`;
  if (file.pos >= BigInt(NEGATIVE)) return `its position is negative (0x${file.pos.toString(16)})`;
  return file.whole ? null : folioDifference(file, Math.ceil(file.size / pageSize));
}

function folioDifference(file: DeliveredFile, pageCount: number): string | null {
  let expected = 0;
  let covered = 0;
  const { outOfOrder } = file;
  let wrong = outOfOrder === null ? null : `the folio of page ${outOfOrder} was handed over after that of a later page: contents are exchanged`;
  for (const { index, order, uptodate } of file.folios()) {
    const pages = 2 ** order;
    if (index >= pageCount) wrong ??= `a folio of page ${index} is past its end, at ${pageCount} pages`;
    else {
      covered += Math.min(pages, pageCount - index);
      if (index > expected) wrong ??= pages_(expected, index);
      if (!uptodate) wrong ??= `page ${index} is not up to date: it reads as zeros`;
    }
    expected = Math.max(expected, index + pages);
  }
  if (wrong === null && covered < pageCount) return pages_(expected, pageCount);
  return wrong;
}

const pages_ = (from: number, to: number): string =>
  to - from === 1 ? `page ${from} is a hole: it reads as zeros` : `pages ${from} to ${to - 1} are holes: they read as zeros`;
