/** What a user types to change memory. Pure. */
import { physicalAddress } from '../../memory/memory.js';

export interface TypedEdit {
  /** physical */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** `0x1000 01 02 ff`, or `0x1000+8 = 0x20` (a number in host order, little-endian). Null where it is neither. */
export function parseEdit(text: string): TypedEdit | null {
  const number = /^(0x[0-9a-f]+)\+([1248])\s*=\s*(-?\d+|0x[0-9a-f]+)$/i.exec(text.trim());
  if (number !== null) return numberEdit(number[1] ?? '', Number(number[2]), number[3] ?? '');
  const bytes = /^(0x[0-9a-f]+)\s+((?:[0-9a-f]{2}\s*)+)$/i.exec(text.trim());
  const address = bytes === null ? null : physicalAddress(BigInt(bytes[1] ?? '0'));
  if (bytes === null || address === null) return null;
  return { address, bytes: Uint8Array.from((bytes[2] ?? '').match(/[0-9a-f]{2}/gi) ?? [], (digits) => Number.parseInt(digits, 16)) };
}

function numberEdit(at: string, size: number, value: string): TypedEdit | null {
  const address = physicalAddress(BigInt(at));
  const wanted = BigInt(value);
  const limit = 1n << BigInt(size * 8);
  if (address === null || wanted >= limit || wanted < -limit / 2n) return null;
  let rest = BigInt.asUintN(size * 8, wanted);
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return { address, bytes };
}
