/** Compatible strings and the version banner in a kernel's image: what it speaks, in its own words. */
import { contracts } from '../../abi/registry.js';
import type { ElfImage } from './btf/elf-image.js';
import { familyOf } from './side.js';

export interface KernelStrings {
  /** every compatible string of a family that a contract has, known or not, sorted */
  readonly compatibles: readonly string[];
  /** `7.3.4-arch1` of "Linux version 7.3.4-arch1 (…"; null where the image has no banner */
  readonly version: string | null;
}

const PIECE = 4 << 20;
/** Longer than any of the strings looked for. */
const OVERLAP = 256;
/** A kernel's constant texts have a few ten megabytes. */
const MAX_SCANNED = 512 << 20;

const BANNER = /Linux version (\d+\.\d+[^\s(]{0,80}) /;

/** `kho-v\d+`, `guest_memfd_luo_v\d+` …: one alternative a family, with its versions left open. */
const families = [...new Set(contracts.flatMap((contract) => (contract.compatible === null || !/\d$/.test(contract.compatible) ? [] : [contract.compatible])))];
const patterns = [
  ...new Set(
    families.map((compatible) => `${literally(familyOf(compatible))}${literally(compatible.slice(familyOf(compatible).length).replace(/\d+$/, ''))}\\d{1,4}`),
  ),
];
/** A whole string of C: nothing of a word before it, a NUL after it. */
const COMPATIBLE = new RegExp(`(?<![\\w-])(?:${patterns.join('|')})(?=\\0)`, 'g');

function literally(text: string): string {
  return text.replace(/[-.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Searches the image's data, piece by piece. */
export function kernelStrings(image: ElfImage): KernelStrings {
  const compatibles = new Set<string>();
  let version: string | null = null;
  let scanned = 0;
  for (const range of image.data) {
    for (let at = 0; at < range.size && scanned < MAX_SCANNED; at += PIECE) {
      const bytes = image.source.read(range.offset + at, Math.min(PIECE + OVERLAP, range.size - at));
      scanned += bytes.length;
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
      for (const match of text.matchAll(COMPATIBLE)) compatibles.add(match[0]);
      version ??= BANNER.exec(text)?.[1] ?? null;
    }
  }
  return { compatibles: [...compatibles].sort(), version };
}
