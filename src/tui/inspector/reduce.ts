/** What a key does in the inspector. Pure: a key and a state give the next state, and what the world should do. */
import { hex } from '../../handover/meaning.js';
import { physicalAddress } from '../../memory/memory.js';
import { moveRows, rowStart } from '../model/hex.js';
import { bindingOf, helpLines } from '../model/keys.js';
import type { Effect, Step } from '../model/program.js';
import { openPrompt, remember, typeInto } from '../model/prompt.js';
import { type Motion, jumpTo, keepInView, moveBy, rowsOf, scrollText } from '../model/scroll.js';
import { TreeSearch, nextMatch } from '../model/search.js';
import type { Size } from '../model/screen.js';
import { closeAt, isOpen, openAt, placeOfPath, placeOfRow, rowOfPlace } from '../model/tree-view.js';
import { rawValueText } from '../model/value.js';
import { detailOf } from './content.js';
import { INSPECTOR_COMMANDS, INSPECTOR_KEYS, type InspectorAction } from './keys.js';
import { type Inspector, PANES, type PaneId, followHex, hexGeometry, hexSelection, jump, jumpToAddress, paneBox, select, selectedNode } from './state.js';

const only = (state: Inspector): Step<Inspector> => ({ state, effects: [] });
const effect = (state: Inspector, ...effects: readonly Effect[]): Step<Inspector> => ({ state, effects });
const say = (state: Inspector, toast: string): Inspector => ({ ...state, toast });

/** One key, by the name the key table uses. */
export function reduce(before: Inspector, key: string): Step<Inspector> {
  const state: Inspector = { ...before, toast: null };
  const action = bindingOf(INSPECTOR_KEYS, key, state.focus)?.action ?? null;
  if (action === 'quit') return effect(state, { kind: 'quit' });
  if (state.prompt !== null) return typing(state, key);
  if (action === null) return only(state);
  return state.helpTop === null ? act(state, action) : inHelp(state, state.helpTop, action);
}

function typing(state: Inspector, key: string): Step<Inspector> {
  if (state.prompt === null) return only(state);
  const { sign } = state.prompt;
  const result = typeInto(state.prompt, key);
  switch (result.kind) {
    case 'typing':
      return only({ ...state, prompt: result.prompt });
    case 'cancelled':
      return only({ ...state, prompt: null });
    case 'entered':
      return sign === '/' ? only(startSearch({ ...state, prompt: null }, result.text)) : command({ ...state, prompt: null }, result.text);
  }
}

function inHelp(state: Inspector, top: number, action: InspectorAction): Step<Inspector> {
  switch (action) {
    case 'help':
    case 'close':
    case 'escape':
      return only({ ...state, helpTop: null });
    case 'suspend':
    case 'redraw':
      return act(state, action);
    default: {
      const motion = motionOf(action);
      if (motion === null) return only(state);
      const height = state.size.rows - 3;
      const count = helpLines(INSPECTOR_KEYS, INSPECTOR_COMMANDS, state.size.columns).length;
      return only({ ...state, helpTop: scrollText(top, rowsOf(motion, height), count, height) });
    }
  }
}

function motionOf(action: InspectorAction): Motion | null {
  switch (action) {
    case 'up':
    case 'down':
    case 'pageUp':
    case 'pageDown':
    case 'halfUp':
    case 'halfDown':
    case 'first':
    case 'last':
      return action;
    default:
      return null;
  }
}

function act(state: Inspector, action: InspectorAction): Step<Inspector> {
  const motion = motionOf(action);
  if (motion !== null) return only(move(state, motion));
  switch (action) {
    case 'left':
      return only(state.focus === 'tree' ? close(state) : move(state, 'up'));
    case 'right':
      return only(state.focus === 'tree' ? open(state) : move(state, 'down'));
    case 'toggle':
      return only(isOpen(state.tree, state.place) ? shut(state) : open(state));
    case 'enter':
      return only(state.focus === 'findings' ? goToFinding(state, state.findings.cursor) : follow(state));
    case 'back':
      return only(back(state));
    case 'nextPane':
      return only(cycle(state, 1));
    case 'previousPane':
      return only(cycle(state, -1));
    case 'zoom':
      return only(settle({ ...state, zoom: !state.zoom }));
    case 'nextFinding':
      return only(stepFinding(state, 1));
    case 'previousFinding':
      return only(stepFinding(state, -1));
    case 'search':
      return only({ ...state, prompt: openPrompt('/', state.searches) });
    case 'command':
      return only({ ...state, prompt: openPrompt(':', state.commands) });
    case 'nextMatch':
      return only(goToMatch(state, true));
    case 'previousMatch':
      return only(goToMatch(state, false));
    case 'copyValue':
      return copy(state, 'value');
    case 'copyPath':
      return copy(state, 'path');
    case 'help':
      return only({ ...state, helpTop: 0 });
    case 'escape':
      return only({ ...state, search: null, searchPending: false });
    case 'close':
      return state.zoom ? only(settle({ ...state, zoom: false })) : effect(state, { kind: 'quit' });
    case 'suspend':
      return effect(state, { kind: 'suspend' });
    case 'redraw':
      return effect(state, { kind: 'redraw' });
    default:
      return only(focusNumber(state, action));
  }
}

