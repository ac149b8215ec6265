/** Two dumps side by side: what the handover was before beside what it is after, differences marked; the list of them; each side in full. */
import { nothingDiffers, notesOf } from '../../handover/compare/compare.js';
import type { Difference } from '../../handover/compare/difference.js';
import { escapeText } from '../../report/escape.js';
import { counted } from '../../tree/words.js';
import { GENERAL, MOVE, PANES, SEARCH } from '../model/common-keys.js';
import type { Program } from '../model/program.js';
import { programOf } from '../model/program-of.js';
import { span } from '../model/text.js';
import type { View } from '../model/view.js';
import { COMPARE_COPIES, COMPARE_KEYS, COMPARE_MARKS, COMPARE_SHARED, exported, find, found, startSearch, toPath } from './commands.js';
import { type ComparePane, compareBands } from './layout.js';
import { CHANGES, COMPARE_PANES } from './panes.js';
import { type Compared, type CompareModel, openCompared, settle } from './state.js';

export const COMPARE: View<Compared, ComparePane> = {
  name: 'Two dumps',
  intro: '`luo-inspect diff <before> <after> --tui`, or `:diff <file>` in the inspector: what was handed over beside what came of it.',
  panes: COMPARE_PANES,
  keys: COMPARE_KEYS,
  groups: [MOVE, SEARCH, PANES, GENERAL],
  commands: [],
  shared: COMPARE_SHARED,
  words: {
    left: 'close the pair, or go to the one above',
    right: 'open the pair, or go to the first below it',
    enter: 'open or close the pair; on a difference or file, go to it',
    search: 'search names and values of both sides; in a list its rows',
  },
  tabs: [],
  search: startSearch,
  find,
  endSearch: (state) => ({ ...state, search: null }),
  found,
  copies: COMPARE_COPIES,
  exported: { help: 'write the differences as text to a new file', text: exported },
  marks: COMPARE_MARKS,
  layout: compareBands,
  title: ({ model: { paths } }) => `${escapeText(paths.before.split('/').slice(-2).join('/'))}  →  ${escapeText(paths.after.split('/').slice(-2).join('/'))}`,
  summary: ({ model: { comparison } }) => {
    const count = (wanted: Difference['change']): number => comparison.differences.filter(({ change }) => change === wanted).length;
    const parts = (['lost', 'changed', 'new', 'unknown'] as const).flatMap((change) =>
      count(change) === 0 ? [] : [span('  '), span(`${count(change)} ${change}`, CHANGES[change])],
    );
    const notes = notesOf(comparison).length;
    if (notes > 0) parts.push(span('  '), span(counted(notes, 'note'), 'warning'));
    return parts.length === 0 ? [span(nothingDiffers(comparison), 'good')] : parts;
  },
  settle,
  goTo: (state, target) => ('path' in target ? toPath(state, target.path) : state),
  work: () => null,
  kept: (state) => ({ marks: Object.fromEntries(state.marks) }),
  restored: (state, { marks }) => ({ ...state, marks: new Map(Object.entries(marks)) }),
};

export const compareProgram = (model: CompareModel): Program<Compared> => programOf(COMPARE, (size) => openCompared(model, size));
