/**
 * Page tables as data: how many levels, which bits of an entry mean what. Sources: Intel SDM vol. 3, 4.5; Arm ARM D8.3 (VMSAv8-64,
 * FEAT_LVA, FEAT_LPA2); arch/x86/include/asm/pgtable_types.h and arch/arm64/include/asm/pgtable-hwdef.h, 7.3.
 */

export interface Geometry {
  readonly name: string;
  /** log2 of a page in bytes */
  readonly pageShift: number;
  /** bits of a virtual address; all above are ones in the kernel's half */
  readonly addressBits: number;
  readonly levels: number;
  /** address bits that a level below the top resolves; the top takes what is left */
  readonly indexBits: number;
  /** entries of levels up to this may map a block instead of naming a table; 0 is the last level */
  readonly highestBlock: number;
  /** set in entries that are valid */
  readonly valid: bigint;
  /** tells a block from a table above the last level: this bit, when it has this value */
  readonly block: { readonly mask: bigint; readonly set: boolean };
  /** bits of an entry that are an address as is, and those that are elsewhere in the entry */
  readonly addressMask: bigint;
  readonly moved: { readonly from: number; readonly bits: number; readonly to: number } | null;
  /** to be cleared in every entry: memory encryption */
  readonly encryption: bigint;
}

const bitsBetween = (low: number, high: number): bigint => ((1n << BigInt(high - low)) - 1n) << BigInt(low);

/** @param levels 4 or 5 @param encryption sme_mask */
export const x86Geometry = (levels: 4 | 5, encryption: bigint): Geometry => ({
  name: `x86-64, ${levels} levels`,
  pageShift: 12,
  addressBits: 12 + 9 * levels,
  levels,
  indexBits: 9,
  highestBlock: 2,
  valid: 1n,
  block: { mask: 1n << 7n, set: true },
  addressMask: bitsBetween(12, 52) & ~encryption,
  moved: null,
  encryption,
});

/** @param pageSize bytes @param addressBits 64 - TCR_EL1.T1SZ @param wide does this kernel know physical addresses of 52 bits? */
export function arm64Geometry(pageSize: number, addressBits: number, wide: boolean): Geometry {
  const pageShift = Math.log2(pageSize);
  const indexBits = pageShift - 3;
  // 64 KiB pages keep bits 51:48 at 15:12 (FEAT_LPA); smaller ones keep 51:50 at 9:8, and bits 49:48 in place (FEAT_LPA2, which 52-bit addresses need).
  const lpa2 = pageShift < 16 && addressBits > 48;
  const moved = pageShift === 16 ? (wide ? { from: 12, bits: 4, to: 48 } : null) : lpa2 ? { from: 8, bits: 2, to: 50 } : null;
  return {
    name: `arm64, pages of ${pageSize / 1024} KiB, ${addressBits} bits`,
    pageShift,
    addressBits,
    levels: Math.ceil((addressBits - pageShift) / indexBits),
    indexBits,
    highestBlock: pageShift === 12 ? (lpa2 ? 3 : 2) : pageShift === 16 ? 2 : lpa2 ? 2 : 1,
    valid: 1n,
    block: { mask: 2n, set: false },
    addressMask: bitsBetween(pageShift, lpa2 ? 50 : 48),
    moved,
    encryption: 0n,
  };
}
