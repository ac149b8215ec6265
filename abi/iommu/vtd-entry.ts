/** Entries of VT-d page tables, first and second stage alike in what is used here. Source: Intel Virtualization Technology for Directed I/O, rev. 4.1, 9.7 and 9.8. */

/** Tables have 512 entries of 8 bytes, in pages of 4 KiB whatever the kernel's page size. */
export const VTD_TABLE = { bytes: 4096, entries: 512, levelBits: 9, pageShift: 12 } as const;

/** Second stage: bit 0 read, bit 1 write, neither: not present. First stage: bit 0 present, bit 1 writable. Bit 7: a large page, above the lowest level. */
export const VTD_ENTRY = { read: 1, write: 2, large: 0x80 } as const;

/** Large pages are at these levels, counted from 0 at the lowest: 2 MiB and 1 GiB. */
export const VTD_LARGE_LEVELS: readonly number[] = [1, 2];

/** Bits 12 to 51 of an entry are an address. */
export const VTD_ADDRESS_BITS = { low: 12, high: 52 } as const;

/** Levels above the lowest that there are: 1 for 30 bits of IOVA, 3 for 48, 4 for 57. An IOVA of 57 bits is a multiple of 4 KiB, so a number holds it exactly. */
export const VTD_TOP_LEVELS = { least: 1, most: 4 } as const;
