/** The key tables of all views, for docs/keys.md and for the test that keeps handler, help, footer and page together. */
import { COMPARE } from './compare/view.js';
import { DEBUGGER } from './debugger/view.js';
import { EXPLORE } from './explore/view.js';
import { INSPECTOR } from './inspector/view.js';
import { tableOf } from './model/common-keys.js';
import type { KeyPage } from './model/keys.js';
import type { View, Viewed } from './model/view.js';

interface ViewKeys extends KeyPage {
  /** panes of the view, by id */
  readonly panes: readonly string[];
}

const pageOf = <S extends Viewed<P>, P extends string>(view: View<S, P>): ViewKeys => {
  const { keys, commands } = tableOf(view);
  return { title: view.name, intro: view.intro, keys, commands, panes: Object.keys(view.panes) };
};

export const KEY_PAGES: readonly ViewKeys[] = [pageOf(INSPECTOR), pageOf(DEBUGGER), pageOf(COMPARE), pageOf(EXPLORE)];
