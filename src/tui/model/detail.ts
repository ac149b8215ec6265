/** What the detail pane says about the selected node. Pure; raw bytes come from the memory. */
import { hex, hexBytes } from '../../tree/words.js';
import type { TreeNode } from '../../tree/tree.js';
import { type PhysicalMemory, describeState, readBytes } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import { type FindingView, glyphOf } from './finding.js';
import { type Line, type Style, line, span, wrap } from './text.js';
import { bitSpanOf, bytesTouched, isPartial, sizeText, stateWord, valueText } from './value.js';

/** Raw bytes shown in the detail pane; the hex pane shows the rest. */
const RAW_LIMIT = 32;
const LABEL = 10;

/** Lines of at most `width` columns about `node`, most important first. @param telescope where a pointer leads, in words */
export function detailLines(
  node: TreeNode,
  parent: TreeNode | null,
  memory: PhysicalMemory,
  findings: readonly FindingView[],
  width: number,
  telescope: (address: number) => string = (address) => describeState(memory.stateOf(address)),
  owner = '',
): Line[] {
  const out: Line[] = [];
  const add = (label: string, text: string, style: Style = 'plain'): void => {
    for (const [index, row] of wrap(text, Math.max(8, width - LABEL)).entries())
      out.push([span((index === 0 ? label : '').padEnd(LABEL), 'label'), span(row, style)]);
  };

  out.push([span(escapeText(node.name), 'title'), span(`  ${escapeText(node.type)}`, 'type')]);
  if (node.description !== '') for (const row of wrap(escapeText(node.description), width)) out.push(line(row));
  for (const finding of findings) {
    add(`${glyphOf(finding.severity)} ${finding.severity}`, finding.message, finding.severity);
    if (finding.reaction !== null) add('  kernel', finding.reaction);
  }
  // a finding that repeats what the decoder saw has said it already
  const told = findings.some((finding) => finding.message === escapeText(node.why ?? ''));
  if (node.state !== 'fine')
    add('state', `${stateWord(node.state)}${node.why === null || told ? '' : `: ${escapeText(node.why)}`}`, node.state === 'invalid' ? 'error' : 'warning');
  const value = valueText(node);
  if (value !== '') add('value', value, 'value');
  const other = otherBase(node);
  if (other !== '') add('', other, 'dim');
  if (node.meaning !== '') add('meaning', escapeText(node.meaning));
  if (owner !== '') add('owner', owner);
  if (node.pointer !== null) {
    add('points to', `${hex(node.pointer)}: ${telescope(node.pointer)}`, 'address');
    if (node.target !== null) add('', escapeText(node.target), 'address');
  }
  if (node.address !== null) add('address', hex(node.address), 'address');
  if (node.bits > 0) {
    add('size', sizeText(node.bits));
    if (parent !== null && isWithin(node, parent)) add('offset', offsetText(node, parent));
  }
  const raw = rawText(node, parent, memory);
  if (raw !== '') add('bytes', raw, 'ascii');
  if (node.layout !== null) {
    const { struct, field } = node.layout;
    add('layout', `struct ${struct.name}${field === null ? '' : `.${field}`}`, 'type');
    add('source', struct.source);
  }
  add('path', escapeText(node.path));
  return out;
}

/** An integer in the base its row does not show. */
function otherBase(node: TreeNode): string {
  if (typeof node.value !== 'bigint' && typeof node.value !== 'number') return '';
  const shown = valueText(node);
  const other = shown.startsWith('0x') ? node.value.toString() : hex(node.value);
  return other === shown || (node.value >= 0 && node.value < 10) ? '' : other;
}

/** A node below another one need not be in its bytes: what a pointer led to is elsewhere. */
function isWithin(node: TreeNode, parent: TreeNode): boolean {
  if (node.address === null || parent.address === null) return false;
  const start = node.address - parent.address;
  return start >= 0 && start * 8 + node.bits <= parent.bits;
}

function offsetText(node: TreeNode, parent: TreeNode): string {
  const inside = ` in ${escapeText(parent.type === 'group' ? parent.name : parent.type)}`;
  const span = bitSpanOf(node, parent);
  if (span !== null && isPartial(span)) return `bit ${node.bitOffset} to ${node.bitOffset + node.bits - 1}${inside}`;
  const bytes = node.bitOffset / 8;
  return `${bytes}${bytes > 9 ? ` (${hex(bytes)})` : ''}${inside}`;
}

function rawText(node: TreeNode, parent: TreeNode | null, memory: PhysicalMemory): string {
  const where = bitSpanOf(node, parent);
  if (where === null) return '';
  const length = bytesTouched(where);
  const read = readBytes(memory, where.address, Math.min(length, RAW_LIMIT));
  const digits = (hexBytes(read.bytes).match(/../g) ?? []).join(' ');
  if (!read.ok) return `${digits}${digits === '' ? '' : ' '}(${hex(read.at)} is ${describeState(read.state)})`;
  return length > RAW_LIMIT ? `${digits} …` : digits;
}
