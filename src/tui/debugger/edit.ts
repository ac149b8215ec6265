/** What a user types to change memory: bytes or a number at an address, or a value for a field of the decoded tree. Pure. */
import { type PhysicalMemory, physicalAddress } from '../../memory/memory.js';
import type { TreeNode } from '../../tree/tree.js';
import { hex, hexBytes } from '../../tree/words.js';

export interface TypedEdit {
  /** physical */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** `0x1000 01 02 ff`, or `0x1000+8 = 0x20` (a number in host order, little-endian). Null where it is neither. */
export function parseEdit(text: string): TypedEdit | null {
  const number = /^(0x[0-9a-f]+)\+([1248])\s*=\s*(-?\d+|0x[0-9a-f]+)$/i.exec(text.trim());
  if (number !== null) {
    const address = physicalAddress(BigInt(number[1] ?? '0'));
    const bytes = numberBytes(BigInt(number[3] ?? '0'), Number(number[2]));
    return address === null || bytes === null ? null : { address, bytes };
  }
  const bytes = /^(0x[0-9a-f]+)\s+((?:[0-9a-f]{2}\s*)+)$/i.exec(text.trim());
  const address = bytes === null ? null : physicalAddress(BigInt(bytes[1] ?? '0'));
  if (bytes === null || address === null) return null;
  return { address, bytes: Uint8Array.from((bytes[2] ?? '').match(/[0-9a-f]{2}/gi) ?? [], (digits) => Number.parseInt(digits, 16)) };
}

/** `wanted` in `size` bytes, little-endian; null where it does not fit. */
function numberBytes(wanted: bigint, size: number): Uint8Array | null {
  const limit = 1n << BigInt(size * 8);
  if (wanted >= limit || wanted < -limit / 2n) return null;
  let rest = BigInt.asUintN(size * 8, wanted);
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** The text that `parseEdit` reads back. */
export function editText({ address, bytes }: TypedEdit): string {
  if (![1, 2, 4, 8].includes(bytes.length)) return `${hex(address)} ${(hexBytes(bytes).match(/../g) ?? []).join(' ')}`;
  return `${hex(address)}+${bytes.length} = ${hex([...bytes].reverse().reduce((sum, byte) => sum * 256n + BigInt(byte), 0n))}`;
}

/**
 * A value for a decoded field: a number in its byte order (of a part of a bit-field: into its bits, the others stay), or text.
 * @returns what to store, or why it can't be
 */
export function editOfNode(node: TreeNode, parent: TreeNode | null, memory: PhysicalMemory, value: string): TypedEdit | string {
  if (node.address === null || node.bits === 0) return `${node.name} has no bytes of its own`;
  const number = /^(0x[0-9a-f]+|-?\d+)$/i.test(value) ? BigInt(value) : null;
  if (number === null || node.bits > 64) {
    const bytes = new Uint8Array(Math.ceil(node.bits / 8));
    const text = new TextEncoder().encode(value.replace(/^"(.*)"$/s, '$1'));
    if (number !== null || node.bits <= 64) return `${node.name} takes a number`;
    if (text.length > bytes.length) return `${node.name} has room for ${bytes.length} bytes`;
    bytes.set(text);
    return { address: node.address, bytes };
  }
  const bits = BigInt(node.bits);
  if (number >= 1n << bits || number < -(1n << (bits - 1n))) return `${value} does not fit ${node.bits} bits`;
  const isPart = parent !== null && parent.address === node.address && (node.bitOffset > 0 || parent.bits > node.bits) && parent.bits <= 64;
  const whole = isPart && parent !== null ? parent : node;
  const shift = BigInt(isPart ? node.bitOffset : 0);
  const size = Math.ceil(whole.bits / 8);
  const bytes = new Uint8Array(size);
  if (memory.readInto(node.address, size, bytes) !== size) return `the page of ${node.name} is not there`;
  const big = node.layout?.struct.endian === 'big';
  const order = big ? bytes : bytes.slice().reverse();
  const old = order.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  const mask = ((1n << bits) - 1n) << shift;
  const next = (old & ~mask) | ((BigInt.asUintN(node.bits, number) << shift) & mask);
  const little = numberBytes(next, size);
  return little === null ? `${value} does not fit` : { address: node.address, bytes: big ? little.reverse() : little };
}
