/** Damages to bytes and texts, as broken disks, bad transfers and people with intent make them. */
import type { Random } from '../random.js';

/** Values that find off-by-one, overflow and sign. */
const EDGES = [0n, 1n, 2n, 0x7fn, 0xffn, 0x7fffn, 0xffffn, 0x7fffffffn, 0xffffffffn, 1n << 52n, (1n << 53n) - 1n, 1n << 63n, (1n << 64n) - 1n] as const;
/** Texts that steer terminals, hide, end early or are no UTF-8. */
const TEXTS = [
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
