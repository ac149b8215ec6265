/** How much an area of entries holds: derived from the layouts of its header and entry and the size of a page. */
import type { Area, Contract } from '../../abi/contract.js';
import { DEFAULT_PAGE_SIZE, sizeOf } from './layout-table.js';

/** The area of that name, or null where the contract has none. */
export const areaOf = (contract: Contract, name: string): Area | null => contract.areas?.find((area) => area.name === name) ?? null;

/** Entries that fit one piece of `area`. @param pageSize in bytes */
export function areaCapacity(area: Area, pageSize = DEFAULT_PAGE_SIZE): number {
  const header = area.header === null ? 0 : sizeOf(area.header, pageSize);
  return Math.floor((area.pages * pageSize - header) / sizeOf(area.entry, pageSize));
}

/** Entries that fit all pieces of `area` together; infinite where the kernel sets no limit. @param pageSize in bytes */
export const areaLimit = (area: Area, pageSize = DEFAULT_PAGE_SIZE): number => areaCapacity(area, pageSize) * area.maxPieces;

/** Offset of entry `index` from the start of its piece, in bytes. */
export const entryOffset = (area: Area, index: number, pageSize = DEFAULT_PAGE_SIZE): number =>
  (area.header === null ? 0 : sizeOf(area.header, pageSize)) + index * sizeOf(area.entry, pageSize);

/** Page order of the block one piece is preserved as. */
export const areaOrder = (area: Area): number => Math.ceil(Math.log2(area.pages));
