/** What a key does in the inspector. Pure: a key and a state give the next state, and what the world should do. */
import { hex } from '../../tree/words.js';
import { physicalAddress } from '../../memory/memory.js';
import { moveRows, rowStart } from '../model/hex.js';
import type { CommonAction } from '../model/keys.js';
import type { Step } from '../model/program.js';
import { type Motion, jumpTo, keepInView, moveBy, rowsOf, scrollText } from '../model/scroll.js';
import { TreeSearch, nextMatch } from '../model/search.js';
import type { Size } from '../model/screen.js';
import { motionOf, say, shellKey } from '../model/shell.js';
import { closeAt, isOpen, openAt, placeOfPath, placeOfRow, rowOfPlace } from '../model/tree-view.js';
import { rawValueText } from '../model/value.js';
import { detailOf } from './content.js';
import { INSPECTOR_SPEC, type InspectorAction } from './keys.js';
import { type Inspector, followHex, hexGeometry, hexSelection, jump, jumpToAddress, paneBox, select, selectedNode } from './state.js';

const only = (state: Inspector): Step<Inspector> => ({ state, effects: [] });
const tell = (state: Inspector, toast: string): Inspector => ({ ...state, shell: say(state.shell, toast) });

/** One key, by the name the key table uses. */
export function reduce(before: Inspector, key: string): Step<Inspector> {
  const result = shellKey(before.shell, key, INSPECTOR_SPEC);
  const state = { ...before, shell: result.shell };
  switch (result.kind) {
    case 'done':
      return { state: settle(state), effects: result.effects };
    case 'entered':
      return result.sign === '/' ? only(startSearch(state, result.text)) : command(state, result.text);
    case 'action':
      return act(state, result.action);
  }
}

function act(state: Inspector, action: InspectorAction | CommonAction): Step<Inspector> {
  const motion = motionOf(action);
  if (motion !== null) return only(move(state, motion));
  const { focus } = state.shell;
  switch (action) {
    case 'left':
      return only(focus === 'tree' ? close(state) : move(state, 'up'));
    case 'right':
      return only(focus === 'tree' ? open(state) : move(state, 'down'));
    case 'toggle':
      return only(isOpen(state.tree, state.place) ? shut(state) : open(state));
    case 'enter':
      return only(focus === 'findings' ? goToFinding(state, state.findings.cursor) : follow(state));
    case 'back':
      return only(back(state));
    case 'nextFinding':
      return only(stepFinding(state, 1));
    case 'previousFinding':
      return only(stepFinding(state, -1));
    case 'nextMatch':
      return only(goToMatch(state, true));
    case 'previousMatch':
      return only(goToMatch(state, false));
    case 'copyValue':
      return copy(state, 'value');
    case 'copyPath':
      return copy(state, 'path');
    case 'escape':
      return only({ ...state, search: null, searchPending: false });
    default:
      return only(state);
  }
}

function move(state: Inspector, motion: Motion): Inspector {
  const box = paneBox(state, state.shell.focus);
  const rows = rowsOf(motion, box.height);
  switch (state.shell.focus) {
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
  if (node.pointer !== null) return tell(jumpToAddress(state, node.pointer), `nothing was decoded at ${hex(node.pointer)}: the hex pane shows it`);
  return isOpen(state.tree, state.place) ? shut(state) : open(state);
}

function back(state: Inspector): Inspector {
  const visit = state.jumps.at(-1);
  if (visit === undefined) return tell(state, 'no jump to go back from');
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
  return place === null ? tell(at, 'this finding is about no single place') : there;
}

function stepFinding(state: Inspector, by: number): Inspector {
  const count = state.model.findings.length;
  if (count === 0) return tell(state, 'no findings');
  // the first step goes to the finding under the cursor, the next ones on from there
  const index = state.findingAt === state.findings.cursor ? (state.findings.cursor + by + count) % count : state.findings.cursor;
  return tell(goToFinding(state, index), `finding ${index + 1}/${count}: ${state.model.findings[index]?.message ?? ''}`);
}

function startSearch(state: Inspector, text: string): Inspector {
  if (text === '') return { ...state, search: null, searchPending: false };
  const search = new TreeSearch(text, state.tree);
  return advanceSearch({ ...state, search, searchPending: true });
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
  if (state.search === null) return tell(state, 'no search: / starts one');
  const index = nextMatch(state.search.found, state.place, forward);
  const place = index === null ? undefined : state.search.found[index];
  return place === undefined ? tell(state, `no match for ${state.search.query}`) : select({ ...state, searchPending: false }, place);
}

function copy(state: Inspector, what: 'value' | 'path'): Step<Inspector> {
  const node = selectedNode(state);
  const text = node === null ? '' : what === 'path' ? node.path : rawValueText(node);
  if (text === '') return only(tell(state, `this node has no ${what}`));
  return { state: tell(state, `copied ${text}`), effects: [{ kind: 'copy', text }] };
}

function command(state: Inspector, text: string): Step<Inspector> {
  const [name = '', ...rest] = text.trim().split(/\s+/);
  const argument = rest.join(' ');
  switch (name) {
    case '':
      return only(state);
    case 'q':
    case 'quit':
      return { state, effects: [{ kind: 'quit' }] };
    case 'help':
      return only({ ...state, shell: { ...state.shell, helpTop: 0 } });
    case 'find':
      return only(startSearch(state, argument));
    case 'goto':
      return only(goTo(state, argument));
    case 'path': {
      const place = placeOfPath(state.tree.children, argument);
      return only(place === null ? tell(state, `no node ${argument}`) : jump(state, place));
    }
    default:
      return only(tell(state, `no command ${name}: ? lists them`));
  }
}

function goTo(state: Inspector, argument: string): Inspector {
  if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(argument)) return tell(state, ':goto takes an address, 0x…');
  const address = physicalAddress(BigInt(argument));
  return address === null
    ? tell(state, `${argument} is no physical address`)
    : settle({ ...jumpToAddress(state, address), shell: { ...state.shell, focus: 'hex' } });
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

export const resize = (state: Inspector, size: Size): Inspector => settle({ ...state, shell: { ...state.shell, size } });
