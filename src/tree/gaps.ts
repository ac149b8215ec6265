/** Bytes that nothing describes, as nodes: holes between fields and the rest of a page. */
import { type PhysicalMemory, readBytes } from '../memory/memory.js';
import { Node } from './node.js';

/** Bytes that belong to no field. */
export function gapNode(path: string, base: number | null, offset: number, size: number): Node {
  return new Node(`${path}/gap@${offset}`, 'gap', {
    type: 'gap',
    address: base === null ? null : base + offset,
    bitOffset: offset * 8,
    bits: size * 8,
    description: 'bytes that belong to no field',
  });
}

/**
 * The bytes of a page after what was decoded at its start, as a gap below `parent`. `start`: physical, of what was decoded;
 * `used`: bytes decoded from there. Nothing is added where the page ends there, or can't be read.
 */
export function addRestOfPage(memory: PhysicalMemory, parent: Node, start: number, used: number): void {
  const from = start + used;
  const length = (memory.pageSize - (from % memory.pageSize)) % memory.pageSize;
  if (length === 0) return;
  parent.addLater(() => {
    const read = readBytes(memory, from, length);
    if (!read.ok) return null;
    let filled = 0;
    for (const byte of read.bytes) if (byte !== 0) filled++;
    return new Node(`${parent.path}/gap@${used}`, 'gap', {
      type: 'gap',
      address: from,
      bitOffset: used * 8,
      bits: length * 8,
      meaning: filled === 0 ? `${length} bytes, all 0` : `${length} bytes, ${filled} of them not 0`,
      description: 'the rest of the page, which nothing describes',
    });
  });
}
