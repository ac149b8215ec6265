/** What all views have in common: which pane has the focus, the zoom, the page over the panes, the prompt, the message in the footer. Pure. */
import type { Page } from './page.js';
import type { Effect } from './program.js';
import { type Prompt, remember } from './prompt.js';
import type { Size } from './screen.js';

export interface Shell<P extends string = string> {
  readonly size: Size;
  readonly focus: P;
  readonly zoom: boolean;
  /** what covers the panes: the help, a rule's text, a list; null for none */
  readonly page: Page | null;
  readonly prompt: Prompt | null;
  /** a message in the footer until the next key */
  readonly toast: string | null;
  /** what would be lost: the user wanted to leave and is asked; null otherwise */
  readonly leaving: string | null;
  /** what was typed before, by the prompt's sign */
  readonly histories: Readonly<Record<string, readonly string[]>>;
  /** digits typed so far: one that went to a pane, or the count of the next key */
  readonly count: string;
  /** where the focus was before the first digit went to a pane */
  readonly beforeCount: { readonly focus: P; readonly zoom: boolean } | null;
  /** what lists are shrunk to, by pane */
  readonly filters: ReadonlyMap<P, string>;
  readonly mouse: boolean;
  /** columns that a pane without keys of its own for it is scrolled sideways */
  readonly shifts: ReadonlyMap<P, number>;
  /** what the last key asks of the world */
  readonly effects: readonly Effect[];
}

export const openShell = <P extends string>(size: Size, focus: P): Shell<P> => ({
  size,
  focus,
  zoom: false,
  page: null,
  prompt: null,
  toast: null,
  leaving: null,
  histories: {},
  count: '',
  beforeCount: null,
  filters: new Map(),
  mouse: false,
  shifts: new Map(),
  effects: [],
});

/** Closes the prompt and remembers what was typed. */
export const enteredText = <P extends string>(shell: Shell<P>, sign: string, text: string): Shell<P> => ({
  ...shell,
  prompt: null,
  histories: { ...shell.histories, [sign]: remember(shell.histories[sign] ?? [], text) },
});