function focusNumber(state: Inspector, action: InspectorAction): Inspector {
  const pane = PANES[Number(action.replace('pane', '')) - 1];
  return pane === undefined ? state : settle({ ...state, focus: pane });
}

function cycle(state: Inspector, by: number): Inspector {
  const index = (PANES.indexOf(state.focus) + by + PANES.length) % PANES.length;
  return settle({ ...state, focus: PANES[index] ?? state.focus });
}

function move(state: Inspector, motion: Motion): Inspector {
  const box = paneBox(state, state.focus);
  const rows = rowsOf(motion, box.height);
  switch (state.focus) {
    case 'tree': {
      const { cursor } = moveBy(state.treeScroll, rows, state.tree.rows, box.height);
      return select(state, placeOfRow(state.tree, cursor) ?? state.place);
    }
    case 'detail':
      return { ...state, detailTop: scrollText(state.detailTop, rows, detailOf(state, box.width).length, box.height) };
    case 'findings':
      return { ...state, findings: moveBy(state.findings, rows, state.model.findings.length, box.height) };
    case 'hex':
      return moveHex(state, motion, rows);
  }
}

function moveHex(state: Inspector, motion: Motion, rows: number): Inspector {
  const { perRow, height } = hexGeometry(state);
  const { memory } = state.model;
  const selection = hexSelection(state);
  // the ends of memory say nothing: first and last are those of the selection
  if (motion === 'first' && selection !== null) return { ...state, hexTop: rowStart(memory, selection.address, perRow) };
  if (motion === 'last' && selection !== null) {
    const last = rowStart(memory, selection.address + Math.ceil((selection.firstBit + selection.bits) / 8) - 1, perRow);
    return { ...state, hexTop: moveRows(memory, last, 1 - height, perRow) };
  }
  return Number.isFinite(rows) ? { ...state, hexTop: moveRows(memory, rowStart(memory, state.hexTop, perRow), rows, perRow) } : state;
}

function open(state: Inspector): Inspector {
  if (isOpen(state.tree, state.place)) return select(state, [...state.place, 0]);
  const tree = openAt(state.tree, state.place);
  return tree === state.tree ? state : { ...state, tree, treeScroll: keepInView(state.treeScroll, tree.rows, paneBox(state, 'tree').height) };
}

function shut(state: Inspector): Inspector {
  const tree = closeAt(state.tree, state.place);
  return { ...state, tree, treeScroll: keepInView(state.treeScroll, tree.rows, paneBox(state, 'tree').height) };
}

function close(state: Inspector): Inspector {
  if (isOpen(state.tree, state.place)) return shut(state);
  return state.place.length > 1 ? select(state, state.place.slice(0, -1)) : state;
}

/** Follows the selected pointer to the node decoded there, or to the bytes; opens what is no pointer. */
function follow(state: Inspector): Inspector {
  const node = selectedNode(state);
  if (node === null) return state;
  if (node.target !== null) {
    const place = placeOfPath(state.tree.children, node.target);
    if (place !== null) return jump(state, place);
  }
  if (node.pointer !== null) return say(jumpToAddress(state, node.pointer), `nothing was decoded at ${hex(node.pointer)}: the hex pane shows it`);
  return isOpen(state.tree, state.place) ? shut(state) : open(state);
}

function back(state: Inspector): Inspector {
  const visit = state.jumps.at(-1);
  if (visit === undefined) return say(state, 'no jump to go back from');
  return followHex({ ...select({ ...state, jumps: state.jumps.slice(0, -1) }, visit.place), hexAt: visit.hexAt });
}

