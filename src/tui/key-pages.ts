/** The key tables of all views, for docs/keys.md and for the test that keeps handler, help, footer and page together. */
import { DEBUGGER } from './debugger/view.js';
import { INSPECTOR } from './inspector/view.js';
import { KVM } from './kvm/view.js';
import type { CommandRow, KeyPage, KeyRow } from './model/keys.js';

export interface ViewKeys extends KeyPage {
  /** panes of the view, by id */
  readonly panes: readonly string[];
}

interface Documented {
  readonly name: string;
  readonly intro: string;
  readonly keys: readonly KeyRow[];
  readonly commands: readonly CommandRow[];
  readonly panes: Readonly<Record<string, unknown>>;
}

const pageOf = ({ name, intro, keys, commands, panes }: Documented): ViewKeys => ({ title: name, intro, keys, commands, panes: Object.keys(panes) });

export const KEY_PAGES: readonly ViewKeys[] = [pageOf(INSPECTOR), pageOf(DEBUGGER), pageOf(KVM)];
