/** What-if: memory edited by bytes or by field, the edits of an earlier run made again, both runs side by side, and the scenario with the edits in it. */
import { physicalAddress } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import type { TreeNode } from '../../tree/tree.js';
import { hex, hexBytes } from '../../tree/words.js';
import type { PageRow } from '../model/page.js';
import { span } from '../model/text.js';
import { nodeDown, placeOfPath } from '../model/tree-view.js';
import { effect, showList } from '../model/view.js';
import { type TypedEdit, editOfNode, editText, parseEdit } from './edit.js';
import { decodedAtStep } from './inspect.js';
import { type Debugger, detailRows } from './state.js';
import { stepText } from './step-lines.js';
import { changed, tell } from './travel.js';

function stored(state: Debugger, typed: TypedEdit): Debugger {
  const there = changed(state, () => state.client.edit(typed.address, typed.bytes));
  const { length } = typed.bytes;
  return tell(there, `${length} byte${length === 1 ? '' : 's'} stored at ${hex(typed.address)}; D shows what came of it, u takes it back`);
}

/** `:edit 0x… <bytes>`: stores them at the current step; the run goes on from there. */
export function edit(state: Debugger, text: string): Debugger {
  const typed = parseEdit(text);
  return typed === null ? tell(state, 'an edit is 0x<address> <bytes> or 0x<address>+<1, 2, 4 or 8> = <number>') : stored(state, typed);
}

/** Edits as they are kept from one run to the next. */
export const keptEdits = (state: Debugger): readonly string[] =>
  state.client.edits.map(({ step, address, bytes }) => `${step} ${hex(address)} ${hexBytes(bytes)}`);

const MOST_EDITS = 200;

