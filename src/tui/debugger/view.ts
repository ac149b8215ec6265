/** The debugger: its panes, keys and commands put together. Small letters go forwards, capitals backwards. */
import { type Breakpoint, BREAKPOINT_KINDS, type EngineClient, breakpointText, parseBreakpoint, stopsAt } from '../../engine/client.js';
import { physicalAddress } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import type { TreeNode } from '../../tree/tree.js';
import { hex } from '../../tree/words.js';
import { INSPECTOR } from '../inspector/view.js';
import { AddressIndex } from '../../address/address-index.js';
import { commonCommands, filterQuestion, generalKeys, moveKeys, paneKeys, searchKeys, tabKeys } from '../model/common-keys.js';
import type { Command, Key } from '../model/keys.js';
import type { PageRow } from '../model/page.js';
import type { Program, Step as ProgramStep } from '../model/program.js';
import { jumpTo } from '../model/scroll.js';
import { type Line, line, span, wrap } from '../model/text.js';
import { placeOfPath } from '../model/tree-view.js';
import { glyphOf } from '../model/finding.js';
import { type View, asked, effect, keyIn, nearest, programOf, showList, showText } from '../model/view.js';
import { type TypedEdit, editOfNode, editText, parseEdit } from './edit.js';
import { decodedAtStep, inspectMemory } from './inspect.js';
import { type DebuggerPane, SHARED, debuggerBands } from './layout.js';
import { aboutOperation } from './operations.js';
import { DEBUGGER_PANES, toggle } from './panes.js';
import { type Debugger, arrive, detailRows, layoutOf, openDebuggerState, seek, settle, stackRows, timelineHeight } from './state.js';
import { stepText } from './step-lines.js';
import { changed, repeated, tell, toCause, travelJumps, travelled } from './travel.js';

const TIME = 'Time';
const STOPS = 'Breakpoints, marks, edits';
const LOOK = 'Look';

const MOMENTS = ['preserved', 'frozen', 'early', 'booted'] as const;

const view = (): View<Debugger, DebuggerPane> => DEBUGGER;

// Breakpoints and marks.

/** Steps of a run that are looked at to see whether a breakpoint can hit. */
const MOST_CHECKED = 200_000;

function hits(client: EngineClient, breakpoint: Breakpoint): number {
  let count = 0;
  for (let number = 1; number <= Math.min(client.length, MOST_CHECKED); number++) {
    const step = client.stepAt(number);
    if (step !== null && stopsAt(breakpoint, step)) count++;
  }
  return count;
}

/** Sets a breakpoint; one that no step of the whole run would hit is refused, with the name that may have been meant. */
function addBreakpoint(state: Debugger, text: string, force: boolean): Debugger {
  const { client } = state;
  let breakpoint: Breakpoint;
  try {
    breakpoint = parseBreakpoint(text);
  } catch (error) {
    return tell(state, error instanceof Error ? escapeText(error.message) : 'not a breakpoint');
  }
  const count = hits(client, breakpoint);
  if (count === 0 && client.end !== null && !force) {
    const op = /op:(\S+)/.exec(breakpointText(breakpoint))?.[1];
    const near = op === undefined ? null : nearest(op, operations(client));
    return tell(
      state,
      `no step of this run stops at ${escapeText(text)}${near === null || near === op ? '' : `; did you mean op:${escapeText(near)}?`}  (:break! sets it all the same)`,
    );
  }
  client.addBreakpoint(breakpoint);
  const known = client.end === null ? '' : `: ${count} step${count === 1 ? '' : 's'} of this run`;
  return settle(tell(state, `breakpoint ${escapeText(breakpointText(breakpoint))}${known}`));
}

function operations(client: EngineClient): string[] {
  const names = new Set<string>();
  for (let number = 1; number <= Math.min(client.length, MOST_CHECKED); number++) {
    const op = client.stepAt(number)?.op;
    if (op !== undefined && op !== 'printk') names.add(op);
  }
  return [...names].sort();
}

function breakpointChoices({ client }: Debugger, typed: string): readonly string[] {
  const at = typed.lastIndexOf(' ') + 1;
  const before = typed.slice(0, at);
  const last = typed.slice(at);
  if (last.startsWith('op:')) return operations(client).map((op) => `${before}op:${op}`);
  if (last.startsWith('moment:')) return MOMENTS.map((moment) => `${before}moment:${moment}`);
  return BREAKPOINT_KINDS.map((kind) => `${before}${kind}:`);
}

