/** What can be copied of the selected node. */
import { hex, hexBytes } from '../../tree/words.js';
import type { TreeNode } from '../../tree/tree.js';
import { shellWord } from '../../report/escape.js';
import { bytesTouched, rawValueText } from '../model/value.js';
import { copiesOf } from '../model/view.js';
import { type Inspector, nodeBits, selectedNode } from './state.js';

const COPIES = ['value', 'address', 'bytes', 'path', 'json', 'command'] as const;
type Copy = (typeof COPIES)[number];

/** Empty where the node has nothing of the kind. */
/** A node for JSON, without what is below it. */
export function fieldsOf({ path, name, type, value, meaning, address, bits, state }: TreeNode): object {
  return { path, name, type, value: typeof value === 'bigint' ? hex(value) : value, meaning, address: address === null ? null : hex(address), bits, state };
}

export function textOfCopy(state: Inspector, what: Copy): string {
  const node = selectedNode(state);
  if (node === null) return '';
  switch (what) {
    case 'value':
      return rawValueText(node);
    case 'address':
      return node.address === null ? '' : hex(node.address);
    case 'bytes': {
      const bits = nodeBits(state);
      if (bits === null || node.bits === 0) return '';
      const bytes = new Uint8Array(Math.min(bytesTouched(bits), 65_536));
      return hexBytes(bytes.subarray(0, state.model.memory.readInto(bits.address, bytes.length, bytes)));
    }
    case 'path':
      return node.path;
    case 'json':
      return JSON.stringify(fieldsOf(node));
    case 'command': {
      const address = state.hexAt ?? node.address;
      const quoted = shellWord(state.model.path);
      if (state.model.series !== null) return `luo-inspect kvm ${quoted}`;
      if (address === null) return `luo-inspect report ${quoted}`;
      if (node.layout !== null && node.layout.field === null) return `luo-inspect decode ${quoted} --as ${node.layout.struct.name} --at ${hex(address)}`;
      return `luo-inspect whatis ${quoted} ${hex(address)}`;
    }
  }
}

/** `y`: the value; of a structure, which has none, its bytes; of a group its path. */
export const INSPECTOR_COPIES = copiesOf<Inspector, Copy>({
  kinds: COPIES,
  text: textOfCopy,
  about: ['tree', 'detail', 'hex'],
  keys: [
    { keys: ['y'], what: ['value', 'bytes', 'path'], help: 'copy the value, or the bytes of a structure; in a list the row (through the terminal, OSC 52)' },
    { keys: ['Y'], what: ['path'], help: 'copy the path' },
    { keys: ['c'], what: ['command'], help: 'copy a command line that shows this' },
  ],
});
