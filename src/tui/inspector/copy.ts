/** What can be copied of the selected node. */
import { hex, hexBytes } from '../../tree/words.js';
import { bytesTouched, rawValueText } from '../model/value.js';
import { effect, tell } from '../model/view.js';
import type { PaneId } from './layout.js';
import { type Inspector, nodeBits, selectedNode } from './state.js';

import { shellWord } from '../model/match.js';
export const COPIES = ['value', 'address', 'bytes', 'path', 'json', 'command'] as const;
type Copy = (typeof COPIES)[number];

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
    case 'json': {
      const { path, name, type, meaning, address, bits } = node;
      const value = typeof node.value === 'bigint' ? hex(node.value) : node.value;
      return JSON.stringify({ path, name, type, value, meaning, address: address === null ? null : hex(address), bits, state: node.state });
    }
    case 'command': {
      const address = state.hexAt ?? node.address;
      const quoted = shellWord(state.model.path);
      if (address === null) return `luo-inspect report ${quoted}`;
      if (node.layout !== null && node.layout.field === null) return `luo-inspect decode ${quoted} --as ${node.layout.struct.name} --at ${hex(address)}`;
      return `luo-inspect whatis ${quoted} ${hex(address)}`;
    }
  }
}

export function copy(state: Inspector, what: Copy): Inspector {
  const text = textOfCopy(state, what);
  if (text === '') return tell(state, `this node has no ${what}`);
  return effect<Inspector, PaneId>(tell(state, `copied ${text}`), { kind: 'copy', text });
}

/** `y`: the value; of a structure, which has none, its bytes; of a group its path. */
export function copyBest(state: Inspector): Inspector {
  const best = (['value', 'bytes', 'path'] as const).find((what) => textOfCopy(state, what) !== '');
  return best === undefined ? tell(state, 'nothing to copy here') : copy(state, best);
}
