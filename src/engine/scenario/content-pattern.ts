/**
 * The content pattern of `fill`: page p of seed s is so many little-endian u64, word i = mix(s * 0x100000001B3 + words * p + i) modulo
 * 2^64 (SplitMix64's finaliser), its first 32 bytes overwritten by the ASCII text `LABPAGE <s> <p>`. Described in docs/scenarios.md;
 * with pages of 4096 bytes it is the one the captures in samples/ were filled with.
 */

const TEXT_BYTES = 32;

/** Page `page` of `seed`, `pageSize` bytes. */
export function contentPattern(seed: number, page: number, pageSize = 4096): Uint8Array {
  const words = new BigUint64Array(pageSize / 8);
  const first = BigInt(seed) * 0x100000001b3n + BigInt(words.length) * BigInt(page);
  for (let index = 0; index < words.length; index++) words[index] = mix(first + BigInt(index));
  const bytes = new Uint8Array(words.buffer);
  const text = `LABPAGE ${seed.toString(16).padStart(8, '0')} ${page.toString(16).padStart(12, '0')}`;
  bytes.fill(0, 0, TEXT_BYTES);
  bytes.set(new TextEncoder().encode(text));
  return bytes;
}

function mix(value: bigint): bigint {
  let z = BigInt.asUintN(64, value + 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}
