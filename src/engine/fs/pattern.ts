/**
 * The content pattern of the captures and of scenarios: page p of seed s is 512 little-endian u64 (one for every 8 bytes of a page),
 * word i = mix(s * 0x100000001B3 + words * p + i) mod 2^64 with SplitMix64's finaliser, and bytes 0 to 31 hold a text that says which
 * page it is. Done in 32-bit halves: a BigInt for every word would take seconds for a large file.
 */

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
  const words = pageSize / 8;
  const bytes = new Uint8Array(pageSize);
  const view = new DataView(bytes.buffer);
  const start = BigInt.asUintN(64, BigInt(seed) * 0x100000001b3n + BigInt(words) * BigInt(page));
  let low = Number(start & 0xffffffffn);
  let high = Number(start >> 32n);
  for (let word = 0; word < words; word++) {
    mixInto(view, word * 8, high, low);
    low = (low + 1) >>> 0;
    if (low === 0) high = (high + 1) >>> 0;
  }
  bytes.fill(0, 0, LABEL_BYTES);
  const label = `LABPAGE ${seed.toString(16).padStart(8, '0')} ${page.toString(16).padStart(12, '0')}`;
  bytes.set(new TextEncoder().encode(label).subarray(0, LABEL_BYTES));
  return bytes;
}

function mixInto(view: DataView, at: number, high: number, low: number): void {
  // z += 0x9E3779B97F4A7C15
  let l = low + 0x7f4a7c15;
  let h = (high + 0x9e3779b9 + (l > 0xffffffff ? 1 : 0)) >>> 0;
  l >>>= 0;
  [h, l] = multiply(...xorShift(h, l, 30), 0xbf58476d, 0x1ce4e5b9);
  [h, l] = multiply(...xorShift(h, l, 27), 0x94d049bb, 0x133111eb);
  [h, l] = xorShift(h, l, 31);
  view.setUint32(at, l, true);
  view.setUint32(at + 4, h, true);
}

function xorShift(high: number, low: number, bits: number): [high: number, low: number] {
  return [(high ^ (high >>> bits)) >>> 0, (low ^ ((low >>> bits) | (high << (32 - bits)))) >>> 0];
}

function multiply(aHigh: number, aLow: number, bHigh: number, bLow: number): [high: number, low: number] {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  const middle = a1 * b0 + Math.floor((a0 * b0) / 65536);
  const cross = a0 * b1 + (middle % 65536);
  const low = (((cross & 0xffff) << 16) | ((a0 * b0) & 0xffff)) >>> 0;
  const carry = a1 * b1 + Math.floor(middle / 65536) + Math.floor(cross / 65536);
  const high = (carry + Math.imul(aLow, bHigh) + Math.imul(aHigh, bLow)) >>> 0;
  return [high, low];
}
