/** `luo-inspect log`: the printk ring of the kernel in a dump, as text and as JSON (schema luo-inspect.log/1). */
import { painter } from './lines.js';
import type { PanicStory } from '../kernel/panic.js';
import { type PrintkRecord, printkLine } from '../kernel/printk.js';
import type { TreeNode } from '../tree/tree.js';
import { hex } from '../tree/words.js';
import { escapeText } from './escape.js';
import type { JsonObject } from './json-value.js';

interface LogLineReport {
  readonly record: PrintkRecord;
  /** of KHO, LUO or one of their users */
  readonly isOurs: boolean;
  /** what it speaks of; null where nothing tells */
  readonly node: TreeNode | null;
}

interface LogReport {
  readonly path: string;
  readonly release: string | null;
  readonly lines: readonly LogLineReport[];
  readonly panic: PanicStory | null;
}

export const logJson = ({ path, release, lines, panic }: LogReport): JsonObject => ({
  schema: 'luo-inspect.log/1',
  source: { path },
  kernel: { release },
  lines: lines.map(({ record, isOurs, node }) => ({
    time: Number(record.time) / 1e9,
    thread: record.thread,
    text: record.text,
    handover: isOurs,
    path: node?.path ?? null,
    at: node === null || node.address === null ? null : hex(node.address),
  })),
  panic:
    panic === null
      ? null
      : {
          line: panic.line,
          text: panic.text,
          panicked: panic.panicked,
          cause: panic.cause,
          task: panic.task === null ? null : { ...panic.task },
          stack: [...panic.stack],
        },
});

export function* logText({ path, release, lines, panic }: LogReport, color: boolean): Iterable<string> {
  const paint = painter(color);
  for (const { record, isOurs, node } of lines) {
    const line = escapeText(printkLine(record));
    yield isOurs ? paint(line, 'bold') : line;
    if (node !== null) yield `                 ^ ${escapeText(node.path)}`;
  }
  yield '';
  yield `${escapeText(path)}: kernel ${escapeText(release ?? 'unknown')}, ${lines.length} lines, ${lines.filter(({ isOurs }) => isOurs).length} of KHO and LUO`;
  if (panic === null) return;
  const { task } = panic;
  yield `${panic.panicked ? 'died of' : 'a task died of'}: ${panic.cause === null ? '' : `${escapeText(panic.cause)}; `}${escapeText(panic.text)}${task === null ? '' : `; in ${escapeText(task.comm)}[${task.pid}] on CPU ${task.cpu}`}`;
  for (const frame of panic.stack) yield `  ${escapeText(frame)}`;
}
