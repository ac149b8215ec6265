/** The state of kernels and devices as rows of a tree that is open but for what the user closed. Pure. */
import type { StateNode, StateValue } from '../../engine/client.js';
import { escapeText } from '../../report/escape.js';
import { type Line, type Span, span } from '../model/text.js';

export interface StateRow {
  readonly node: StateNode;
  readonly depth: number;
  readonly open: boolean;
  /** '' where this step did not change it */
  readonly before: string | null;
}

type StateValues = ReadonlyMap<string, StateValue>;

/** Paths whose value this step set, changed or removed, with the value before (null: there was none). */
export function changesBetween(before: StateValues, after: StateValues): ReadonlyMap<string, StateValue | null> {
  const changes = new Map<string, StateValue | null>();
  for (const [path, value] of after) if (before.get(path) !== value) changes.set(path, before.get(path) ?? null);
  for (const [path, value] of before) if (!after.has(path)) changes.set(path, value);
  return changes;
}

/** All rows below `root`, in order. @param only which top-level names belong to this pane */
export function stateRows(
  root: StateNode,
  only: (name: string) => boolean,
  closed: ReadonlySet<string>,
  changes: ReadonlyMap<string, StateValue | null>,
): StateRow[] {
  const rows: StateRow[] = [];
  const add = (node: StateNode, depth: number): void => {
    const open = node.children.length > 0 && !closed.has(node.path);
    const before = changes.get(node.path);
    rows.push({ node, depth, open, before: before === undefined ? null : stateText(before) });
    if (open) for (const child of node.children) add(child, depth + 1);
  };
  for (const child of root.children) if (only(child.name)) add(child, 0);
  return rows;
}

/** A value as a row shows it; escaped. */
export function stateText(value: StateValue | null | undefined): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return escapeText(String(value));
}

/** What a filter and a search look at. */
export const stateWords = ({ node }: StateRow): string => `${decodeURI(node.path)} ${stateText(node.value)}`;

/** One row; what this step changed has a star and says what it was. */
export function stateLine({ node, depth, open, before }: StateRow): Line {
  const twig = node.children.length === 0 ? '  ' : open ? '▾ ' : '▸ ';
  const spans: Span[] = [
    span(before === null ? ' ' : '*', 'changed'),
    span(`${'  '.repeat(Math.min(depth, 8))}${twig}`, 'dim'),
    span(escapeText(node.name), node.children.length > 0 ? 'label' : 'name'),
  ];
  if (node.value !== undefined) spans.push(span(` ${stateText(node.value)}`, before === null ? 'value' : 'changed'));
  if (before !== null) spans.push(span(` (was ${before})`, 'dim'));
  return spans;
}