/** Makes the edits of an earlier run again, each at its step; where a run has no such step any more, that edit and the later ones are left out. */
export function withEdits(state: Debugger, texts: readonly string[]): Debugger {
  const { client } = state;
  const here = client.position;
  let made = 0;
  let there = state;
  for (const text of texts.slice(0, MOST_EDITS)) {
    const parts = /^(\d{1,9}) (0x[0-9a-f]+) ((?:[0-9a-f]{2})+)$/.exec(text);
    const address = parts === null ? null : physicalAddress(BigInt(parts[2] ?? ''));
    const step = Number(parts?.[1] ?? 0);
    if (parts === null || address === null) continue;
    client.runTo(step);
    if (client.position !== step) break;
    const bytes = Uint8Array.from((parts[3] ?? '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    there = changed(there, () => client.edit(address, bytes));
    made++;
  }
  if (made === 0) {
    client.runTo(here);
    return state;
  }
  return tell(
    there,
    `${made} edit${made === 1 ? '' : 's'} of the last run made again; u takes ${made === 1 ? 'it' : 'them'} back, D shows what came of ${made === 1 ? 'it' : 'them'}`,
  );
}

/** What `e` starts with: what would mend the failure, the bytes of the row under the cursor, else those that are selected. */
export function editStart(state: Debugger): string {
  const { cause, selection } = state;
  if (cause?.mend != null && state.client.position === (cause.writer ?? 1)) return editText(cause.mend);
  const row = state.shell.focus === 'step' ? detailRows(state)[state.step.cursor] : undefined;
  const at =
    row?.address != null
      ? { address: row.address, length: row.length }
      : selection === null
        ? null
        : { address: selection.address, length: Math.ceil(selection.bits / 8) };
  if (at === null) return '0x';
  const bytes = new Uint8Array(Math.min(at.length, 16));
  const got = state.present.memory.readInto(at.address, bytes.length, bytes);
  return got === bytes.length && bytes.length > 0 ? editText({ address: at.address, bytes }) : `${hex(at.address)} `;
}

/** A node of the memory of this step, by its path or the end of it. */
function nodeOfPath(state: Debugger, path: string): { readonly node: TreeNode; readonly parent: TreeNode | null } | null {
  const report = decodedAtStep(state.client);
  const roots = report?.decoded.handovers.map(({ node }) => node) ?? [];
  const wanted = path.replace(/\[(\d+)\]/g, '[]/$1').replace(/^[….]+\/?/, '');
  const found = placeOfPath(roots, wanted);
  const exact = found === null ? null : nodeDown(roots, found);
  if (exact !== null && exact.node.path === wanted) return exact;
  // the end of a path, looked for breadth first up to a bound
  let pending: { node: TreeNode; parent: TreeNode | null }[] = roots.map((node) => ({ node, parent: null }));
  for (let seen = 0; pending.length > 0 && seen < 50_000; ) {
    const next: typeof pending = [];
    for (const one of pending) {
      if (++seen > 50_000) break;
      if (one.node.path.endsWith(`/${wanted}`)) return one;
      if (!/\[\d{4,}\]$/.test(one.node.type)) for (const child of one.node.children()) next.push({ node: child, parent: one.node });
    }
    pending = next;
  }
  return null;
}

/** `:set <path> = <value>`: the same by the path of a decoded field, or its end. */
export function setField(state: Debugger, argument: string): Debugger {
  const typed = /^(\S+)\s*=\s*(.+)$/.exec(argument);
  if (typed === null) return tell(state, ':set takes <path> = <value>, the path of a decoded field or its end');
  const found = nodeOfPath(state, typed[1] ?? '');
  if (found === null) return tell(state, `no field ${escapeText(typed[1] ?? '')} in the memory of this step`);
  const result = editOfNode(found.node, found.parent, state.present.memory, (typed[2] ?? '').trim());
  if (typeof result === 'string') return tell(state, escapeText(result));
  return stored(state, result);
}

/** Both runs side by side from the first step that differs on. */
export function compare(state: Debugger): Debugger {
  const { before, client } = state;
  if (before === null) return tell(state, 'nothing was changed: e or :set changes memory, then D shows both runs');
  const now: string[] = [];
  for (let number = 1; number <= Math.min(client.length, before.steps.length + 10_000); number++) {
    const step = client.stepAt(number);
    if (step !== null && step.op !== 'edit memory') now.push(`${step.actor} ${stepText(step)}`);
  }
  let first = 0;
  while (first < now.length && first < before.steps.length && now[first] === before.steps[first]) first++;
  const same = first === now.length && first === before.steps.length;
  const rows = (width: number): PageRow[] => {
    const half = Math.floor((width - 12) / 2);
    const out: PageRow[] = [
      { line: [span(`   step  ${'before'.padEnd(half)}│ now`, 'label')], target: null },
      { line: [span(`         ${`ends: ${before.end}`.padEnd(half)}│ ends: ${client.end?.ending ?? 'still running'}`, 'title')], target: null },
    ];
    const from = Math.max(0, first - 3);
    for (let index = from; index < Math.min(Math.max(now.length, before.steps.length), from + 5_000); index++) {
      const a = before.steps[index] ?? '';
      const b = now[index] ?? '';
      const style = index === first ? 'changed' : a === b ? 'dim' : 'plain';
      out.push({
        line: [
          span(`${index === first ? '*' : a === b ? ' ' : '·'} ${String(index + 1).padStart(6)} `, 'address'),
          span(a.slice(0, half - 1).padEnd(half), style),
          span('│ ', 'dim'),
          span(b.slice(0, half), style),
        ],
        target: { step: index + 1 + client.edits.filter(({ step }) => step <= index).length },
      });
    }
    return out;
  };
  return showList(state, same ? 'both runs are the same' : `the runs part at step ${first + 1}`, rows);
}

/** The scenario with the edits as flips, as a new file. */
export function save(state: Debugger, path: string): Debugger {
  const { client, source } = state;
  if (path === '') return tell(state, ':save takes the name of a file');
  if (source === null) return tell(state, 'a run on a dump has no scenario to save; :export writes the trace');
  if (client.edits.length === 0) return tell(state, 'nothing was changed: there is nothing to save');
  const flips = client.edits.map(({ step, address, bytes }) => {
    const after = client.stepAt(step);
    return `  - { at: flip, step: ${step}, address: ${hex(address)}, data: { hex: "${hexBytes(bytes)}" } }${after === null ? '' : `  # after ${after.op.replace(/[^ -~]/g, '?')}`}`;
  });
  const text = /^faults:\s*$/m.test(source)
    ? source.replace(/^faults:\s*$/m, `faults:\n${flips.join('\n')}`)
    : source.replace(/^steps:/m, `faults:\n${flips.join('\n')}\nsteps:`);
  return effect(state, { kind: 'save', path, text });
}
