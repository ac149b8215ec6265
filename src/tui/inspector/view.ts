/** The inspector: its panes, keys and commands put together. */
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import { GENERAL, MOVE, PANES, SEARCH } from '../model/common-keys.js';
import { summaryOf } from '../model/finding.js';
import type { Program } from '../model/program.js';
import { programOf } from '../model/program-of.js';
import { lastOffered, type View } from '../model/view.js';
import { INSPECTOR_COMMANDS, INSPECTOR_SHARED, exported, exportedJson, toPath } from './commands.js';
import { INSPECTOR_COPIES } from './copy.js';
import { INSPECTOR_KEYS, INSPECTOR_MARKS } from './keys.js';
import { BOTTOM, FINDINGS, GO, inspectorBands, isAbsent, type PaneId, TREE } from './layout.js';
import { goToFinding } from './panes/findings.js';
import { INSPECTOR_PANES } from './panes/index.js';
import { found, goToMatch, startSearch, work } from './search.js';
import { type Inspector, type InspectorModel, jumpToAddress, nodeOf, openState, placeOf, settle, toSnapshot, visitOf } from './state.js';

export const INSPECTOR: View<Inspector, PaneId> = {
  name: 'Inspector',
  intro:
    '`luo-inspect <dump>`: the verdict, the decoded handover, its bytes, the findings, sessions and files, a map of memory, the console log. `luo-inspect <snapshot>`, `luo-inspect kvm --tui`: the same of kvm_run pages.',
  panes: INSPECTOR_PANES,
  keys: INSPECTOR_KEYS,
  groups: [MOVE, TREE, SEARCH, GO, FINDINGS, PANES, GENERAL],
  commands: INSPECTOR_COMMANDS,
  shared: INSPECTOR_SHARED,
  words: {
    left: 'tree: close the node, or go to its parent; bytes and map: one to the left',
    right: 'tree: open the node, or go to its first child; bytes and map: one to the right',
    enter: 'follow a pointer, else open the node; in a list, go to what the row is about',
    search:
      'search names, values, pointers, meanings and addresses; in the bytes: text or bytes (de ad be ef); in log and sessions: their rows; in the map: an address',
  },
  tabs: BOTTOM,
  search: startSearch,
  find: goToMatch,
  endSearch: (state) => ({ ...state, search: null, searchPending: false, bytesWanted: null }),
  found,
  copies: INSPECTOR_COPIES,
  exported: {
    help: 'write the selected node and what is open below it to a new file: as JSON where its name ends in .json, else as text',
    text: (state, json) => (json ? exportedJson(state) : exported(state)),
  },
  marks: INSPECTOR_MARKS,
  layout: inspectorBands,
  absent: (state, id) => isAbsent(state.model, id),
  title: (state) => state.model.title,
  summary: (state) => summaryOf(state.model.findings, state.model.headline),
  settle,
  goTo: (state, target) => {
    if ('path' in target) return toPath(state, target.path, `node ${escapeText(target.path)}`);
    if ('address' in target) return jumpToAddress(state, target.address);
    return 'finding' in target ? goToFinding(state, target.finding) : state;
  },
  work,
  kept: (state) => ({
    marks: Object.fromEntries(
      [...state.bookmarks, ['last', visitOf(state)] as const].map(([name, { place, hexAt, snapshot }]) => [
        name,
        `${nodeOf(toSnapshot(state, snapshot), place)?.path ?? ''}${hexAt === null ? '' : ` ${hex(hexAt)}`}${snapshot === 0 ? '' : ` #${snapshot}`}`,
      ]),
    ),
  }),
  restored: (state, { marks }) => {
    const bookmarks = new Map(
      Object.entries(marks).flatMap(([name, text]) => {
        const [, path = '', at, number = '0'] = /^(\S*)(?: (0x[0-9a-f]+))?(?: #(\d{1,9}))?$/.exec(text) ?? [];
        const snapshot = Number(number);
        const place = snapshot < (state.model.series?.labels.length ?? 1) ? placeOf(toSnapshot(state, snapshot), path) : null;
        return place === null ? [] : [[name, { place, hexAt: at === undefined ? null : Number(at), snapshot }] as const];
      }),
    );
    const last = bookmarks.has('last') && marks.last !== 'overview' ? marks.last : undefined;
    return lastOffered({ ...state, bookmarks }, last);
  },
};

export const inspectorProgram = (model: InspectorModel): Program<Inspector> => programOf(INSPECTOR, (size) => openState(model, size));