/** On the operation of the step under the timeline's cursor. */
function toggleBreakpoint(state: Debugger): Debugger {
  const { client } = state;
  const step = state.shell.focus === 'timeline' ? client.stepAt(state.timeline.cursor + 1) : state.present.step;
  if (step === null) return tell(state, 'no step here');
  const present = client.breakpoints.find((breakpoint) => breakpoint.kind === 'op' && breakpoint.op === step.op);
  if (present !== undefined) {
    client.removeBreakpoint(present);
    return settle(tell(state, `no breakpoint on ${escapeText(step.op)} any more`));
  }
  client.addBreakpoint({ kind: 'op', op: step.op });
  return settle(tell(state, `breakpoint on ${escapeText(step.op)}`));
}

function remove(state: Debugger): Debugger {
  const { client } = state;
  const row = stackRows(state)[state.stack.cursor];
  if (row?.kind === 'breakpoint') client.removeBreakpoint(parseBreakpoint(row.text));
  else if (row?.kind === 'mark') client.unmark(row.name);
  else return tell(state, 'no breakpoint or mark under the cursor');
  return settle({ ...state });
}

/** On to the next breakpoint; a temporary one is gone once it was hit. */
function onward(state: Debugger, count: number | null, go: (client: EngineClient) => unknown): Debugger {
  const there = repeated(state, count, (client) => {
    go(client);
    return client.current;
  });
  const step = there.client.current;
  const hit = there.temporary.find((text) => step !== null && stopsAt(parseBreakpoint(text), step));
  if (hit === undefined) return there;
  there.client.removeBreakpoint(parseBreakpoint(hit));
  return settle(tell({ ...there, temporary: there.temporary.filter((text) => text !== hit) }, `temporary breakpoint ${escapeText(hit)}`));
}

function setMark(state: Debugger, name: string): Debugger {
  const wanted = name.trim();
  if (wanted === '') return state;
  state.client.mark(wanted);
  return settle(tell(state, `step ${state.present.position} is ${escapeText(wanted)}`));
}

function goToMark(state: Debugger, name: string): Debugger {
  const step = state.client.marks.get(name.trim());
  return step === undefined ? tell(state, `no mark ${escapeText(name.trim())}`) : travelled(state, () => state.client.runTo(step), true);
}

// Edits.

function stored(state: Debugger, typed: TypedEdit): Debugger {
  const there = changed(state, () => state.client.edit(typed.address, typed.bytes));
  const { length } = typed.bytes;
  return tell(there, `${length} byte${length === 1 ? '' : 's'} stored at ${hex(typed.address)}; D shows what came of it, u takes it back`);
}

function edit(state: Debugger, text: string): Debugger {
  const typed = parseEdit(text);
  return typed === null ? tell(state, 'an edit is 0x<address> <bytes> or 0x<address>+<1, 2, 4 or 8> = <number>') : stored(state, typed);
}

