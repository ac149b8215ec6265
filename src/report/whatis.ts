/** `luo-inspect whatis`: what is at an address, for people and as JSON (schema luo-inspect.whatis/1). */
import type { WhatIs } from '../address/address-index.js';
import { describeState } from '../memory/memory.js';
import { hex } from '../tree/words.js';
import { escapeText } from './escape.js';
import { type JsonObject, hexJson } from './json-value.js';

/** `address` is physical, `virtual` what the user gave where it was mapped. `node`: its kind and name; `path`: of the node or of the entry of a table; `owner`: the path of what the page belongs to. */
export function whatIsJson(is: WhatIs, virtual: bigint | null = null): JsonObject {
  const { block, scratchArea } = is;
  return {
    schema: 'luo-inspect.whatis/1',
    address: hexJson(is.address),
    virtual: virtual === null ? null : hexJson(virtual),
    state: is.state,
    node: is.node === null ? null : { name: is.node.name, type: is.node.type, meaning: is.node.meaning },
    path: is.path,
    offset: is.offset,
    what: is.what,
    preserved: is.preserved,
    block: block === null ? null : { handover: block.handover, start: hexJson(block.start), order: block.order },
    scratch: is.scratch,
    scratchArea: scratchArea === null ? null : { start: hexJson(scratchArea.start), size: scratchArea.size },
    owner: is.owner,
    pointers: is.pointers.map(({ path }) => path),
    morePointers: is.morePointers,
    unchecked: is.unchecked,
  };
}

export function* whatIsText(is: WhatIs, virtual: bigint | null = null): Iterable<string> {
  if (virtual !== null) yield `${hex(virtual)} is mapped to ${hex(is.address)}`;
  yield `${hex(is.address)}: ${escapeText(is.what)}`;
  yield `  page       ${describeState(is.state)}`;
  if (is.path !== null) yield `  path       ${escapeText(is.path)}${is.offset === 0 ? '' : ` + ${hex(is.offset)}`}`;
  if (is.node !== null && is.node.meaning !== '') yield `  meaning    ${escapeText(is.node.meaning)}`;
  if (is.node?.description != null && is.node.description !== '') yield `  for        ${escapeText(is.node.description)}`;
  if (is.owner !== null) yield `  owner      ${escapeText(is.owner)}`;
  yield `  preserved  ${preservedText(is)}`;
  if (is.scratch !== null) yield `  scratch    ${is.scratchArea === null ? 'no' : `yes: ${is.scratchArea.size} bytes at ${hex(is.scratchArea.start)}`}`;
  if (is.pointers.length === 0) yield '  named by   no decoded field';
  for (const [index, { path, at }] of is.pointers.entries())
    yield `  ${index === 0 ? 'named by ' : '         '}  ${escapeText(path)}${at === null ? '' : ` at ${hex(at)}`}`;
  if (is.morePointers > 0) yield `             and ${is.morePointers} more`;
  if (is.unchecked !== null) yield `  unchecked  ${is.unchecked}`;
}

function preservedText({ preserved, block }: WhatIs): string {
  if (preserved === null) return 'not known: no preserved memory map could be read';
  return block === null ? 'no' : `yes: a block of order ${block.order} at ${hex(block.start)}, in the map of ${block.handover}`;
}
