/**
 * Open files and what they lead to: name, inode, position, the pages that the page cache holds. Sources: include/linux/fs.h,
 * include/linux/dcache.h, include/linux/pagemap.h, 6.16 to 7.3.
 */
import { KernelFault, hexOf } from './fault.js';
import type { Kernel } from './kernel.js';
import type { KernelObject } from './object.js';
import { xarrayEntries } from './xarray.js';

/** Members whose names changed: the newest first. */
const PATHS = {
  dentry: ['f_path.dentry', '__f_path.dentry'],
  dentryName: ['d_name', '__d_name'],
} as const;

/** Longest name of a directory entry: NAME_MAX. */
const MAX_NAME = 255;

/** The name of the directory entry of a struct file. @throws KernelFault */
export function nameOfFile(file: KernelObject): string {
  const name = file.first(PATHS.dentry).first(PATHS.dentryName);
  const length = name.get('len').number();
  if (length > MAX_NAME) throw new KernelFault('implausible', `the name of ${file.toString()} has ${length} bytes`);
  const start = name.get('name').value();
  return Buffer.from(file.source.virtual.read(start, length)).toString('utf8');
}

interface CachedFolio {
  /** in pages from the start of the file */
  readonly index: number;
  readonly pages: number;
  /** null where the pages were swapped out */
  readonly pfn: number | null;
}

/** What the page cache holds of an inode, ascending. @throws KernelFault */
export function* cachedFolios(kernel: Kernel, inode: KernelObject): Generator<CachedFolio> {
  for (const { index, count, entry, isValue } of xarrayEntries(inode.get('i_mapping.i_pages')))
    yield { index, pages: count, pfn: isValue ? null : pfnOfPage(kernel, entry) };
}

/** Is `file` of that file_operations variable? Null where no symbol tells where that is. */
export function isOperatedBy(kernel: Kernel, file: KernelObject, operations: string): boolean | null {
  const [symbol] = kernel.symbols.find(operations);
  return symbol === undefined ? null : file.get('f_op').value() === symbol.address;
}

/** The page frame number of the page (or folio) at a virtual address in the memory map: page_to_pfn(). @throws KernelFault */
function pfnOfPage(kernel: Kernel, page: bigint): number {
  const start = memoryMapStart(kernel);
  const size = BigInt(kernel.info.size('page') ?? kernel.types.size(kernel.types.id('struct page')));
  const distance = page - start;
  if (distance < 0n || distance % size !== 0n || distance / size >= 1n << 40n)
    throw new KernelFault('implausible', `${hexOf(page)} is no struct page: the memory map starts at ${hexOf(start)}`);
  return Number(distance / size);
}

/** Where the struct page of frame 0 would be: `vmemmap`. */
function memoryMapStart(kernel: Kernel): bigint {
  const { info } = kernel;
  const generic = info.symbol('vmemmap');
  if (generic !== null) return generic;
  const [start, offset] = [info.number('VMEMMAP_START'), info.number('PHYS_OFFSET')];
  const size = info.size('page');
  if (start !== null && offset !== null && size !== null)
    return BigInt.asUintN(64, start) - (offset >> BigInt(kernel.virtual.space.geometry.pageShift)) * BigInt(size);
  return kernel.variable('vmemmap_base', 'unsigned long').value();
}
