/**
 * The content pattern of the captures and of scenarios: page p of seed s is 512 little-endian u64 (one for every 8 bytes of a page),
 * word i = mix(s * 0x100000001B3 + words * p + i) mod 2^64 with SplitMix64's finaliser, and bytes 0 to 31 hold a text that says which
 * page it is. Done in 32-bit halves: a BigInt for every word would take seconds for a large file.
 */
import { endianness } from 'node:os';

const LABEL_BYTES = 32;

/** Pages kept: an exploration runs the same scenario hundreds of times. */
const MOST_KEPT = 4096;
const kept = new Map<string, Uint8Array>();

/** The page is shared: nobody may change it. @param pageSize in bytes */
export function patternPage(seed: number, page: number, pageSize: number): Uint8Array {
  const key = `${seed}/${page}/${pageSize}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  if (kept.size >= MOST_KEPT) kept.clear();
  const made = makePage(seed, page, pageSize);
  kept.set(key, made);
  return made;
}

function makePage(seed: number, page: number, pageSize: number): Uint8Array {
  const words = new Uint32Array(pageSize / 4);
  const start = BigInt.asUintN(64, BigInt(seed) * 0x100000001b3n + BigInt(pageSize / 8) * BigInt(page));
  let startLow = Number(start & 0xffffffffn) | 0;
  let startHigh = Number(start >> 32n) | 0;
  for (let at = 0; at < words.length; at += 2) {
    // z += 0x9E3779B97F4A7C15
    const sum = (startLow >>> 0) + 0x7f4a7c15;
    let low = sum | 0;
    let high = (startHigh + 0x9e3779b9 + (sum > 0xffffffff ? 1 : 0)) | 0;
    low ^= (low >>> 30) | (high << 2);
    high ^= high >>> 30;
    // z *= 0xBF58476D1CE4E5B9
    high = (highOf(low, 0x1ce4e5b9) + Math.imul(low, 0xbf58476d) + Math.imul(high, 0x1ce4e5b9)) | 0;
    low = Math.imul(low, 0x1ce4e5b9);
    low ^= (low >>> 27) | (high << 5);
    high ^= high >>> 27;
    // z *= 0x94D049BB133111EB
    high = (highOf(low, 0x133111eb) + Math.imul(low, 0x94d049bb) + Math.imul(high, 0x133111eb)) | 0;
    low = Math.imul(low, 0x133111eb);
    words[at] = low ^ ((low >>> 31) | (high << 1));
    words[at + 1] = high ^ (high >>> 31);
    startLow = (startLow + 1) | 0;
    if (startLow === 0) startHigh = (startHigh + 1) | 0;
  }
  const bytes = Buffer.from(words.buffer);
  if (endianness() === 'BE') bytes.swap32();
  bytes.fill(0, 0, LABEL_BYTES);
  bytes.write(`LABPAGE ${seed.toString(16).padStart(8, '0')} ${page.toString(16).padStart(12, '0')}`, 0, LABEL_BYTES, 'latin1');
  return new Uint8Array(words.buffer);
}

/** Bits 32 to 63 of a product of 32-bit numbers. */
function highOf(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const cross = a0 * b1 + (middle & 0xffff);
  return a1 * b1 + (middle >>> 16) + (cross >>> 16);
}