/** What `e` starts with: what would mend the failure, the bytes of the row under the cursor, else those that are selected. */
function editStart(state: Debugger): string {
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
  const follow = (place: readonly number[]) => {
    let nodes: readonly TreeNode[] = roots;
    let parent: TreeNode | null = null;
    let node: TreeNode | null = null;
    for (const index of place) {
      parent = node;
      node = nodes[index] ?? null;
      nodes = node?.children() ?? [];
    }
    return node === null ? null : { node, parent };
  };
  const exact = found === null ? null : follow(found);
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

function setField(state: Debugger, argument: string): Debugger {
  const typed = /^(\S+)\s*=\s*(.+)$/.exec(argument);
  if (typed === null) return tell(state, ':set takes <path> = <value>, the path of a decoded field or its end');
  const found = nodeOfPath(state, typed[1] ?? '');
  if (found === null) return tell(state, `no field ${escapeText(typed[1] ?? '')} in the memory of this step`);
  const result = editOfNode(found.node, found.parent, state.present.memory, (typed[2] ?? '').trim());
  if (typeof result === 'string') return tell(state, escapeText(result));
  return stored(state, result);
}

/** Both runs side by side from the first step that differs on. */
function compare(state: Debugger): Debugger {
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
  return showList<Debugger, DebuggerPane>(state, same ? 'both runs are the same' : `the runs part at step ${first + 1}`, rows);
}

/** The scenario with the edits as flips, as a new file. */
function save(state: Debugger, path: string): Debugger {
  const { client, source } = state;
  if (path === '') return tell(state, ':save takes the name of a file');
  if (source === null) return tell(state, 'a run on a dump has no scenario to save; :export writes the trace');
  if (client.edits.length === 0) return tell(state, 'nothing was changed: there is nothing to save');
  const flips = client.edits.map(({ step, address, bytes }) => {
    const jumped = client.moments.some(({ moment, step: at }) => moment === 'early' && at <= step);
    const data = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return `  - { at: flip, moment: ${jumped ? 'early' : 'frozen'}, address: ${hex(address)}, data: { hex: "${data}" } }  # edited at step ${step}`;
  });
  const text = /^faults:\s*$/m.test(source)
    ? source.replace(/^faults:\s*$/m, `faults:\n${flips.join('\n')}`)
    : source.replace(/^steps:/m, `faults:\n${flips.join('\n')}\nsteps:`);
  return effect<Debugger, DebuggerPane>(state, { kind: 'save', path, text });
}

// Searching.

/** Steps of the trace that a search looks at. */
const SEARCH_STEPS = 200_000;

/** Searches the timeline; in the console, its lines. */
export function find(state: Debugger, by: 1 | -1): Debugger {
  const { client, query } = state;
  if (query === null) return tell(state, 'no search: / starts one');
  const wanted = query.toLowerCase();
  const from = state.timeline.cursor + 1;
  for (let count = 1; count <= Math.min(client.length, SEARCH_STEPS); count++) {
    const number = ((((from - 1 + by * count) % client.length) + client.length) % client.length) + 1;
    const step = client.stepAt(number);
    if (step === null || !`${step.actor} ${stepText(step)}`.toLowerCase().includes(wanted)) continue;
    return { ...state, timeline: jumpTo(state.timeline, number - 1, client.length, timelineHeight(state)) };
  }
  return tell(state, `no step with ${query} in the ${Math.min(client.length, SEARCH_STEPS)} looked at`);
}

/** The next step after this one whose state has `path` (or an end of it) at `value`. */
function when(state: Debugger, argument: string): Debugger {
  const typed = /^(\S+)\s*=\s*(.+)$/.exec(argument);
  if (typed === null) return tell(state, ':when takes <path of the state> = <value>, such as :when web/files/0x2 = frozen');
  const [, path = '', value = ''] = typed;
  const { client } = state;
  const start = client.position;
  const holds = (number: number): boolean => {
    for (const [key, at] of client.stateAt(number)) {
      const name = decodeURI(key);
      if (name !== path && !name.endsWith(`/${path}`) && !name.includes(`/${path}/`)) continue;
      if ((typeof at === 'bigint' ? hex(at) : String(at)) === value.trim()) return true;
    }
    return false;
  };
  for (let number = start + 1; number <= client.length; number++)
    if (holds(number) && !holds(number - 1)) return travelled(state, () => client.runTo(number), true);
  return tell(state, `after step ${start} no state ${escapeText(path)} becomes ${escapeText(value)}`);
}

// Pages.

/** What the kernel does at this step, what can refuse, and where that is written. */
function more(state: Debugger): Debugger {
  const { step } = state.present;
  if (step === null) return tell(state, 'before the machine is switched on');
  const about = aboutOperation(step.op);
  const action = step.action === null ? null : (state.client.program[step.action] ?? null);
  return showText<Debugger, DebuggerPane>(state, `${escapeText(step.op)}, step ${step.step}`, (width) => [
    ...(about === null ? ['nothing is written down about this operation'] : about).flatMap((text) =>
      wrap(escapeText(text), width, 2).map((row): Line => line(row)),
    ),
    line(''),
    ...(action === null ? [] : [line(`it belongs to line ${action.position.line} of the scenario: ${action.do}`, 'dim')]),
    ...(state.source === null || action === null ? [] : commentAt(state.source, action.position.line).map((text): Line => line(escapeText(text), 'ascii'))),
    line(''),
    line('Lanes: who acts', 'title'),
    ...[
      'agent: user space, which calls',
      'luo: the Live Update Orchestrator',
      'handler: a file handler (memfd, vfio-pci) or an FLB',
      'kho: Kexec Handover, which preserves pages',
      'kernel: the rest of the kernel',
      'device: a device, or damage from outside',
      'next-kernel: the kernel that boots on the handover',
    ].map((text): Line => line(`  ${text}`)),
  ]);
}

/** Comments of a scenario that stand on a line or just above it. */
function commentAt(source: string, number: number): string[] {
  const lines = source.split('\n');
  const own = /#.*$/.exec(lines[number - 1] ?? '')?.[0];
  const above: string[] = [];
  for (let at = number - 2; at >= 0 && /^\s*#/.test(lines[at] ?? ''); at--) above.unshift((lines[at] ?? '').trim());
  return own === undefined ? above : [...above, own];
}

function whatIs(state: Debugger, argument: string): Debugger {
  const address = /^0x[0-9a-f]+$/i.test(argument) ? physicalAddress(BigInt(argument)) : null;
  if (address === null) return tell(state, 'takes a physical address, 0x…');
  const report = decodedAtStep(state.client);
  const selected = settle({ ...state, selection: { address, firstBit: 0, bits: 8 } });
  if (report === null) return tell(selected, 'the memory of this step holds no handover');
  const index = new AddressIndex(report.decoded);
  const is = index.at(address);
  return tell(selected, `${hex(address)}: ${escapeText(is.what)}; ${index.telescope(address)}`);
}

// The rows.

const go =
  (act: (client: EngineClient) => ReturnType<EngineClient['step']>) =>
  (state: Debugger, count: number | null): Debugger =>
    repeated(state, count, act);

const KEYS: readonly Key<Debugger>[] = [
  { keys: ['s'], group: TIME, help: 'one step; 10s ten', hint: 'step', run: go((client) => client.step()) },
  { keys: ['S', 'b'], group: TIME, help: 'one step back', run: go((client) => client.back()) },
  // while a search is shown, n and N are its own
  {
    keys: ['n'],
    group: TIME,
    help: 'next: over the call that is entered here; while a search is shown, its next match',
    hint: 'next',
    run: (state, count) => (state.query === null ? go((client) => client.next())(state, count) : find(state, 1)),
  },
  {
    keys: ['N'],
    group: TIME,
    help: 'back over the call that was left here; while a search is shown, the match before',
    run: (state, count) => (state.query === null ? go((client) => client.backOver())(state, count) : find(state, -1)),
  },
  { keys: ['o'], group: TIME, help: 'out of the call', hint: 'out', run: go((client) => client.out()) },
  { keys: ['O'], group: TIME, help: 'back to where the call was entered', run: go((client) => client.backOut()) },
  {
    keys: ['c'],
    group: TIME,
    help: 'on to the next breakpoint, or to the end',
    hint: 'continue',
    run: (state, count) => onward(state, count, (client) => client.continue()),
  },
  {
    keys: ['C'],
    group: TIME,
    help: 'back to the breakpoint before, or to the start',
    hint: 'back',
    run: (state, count) => onward(state, count, (client) => client.backToBreakpoint()),
  },
  { keys: ['a'], group: TIME, help: "the agent's next step of the program", run: go((client) => client.toAction(1)) },
  { keys: ['A'], group: TIME, help: "the agent's step before", run: go((client) => client.toAction(-1)) },
  {
    keys: ['F'],
    group: TIME,
    help: 'the cause: to what went wrong first inside the failing call; again: to the last write of the bytes it had read',
    hint: 'cause',
    run: toCause,
  },
  { keys: ['backspace', 'ctrl-o'], group: TIME, help: 'back to where the last jump came from', run: (state) => travelJumps(state, -1) },
  { keys: ['ctrl-i', 'ctrl-n'], group: TIME, help: 'forward again (Ctrl-I where the terminal tells it from Tab)', run: (state) => travelJumps(state, 1) },
  { keys: ['B'], group: STOPS, help: 'a breakpoint on the operation of the step, or none any more', run: toggleBreakpoint },
  { keys: ['m'], group: STOPS, help: 'name this step', run: (state) => asked<Debugger, DebuggerPane>(state, 'mark: ') },
  { keys: ["'"], group: STOPS, help: 'go to a named step', run: (state) => asked<Debugger, DebuggerPane>(state, 'go to mark: ') },
  { keys: ['x'], group: STOPS, help: 'remove the breakpoint or mark under the cursor', panes: ['stack'], run: remove },
  {
    keys: ['e'],
    group: STOPS,
    help: 'store other bytes into memory here and see what happens; after F F, what would mend it',
    hint: 'edit',
    run: (state) => asked<Debugger, DebuggerPane>(state, 'edit ', editStart(state)),
  },
  {
    keys: ['u'],
    group: STOPS,
    help: 'take all edits back',
    run: (state) => (state.client.edits.length === 0 ? tell(state, 'no edits to take back') : changed(state, () => state.client.undoEdits())),
  },
  { keys: ['D'], group: STOPS, help: 'the run before and after an edit, side by side from where they part', run: compare },
  ...moveKeys<Debugger, DebuggerPane>(view, {
    left: 'state, devices: close the node; memory: one byte to the left',
    right: 'state, devices: open the node; memory: one byte to the right',
  }),
  ...searchKeys<Debugger, DebuggerPane>(
    view,
    LOOK,
    {
      enter: 'go to what the row is about: a step, a call, a mark, the bytes written',
      search: 'search the timeline: operation, argument, errno, console line',
    },
    find,
  ).filter(({ keys }) => !keys.includes('n') && !keys.includes('N')),
  { keys: ['>'], group: LOOK, help: 'next match', run: (state) => find(state, 1) },
  { keys: ['<'], group: LOOK, help: 'match before', run: (state) => find(state, -1) },
  { keys: ['space'], group: LOOK, help: 'open or close the node', panes: ['state', 'device'], run: (state) => toggle(state, 'toggle') },
  {
    keys: ['*'],
    group: LOOK,
    help: 'only what the step changed, or everything',
    panes: ['state', 'device'],
    run: (state) => settle({ ...state, onlyChanges: !state.onlyChanges }),
  },
  {
    keys: ['i'],
    group: LOOK,
    help: 'open the memory of this step in the inspector',
    hint: 'inspect',
    run: (state) => {
      const inspector = inspectMemory(state.client, state.shell.size);
      return inspector === null ? tell(state, 'the memory of this step holds no handover') : { ...state, inspector };
    },
  },
  { keys: ['K'], group: LOOK, help: 'more: what the kernel does here, and what can refuse', run: more },
  { keys: ['y'], group: LOOK, help: 'copy the step as text (through the terminal, OSC 52)', run: (state) => copyStep(state) },
  ...tabKeys<Debugger, DebuggerPane>(view, SHARED),
  ...paneKeys<Debugger, DebuggerPane>(view),
  ...generalKeys<Debugger, DebuggerPane>(view, (state) => ({ ...state, query: null })),
];

function copyStep(state: Debugger): Debugger {
  const { step } = state.present;
  const text = step === null ? '' : `${step.step} ${step.actor} ${stepText(step)}`;
  return text === '' ? tell(state, 'no step here') : effect<Debugger, DebuggerPane>(tell(state, `copied ${text}`), { kind: 'copy', text });
}

const COMMANDS: readonly Command<Debugger>[] = [
  {
    name: 'run',
    args: '<step>',
    help: 'to that step, forwards or backwards',
    run: (state, argument) =>
      /^\d{1,9}$/.test(argument) ? travelled(state, () => state.client.runTo(Number(argument)), true) : tell(state, ':run takes the number of a step'),
  },
  {
    name: 'until',
    args: '<moment|step>',
    help: 'to the next preserved, frozen, early or booted; or to a step',
    complete: () => MOMENTS,
    run: (state, argument) => {
      if (/^\d{1,9}$/.test(argument)) return travelled(state, () => state.client.runTo(Number(argument)), true);
      const moment = MOMENTS.find((one) => one === argument);
      if (moment === undefined) return tell(state, `:until takes ${MOMENTS.join(', ')}, or the number of a step`);
      const { position } = state.client;
      const arrived = travelled(state, () => state.client.runToMoment(moment), true);
      return state.client.position === position ? tell(arrived, `the run passes no ${moment} after this step`) : arrived;
    },
  },
  { name: 'when', args: '<state> = <value>', help: 'to the next step after which the state is so: :when web/files/0x2 = frozen', run: when },
  {
    name: 'break',
    aliases: ['b'],
    args: '<what>',
    help: 'op:memfd.freeze, errno:any, session:vm-0, token:0x1, write:0x1000+8, read:0x1000+8, moment:frozen, log:text, actor:luo; several must all hold',
    complete: breakpointChoices,
    run: (state, text) => addBreakpoint(state, text, false),
  },
  {
    name: 'break!',
    args: '<what>',
    help: 'the same, also where no step of this run stops there',
    complete: breakpointChoices,
    run: (state, text) => addBreakpoint(state, text, true),
  },
  {
    name: 'tbreak',
    args: '<what>',
    help: 'a breakpoint that is gone once it was hit',
    complete: breakpointChoices,
    run: (state, text) => {
      const before = state.client.breakpoints.length;
      const set = addBreakpoint(state, text, false);
      const added = set.client.breakpoints.at(-1);
      return set.client.breakpoints.length === before || added === undefined ? set : { ...set, temporary: [...set.temporary, breakpointText(added)] };
    },
  },
  {
    name: 'breakpoints',
    aliases: ['info'],
    args: '',
    help: 'every breakpoint with the steps of this run that it stops at',
    run: (state) => {
      const rows = state.client.breakpoints.map((one): PageRow => ({ line: line(`${breakpointText(one)}: ${hits(state.client, one)} steps`), target: null }));
      return rows.length === 0 ? tell(state, 'no breakpoints') : showList<Debugger, DebuggerPane>(state, 'breakpoints', () => rows);
    },
  },
  { name: 'mark', args: '<name>', help: 'name this step', run: setMark },
  {
    name: 'goto',
    args: '0x<address>',
    help: 'show a physical address in the memory pane',
    run: (state, argument) => {
      const address = /^0x[0-9a-f]+$/i.test(argument) ? physicalAddress(BigInt(argument)) : null;
      if (address === null) return tell(state, ':goto takes a physical address, 0x…');
      return settle({ ...state, selection: { address, firstBit: 0, bits: 8 }, shell: { ...state.shell, focus: 'memory' } });
    },
  },
  { name: 'whatis', args: '0x<address>', help: 'what is at an address in the memory of this step', run: whatIs },
  { name: 'find', args: '<text>', help: 'search the timeline, as / does', run: (state, text) => find({ ...state, query: text || null }, 1) },
  { name: 'edit', args: '0x<address> <bytes>', help: 'store bytes (01 02 ff); 0x<address>+8 = <number> stores a number in host order', run: edit },
  { name: 'set', args: '<path> = <value>', help: 'store a value into a decoded field: :set folios[1]/pfn_flags/pfn = 0x23e7', run: setField },
  { name: 'compare', args: '', help: 'the run before and after the edits, side by side', run: compare },
  { name: 'save', args: '<file.yaml>', help: 'the scenario with the edits as flips, in a new file', run: save },
  {
    name: 'export',
    args: '<file>',
    help: 'write the trace as text to a new file',
    run: (state, path) => {
      if (path === '') return tell(state, ':export takes the name of a file');
      const rows: string[] = [];
      for (let number = 1; number <= Math.min(state.client.length, MOST_CHECKED); number++) {
        const step = state.client.stepAt(number);
        if (step !== null) rows.push(`${number} ${step.actor} ${stepText(step)}`);
      }
      return effect<Debugger, DebuggerPane>(state, { kind: 'save', path, text: `${rows.join('\n')}\n` });
    },
  },
  ...commonCommands<Debugger, DebuggerPane>(view),
];

/** Where the run is, and what it has come to if it was run to its end. */
function summary({ client, present, headline, seeking }: Debugger): Line {
  const moment = client.moments.findLast((passed) => passed.step <= present.position);
  const spans: Line = [
    span(`step ${present.position}/${client.length}`, 'title'),
    span(`  kernel ${present.step?.kernel ?? 0}${moment === undefined ? '' : `, ${moment.moment}`}`),
    ...(client.edits.length === 0 ? [] : [span(`  ${client.edits.length} edit${client.edits.length === 1 ? '' : 's'}`, 'changed')]),
  ];
  if (headline === null) return seeking === null ? spans : [...spans, span('  running on …', 'dim')];
  const sign = headline.severity === 'good' ? '' : `${glyphOf(headline.severity)} `;
  return [...spans, span(`  ${sign}${headline.word}`, headline.severity)];
}

export const DEBUGGER: View<Debugger, DebuggerPane> = {
  name: 'Debugger',
  intro: '`luo-inspect sim <scenario> --step` and `luo-inspect step <dump>`: a run of the engine, forwards and backwards.',
  panes: DEBUGGER_PANES,
  keys: KEYS,
  commands: COMMANDS,
  questions: {
    '/': { run: (state, text) => find({ ...state, query: text || null }, 1) },
    'filter: ': filterQuestion<Debugger, DebuggerPane>(),
    'mark: ': { run: setMark },
    'go to mark: ': { run: goToMark, complete: (state, text) => [...state.client.marks.keys()].filter((name) => name.startsWith(text)) },
    'edit ': { run: edit },
  },
  layout: (state) => debuggerBands(layoutOf(state)),
  title: ({ client }) => escapeText(client.scenario.title || client.scenario.file),
  summary,
  status: ({ query }) =>
    query === null
      ? null
      : [
          span(` /${query}  `, 'match'),
          span('n', 'key'),
          span(' next  ', 'dim'),
          span('N', 'key'),
          span(' previous  ', 'dim'),
          span('Enter', 'key'),
          span(' go there  ', 'dim'),
          span('Esc', 'key'),
          span(' end', 'dim'),
        ],
  settle,
  goTo: (state, target) => {
    if ('step' in target) return travelled(state, () => state.client.runTo(target.step), true);
    return 'address' in target ? settle({ ...state, selection: { address: target.address, firstBit: 0, bits: 8 } }) : state;
  },
  unsaved: ({ client }) =>
    client.edits.length === 0 ? null : `${client.edits.length} edit${client.edits.length === 1 ? '' : 's'} to memory would be forgotten (:save keeps them)`,
  work: seek,
  kept: ({ client }) => ({
    marks: Object.fromEntries([...client.marks, ['last', client.position] as const].map(([name, step]) => [name, String(step)])),
    breakpoints: client.breakpoints.map(breakpointText),
  }),
  restored: (state, { marks, breakpoints }) => {
    for (const [name, step] of Object.entries(marks)) if (/^\d{1,9}$/.test(step)) state.client.mark(name, Number(step));
    for (const text of breakpoints) {
      try {
        state.client.addBreakpoint(parseBreakpoint(text));
      } catch {
        // written by another release
      }
    }
    return settle({ ...state });
  },
};

/** The debugger; while the memory of a step is open in the inspector, keys and screen are the inspector's. */
export function debuggerProgram(client: EngineClient, source: string | null = null): Program<Debugger> {
  const own = programOf(DEBUGGER, (size) => openDebuggerState(client, size, source));
  return {
    ...own,
    key: (state, key) => (state.inspector === null ? own.key(state, key) : inInspector(state, state.inspector, key)),
    resize: (state, size) => {
      const sized = own.resize(state, size);
      return sized.inspector === null ? sized : { ...sized, inspector: inspectorOwn.resize(sized.inspector, size) };
    },
    screen: (state) => (state.inspector === null ? own.screen(state) : inspectorOwn.screen(state.inspector)),
    work: (state) => {
      const inspector = state.inspector === null ? null : INSPECTOR.work(state.inspector);
      return inspector === null ? own.work(state) : { ...state, inspector };
    },
  };
}

const inspectorOwn = programOf(INSPECTOR, () => {
  throw new Error('the inspector is opened on the memory of a step');
});

/** Keys go to the inspector while it is open; its end is the way back, but for Ctrl-C. */
function inInspector(state: Debugger, inspector: NonNullable<Debugger['inspector']>, key: string): ProgramStep<Debugger> {
  const { state: next, effects } = keyIn(INSPECTOR, inspector, key);
  const closing = key !== 'ctrl-c' && effects.some(({ kind }) => kind === 'quit');
  return closing ? { state: arrive({ ...state, inspector: null }), effects: [] } : { state: { ...state, inspector: next }, effects };
}
