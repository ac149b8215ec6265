/** What a row of the tree pane says. Pure. */
import type { TreeNode } from '../../tree/tree.js';
import { escapeText } from '../../report/escape.js';
import { type Marks, glyphOf } from './finding.js';
import { type Line, type Span, type Style, fill, clip, restyle, span } from './text.js';
import type { TreeRow } from './tree-view.js';
import { hasChildren, stateWord, valueText } from './value.js';

interface TreeRowContext {
  /** in columns */
  readonly width: number;
  readonly focused: boolean;
  readonly marks: Marks;
  /** does this node match the running search? */
  readonly matches: (node: TreeNode) => boolean;
}

/** A mark's sign: the finding at the node; of what is below only where the node is closed; else what the decoder itself saw. */
function signOf(row: TreeRow, marks: Marks): Span {
  const mark = marks.get(row.node.path);
  const severity = mark?.own ?? (row.open ? null : (mark?.below ?? null));
  if (severity !== null) return span(glyphOf(severity), severity);
  switch (row.node.state) {
    case 'fine':
      return span(' ');
    case 'invalid':
      return span('!', 'error');
    case 'missing-page':
    case 'excluded-page':
      return span('∅', 'dim');
    default:
      return span('?', 'warning');
  }
}

/** One row: mark, indentation, open or closed, name, value, meaning, state in words. */
export function treeRow(row: TreeRow, selected: boolean, context: TreeRowContext): Line {
  const { node } = row;
  const sign = signOf(row, context.marks);
  // a deep node must still show its name: narrow panes indent less, and never by more than half
  const step = context.width < 56 ? 1 : 2;
  const indent = ' '.repeat(Math.min(row.depth * step, Math.floor(context.width / 2)));
  const twig = row.open ? '▾ ' : hasChildren(node) ? '▸ ' : '  ';
  const nameStyle: Style = context.matches(node) ? 'match' : node.bits === 0 ? 'label' : 'name';
  const spans: Span[] = [span(selected ? '›' : ' ', 'focus'), sign, span(`${indent}${twig}`, 'dim'), span(escapeText(node.name), nameStyle)];
  const value = valueText(node);
  if (value !== '') spans.push(span(` ${value}`, node.pointer === null ? 'value' : 'address'));
  if (node.pointer !== null) spans.push(span(' →', 'address'));
  if (node.meaning !== '' && node.meaning !== '0') spans.push(span(value === '' ? `  ${escapeText(node.meaning)}` : ` (${escapeText(node.meaning)})`, 'dim'));
  const word = stateWord(node.state);
  if (word !== '') spans.push(span(` [${word}]`, node.state === 'invalid' ? 'error' : 'warning'));
  if (!selected) return clip(spans, context.width);
  return restyle(fill(spans, context.width), context.focused ? 'cursor' : 'selected');
}
