/** Bounds of what is read of a kernel's memory: a damaged or hostile dump says any count. A walk that one of them ends is told as damage of the objects; docs/limits.md lists them. */

interface KernelLimit {
  readonly value: number;
  readonly unit: string;
  /** what is counted, and why so many */
  readonly counts: string;
}

const limit = (value: number, unit: string, counts: string): KernelLimit => ({ value, unit, counts });

export const kernelLimits = {
  reads: limit(1_500_000, 'reads', 'of pages, table entries and objects, of one dump in all; a machine with thousands of tasks takes some hundred thousand'),
  listEntries: limit(1 << 18, 'entries', 'of one list of the kernel'),
  xarrayEntries: limit(1 << 24, 'entries', 'of one sparse array: a file of 64 GiB in pages of 4 KiB'),
  descriptors: limit(1 << 20, 'descriptors', 'of one table of open files'),
  symbols: limit(4_000_000, 'symbols', 'of kallsyms; kernels have some 250,000'),
  btfBytes: limit(64 << 20, 'bytes', 'of the BTF in the dump'),
  imageSearch: limit(16 * 2 ** 30, 'bytes', 'of memory that a kernel image is looked for in, where no VMCOREINFO is found'),
  folios: limit(1 << 21, 'folios', 'of all memfds together that are listed, in the page cache; of one as handed over'),
  tablePages: limit(1 << 16, 'blocks', 'of one folio table that was handed over'),
  handedOver: limit(1 << 17, 'sessions and files', 'in blocks that were handed over and nobody has opened'),
  openPages: limit(1 << 24, 'pages', 'of open memfds, all processes together: 64 GiB'),
  troubles: limit(1000, 'sentences', 'about what could not be read'),
} as const;
