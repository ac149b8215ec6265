/** The key tables of all views, for docs/keys.md and for the test that keeps handler, help, footer and page together. */
import { DEBUGGER_SPEC } from './debugger/keys.js';
import { INSPECTOR_SPEC } from './inspector/keys.js';
import { KVM_SPEC } from './kvm/keys.js';
import type { KeyPage } from './model/keys.js';

export interface ViewKeys extends KeyPage {
  /** panes of the view, by id */
  readonly panes: readonly string[];
}

export const KEY_PAGES: readonly ViewKeys[] = [
  {
    title: 'Inspector',
    intro: '`luo-inspect <dump>`: the decoded handover, its bytes and the findings.',
    ...INSPECTOR_SPEC,
  },
  {
    title: 'Debugger',
    intro: '`luo-inspect sim <scenario> --step` and `luo-inspect step <dump>`: a run of the engine, forwards and backwards.',
    ...DEBUGGER_SPEC,
  },
  {
    title: 'kvm_run snapshots',
    intro: '`luo-inspect <snapshot>`: payload, bytes and explanation of kvm_run pages.',
    ...KVM_SPEC,
  },
];