function goToFinding(state: Inspector, index: number): Inspector {
  const finding = state.model.findings[index];
  if (finding === undefined) return state;
  const height = paneBox(state, 'findings').height;
  const at = { ...state, findingAt: index, findings: jumpTo(state.findings, index, state.model.findings.length, height) };
  const place = finding.path === null ? null : placeOfPath(state.tree.children, finding.path);
  const there = place === null ? at : jump(at, place);
  const node = selectedNode(there);
  // the finding may be about a field deeper than what was decoded, or about bytes without a node
  if (finding.at !== null && (place === null || (node !== null && node.path !== finding.path)))
    return followHex({ ...(place === null ? jumpToAddress(at, finding.at) : there), hexAt: finding.at });
  return place === null ? say(at, 'this finding is about no single place') : there;
}

function stepFinding(state: Inspector, by: number): Inspector {
  const count = state.model.findings.length;
  if (count === 0) return say(state, 'no findings');
  // the first step goes to the finding under the cursor, the next ones on from there
  const index = state.findingAt === state.findings.cursor ? (state.findings.cursor + by + count) % count : state.findings.cursor;
  return say(goToFinding(state, index), `finding ${index + 1}/${count}: ${state.model.findings[index]?.message ?? ''}`);
}

function startSearch(state: Inspector, text: string): Inspector {
  if (text === '') return { ...state, search: null, searchPending: false };
  const search = new TreeSearch(text, state.tree);
  return advanceSearch({ ...state, search, searchPending: true, searches: remember(state.searches, text) });
}

/** Stands on the first match as soon as there is one. */
function advanceSearch(state: Inspector): Inspector {
  const { search } = state;
  if (search === null || !state.searchPending) return state;
  if (search.found.length > 0) {
    const at = search.found.findIndex((place) => rowOfPlace(state.tree, place) >= state.treeScroll.cursor);
    return jump({ ...state, searchPending: false }, search.found[Math.max(0, at)] ?? state.place);
  }
  return search.done ? { ...state, searchPending: false } : state;
}

/** A slice of the running search; null when nothing runs. */
export function work(state: Inspector): Inspector | null {
  if (state.search === null || state.search.done) return null;
  state.search.step(5_000);
  return advanceSearch({ ...state, ticks: state.ticks + 1 });
}

function goToMatch(state: Inspector, forward: boolean): Inspector {
  if (state.search === null) return say(state, 'no search: / starts one');
  const index = nextMatch(state.search.found, state.place, forward);
  const place = index === null ? undefined : state.search.found[index];
  return place === undefined ? say(state, `no match for ${state.search.query}`) : select({ ...state, searchPending: false }, place);
}

function copy(state: Inspector, what: 'value' | 'path'): Step<Inspector> {
  const node = selectedNode(state);
  const text = node === null ? '' : what === 'path' ? node.path : rawValueText(node);
  if (text === '') return only(say(state, `this node has no ${what}`));
  return effect(say(state, `copied ${text}`), { kind: 'copy', text });
}

function command(state: Inspector, text: string): Step<Inspector> {
  const remembered = { ...state, commands: remember(state.commands, text) };
  const [name = '', ...rest] = text.trim().split(/\s+/);
  const argument = rest.join(' ');
  switch (name) {
    case '':
      return only(state);
    case 'q':
    case 'quit':
      return effect(remembered, { kind: 'quit' });
    case 'help':
      return only({ ...remembered, helpTop: 0 });
    case 'find':
      return only(startSearch(remembered, argument));
    case 'goto':
      return only(goTo(remembered, argument));
    case 'path': {
      const place = placeOfPath(remembered.tree.children, argument);
      return only(place === null ? say(remembered, `no node ${argument}`) : jump(remembered, place));
    }
    default:
      return only(say(remembered, `no command ${name}: ? lists them`));
  }
}

function goTo(state: Inspector, argument: string): Inspector {
  if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(argument)) return say(state, ':goto takes an address, 0x…');
  const address = physicalAddress(BigInt(argument));
  return address === null ? say(state, `${argument} is no physical address`) : settle({ ...jumpToAddress(state, address), focus: 'hex' });
}

/** After panes changed their sizes: cursors back into view. */
export function settle(state: Inspector): Inspector {
  const treeBox = paneBox(state, 'tree');
  const detailBox = paneBox(state, 'detail');
  const { perRow } = hexGeometry(state);
  return followHex({
    ...state,
    treeScroll: keepInView(state.treeScroll, state.tree.rows, treeBox.height),
    detailTop: scrollText(state.detailTop, 0, detailOf(state, detailBox.width).length, detailBox.height),
    findings: keepInView(state.findings, state.model.findings.length, paneBox(state, 'findings').height),
    hexTop: rowStart(state.model.memory, state.hexTop, perRow),
  });
}

export const resize = (state: Inspector, size: Size): Inspector => settle({ ...state, size });

export const isPane = (id: string): id is PaneId => PANES.some((pane) => pane === id);
