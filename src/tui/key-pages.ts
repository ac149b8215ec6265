/** The key tables of all views, for docs/keys.md and for the test that keeps handler, help, footer and page together. */
import { INSPECTOR_COMMANDS, INSPECTOR_KEYS } from './inspector/keys.js';
import { PANES } from './inspector/state.js';
import type { KeyPage } from './model/keys.js';

export interface ViewKeys extends KeyPage {
  /** panes of the view, by id */
  readonly panes: readonly string[];
}

export const KEY_PAGES: readonly ViewKeys[] = [
  {
    title: 'Inspector',
    intro: '`luo-inspect <dump>`: the decoded handover, its bytes and the findings.',
    table: INSPECTOR_KEYS,
    commands: INSPECTOR_COMMANDS,
    panes: PANES,
  },
];
