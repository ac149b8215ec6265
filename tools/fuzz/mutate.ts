/** Damages to bytes and texts, as broken disks, bad transfers and people with intent make them. */
import type { Place } from './image.js';
import type { Random } from '../random.js';

/** Values that find off-by-one, overflow and sign. */
const EDGES = [0n, 1n, 2n, 0x7fn, 0xffn, 0x7fffn, 0xffffn, 0x7fffffffn, 0xffffffffn, 1n << 52n, (1n << 53n) - 1n, 1n << 63n, (1n << 64n) - 1n] as const;
/** Texts that steer terminals, hide, end early or are no UTF-8. */
export const TEXTS = [
  '\u009b31mX',
  '\u202eevil',
  '\u200b',
  '\u{e0041}',
  '\x1b]52;c;YQ==\x07',
  '\u2028',
  '%s%n',
  '\0',
  '../../x',
  '"',
  "'",
  '\\',
  '<script>',
  '\ufeff',
  '\ud7ff',
] as const;

/** Some changes at places of `bytes`, which stays as it is. */
export function damagedBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const out = Buffer.from(bytes);
  if (out.length === 0) return out;
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  for (let left = 1 + random.below(6); left > 0; left--) {
    const at = random.below(out.length);
    const word = Math.min(at - (at % 8), Math.max(0, out.length - 8));
    switch (random.below(9)) {
      case 0:
        out[at] = random.below(256);
        break;
      case 1:
        out[at] = (out[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 2:
        if (out.length >= 8) view.setBigUint64(word, random.pick(EDGES), random.below(4) > 0);
        break;
      case 3: {
        const from = random.below(out.length);
        out.copyWithin(at, from, Math.min(out.length, from + 1 + random.below(64)));
        break;
      }
      case 4:
        out.set(Buffer.from(random.pick(TEXTS)).subarray(0, out.length - at), at);
        break;
      case 5:
        out.fill(random.pick([0, 0xff, 0x55, 0xaa]), at, Math.min(out.length, at + 1 + random.below(4096)));
        break;
      case 6:
        // One pointer to where another leads.
        if (out.length >= 16) view.setBigUint64(word, view.getBigUint64(Math.min(out.length - 8, 8 * random.below(out.length >>> 3)), true), true);
        break;
      case 7:
        // A page over another.
        if (out.length >= 8192)
          out.copyWithin(4096 * random.below(out.length >>> 12), 4096 * random.below(out.length >>> 12), 4096 * (1 + random.below(out.length >>> 12)));
        break;
      default:
        if (random.below(4) === 0) return out.subarray(0, at);
    }
  }
  return out;
}

/**
 * `bytes` with a few of the fields at `places` changed: to an edge, by one, to what another field says, to text. All else stays well formed,
 * so that a reader comes as far as the field.
 */
export function damagedFields(bytes: Uint8Array, places: readonly Place[], random: Random): Uint8Array {
  const out = Buffer.from(bytes);
  const inside = places.length === 0 ? 0 : random.below(5);
  for (let left = inside; left > 0; left--) {
    const { at, size } = random.pick(places);
    const field = out.subarray(at, Math.min(out.length, at + size));
    if (field.length === 0) continue;
    const value = Buffer.alloc(8);
    field.copy(value, 0, 0, Math.min(8, field.length));
    let number = value.readBigUInt64LE();
    switch (random.below(8)) {
      case 0:
        number = random.pick(EDGES);
        break;
      case 1:
        number += random.pick([1n, -1n, 8n, -8n, 0x1000n, -0x1000n]);
        break;
      case 2:
        number ^= 1n << BigInt(random.below(8 * Math.min(8, field.length)));
        break;
      case 3:
      case 4: {
        // What a field of the same size says: one pointer leads where another does, one count is as large as another.
        const other = random.pick(places);
        if (other.size !== size) continue;
        Buffer.from(out.subarray(other.at, other.at + size)).copy(field);
        continue;
      }
      case 5:
        Buffer.from(random.pick(TEXTS)).copy(field);
        continue;
      case 6:
        number = BigInt(random.below(64)) << 12n;
        break;
      default:
        number = BigInt(random.below(1 << 16));
    }
    value.writeBigUInt64LE(BigInt.asUintN(64, number));
    value.copy(field, 0, 0, Math.min(8, field.length));
  }
  return out;
}

/** Numbers as texts write them. */
const NUMBERS = [...EDGES.map(String), '0x10', '-1', '64KiB', '999TiB', '3'] as const;

/**
 * A text whose form stays as it is: numbers and words changed for others, items of lists left out, repeated and moved. One in four is damaged
 * in its form as well.
 */
export function changedText(text: string, random: Random): string {
  if (random.below(4) === 0) return damagedText(text, random);
  const lines = text.split('\n');
  const words = text.match(/[a-z][\w-]+/gi) ?? ['x'];
  const items = lines.flatMap((line, index) => (/^\s*- .*[^[{,:]$/.test(line) ? [index] : []));
  for (let left = random.below(4); left > 0; left--) {
    const at = random.below(lines.length);
    const item = items.length > 0 ? random.pick(items) : at;
    const kind = random.below(items.length > 0 ? 6 : 3);
    // The nth number or word of the line, so that each has its turn.
    let nth = random.below(4);
    const place = (pattern: RegExp, by: (found: string) => string): string => (lines[at] ?? '').replace(pattern, (found) => (nth-- === 0 ? by(found) : found));
    if (kind === 0) lines[at] = place(/(?<=[:,[ ])(0x)?\d\w*(?=[,\]} ]|$)/g, () => random.pick(NUMBERS));
    else if (kind === 1) lines[at] = place(/(?<=[ :"])[a-z][\w-]+(?=[,\]} "]|$)/gi, () => random.pick(words));
    else if (kind === 2) lines[at] = place(/(?<=: )[a-z][\w-]+(?=[,\]}]|$)/gi, () => JSON.stringify(random.pick(TEXTS)));
    else if (kind === 3) lines[item] = random.below(2) === 0 ? '' : (lines[random.pick(items)] ?? '');
    else lines[item] = Array.from({ length: 1 + random.below(kind === 4 ? 3 : 60) }, () => lines[item]).join('\n');
  }
  return lines.join('\n');
}

/** A text with lines repeated, left out, or a word changed. */
export function damagedText(text: string, random: Random): string {
  let lines = text.split('\n');
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(lines.length);
    const line = lines[at] ?? '';
    switch (random.below(6)) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(at, 0, ...Array.from({ length: 1 + random.below(200) }, () => line));
        break;
      case 2:
        lines[at] = line.replace(/\d+/, () => random.pick([...EDGES.map(String), '-1', '0x', '1e9', '999TiB']));
        break;
      case 3:
        lines[at] = line.replace(/\w+/, () => random.pick([...TEXTS, '__proto__', '*a', '&a', '[', '{', '- ', 'null']));
        break;
      case 4: {
        const other = random.below(lines.length);
        lines[at] = lines[other] ?? '';
        break;
      }
      default:
        lines = lines.slice(0, at + 1);
    }
    if (lines.length === 0) lines = [''];
  }
  return lines.join('\n');
}
