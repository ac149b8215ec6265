/**
 * A view is a row of objects: its panes, its keys, its commands, its prompts. A pane knows what it shows, what a motion in it does, and
 * the keys that hold only in it; a key and a command know what they do. `programOf` makes them a program. Pure.
 */
import type { Command, Key, Question } from './keys.js';
import type { Kept } from './kept.js';
import { type Page, type Target, findInPage, movePage, openPage, textPage } from './page.js';
import type { Effect } from './program.js';
import { type Band, type PaneBox, type PaneContent, type Size, boxOf } from './screen.js';
import type { Motion } from './scroll.js';
import type { SharedCommands } from './shared-commands.js';
import { openPrompt } from './prompt.js';
import type { Shell } from './shell.js';
import { escapeText } from '../../report/escape.js';
import type { Line } from './text.js';

/** What every state of a view has. */
export interface Viewed<P extends string> {
  readonly shell: Shell<P>;
}

export interface Pane<S, P extends string> {
  readonly id: P;
  readonly content: (state: S, box: PaneBox) => PaneContent;
  readonly move: (state: S, motion: Motion, box: PaneBox, count: number) => S;
  /** h and l, and the arrows; nothing happens unless given */
  readonly sideways?: (state: S, by: 1 | -1, box: PaneBox, count: number) => S;
  /** Enter */
  readonly enter?: (state: S) => S;
  /** can `f` shrink its list? */
  readonly filters?: boolean;
  /** a click on row `row` below the title, column `column` of the pane */
  readonly click?: (state: S, row: number, box: PaneBox, column: number) => S;
  /** keys that hold in this pane alone; one that several panes have is listed in each */
  readonly keys?: readonly Key<S>[];
  /** commands that are about what this pane shows; they work from every pane */
  readonly commands?: readonly Command<S>[];
}

/** A running search, for the footer. */
export interface Found {
  readonly query: string;
  /** which of the matches the cursor is on, from 0; -1 for none */
  readonly at: number;
  readonly count: number;
  /** how far it looked, what it left out */
  readonly note?: string;
  /** what the keys do beside n, N and Esc */
  readonly hints?: readonly (readonly [string, string])[];
}

/** What `:copy` and the copying keys of a view take. `text` is '' where there is no such thing. */
export interface Copies<S, C extends string = string> {
  readonly kinds: readonly C[];
  readonly text: (state: S, what: C) => string;
  /** panes that show what the kinds are of; in others the first key copies the row under the cursor */
  readonly about: readonly string[];
  /** a key copies the first of its kinds that there is */
  readonly keys: readonly { readonly keys: readonly string[]; readonly what: readonly C[]; readonly help: string }[];
}

/** Named places. */
export interface Marks<S> {
  /** heading of its keys in the help */
  readonly group: string;
  readonly names: (state: S) => readonly string[];
  /** @returns the state with the place named, and what it is; null where there is nothing to name */
  readonly set: (state: S, name: string) => { readonly state: S; readonly what: string } | null;
  /** null for a name nobody gave */
  readonly goTo: (state: S, name: string) => S | null;
}

export interface View<S extends Viewed<P>, P extends string> {
  /** heading of the docs page */
  readonly name: string;
  /** one sentence for the docs page */
  readonly intro: string;
  /** in the order of their numbers; a pane that is missing is a type error */
  readonly panes: Readonly<Record<P, Pane<S, P>>>;
  /** its own, beside those of its panes and those that every view has */
  readonly keys: readonly Key<S>[];
  /** headings of the help, in their order */
  readonly groups: readonly string[];
  /** its own, beside those of its panes */
  readonly commands: readonly Command<S>[];
  /** those that every view has, as this view carries them out; a text: why it has none of them */
  readonly shared: SharedCommands<S> | string;
  /** what the keys of every view mean here, for the help */
  readonly words: { readonly left: string; readonly right: string; readonly enter: string; readonly search: string };
  /** panes that share one place, for `[` and `]` */
  readonly tabs: readonly P[];
  /** `/` and :find; an empty text ends the search */
  readonly search: (state: S, text: string) => S;
  /** n and N */
  readonly find: (state: S, by: 1 | -1) => S;
  /** Esc */
  readonly endSearch: (state: S) => S;
  /** shown instead of the key hints while a search runs; null for none */
  readonly found: (state: S) => Found | null;
  readonly copies: Copies<S>;
  /** what :export writes; `json`: the name of the file ends so */
  readonly exported: { readonly help: string; readonly text: (state: S, json: boolean) => string };
  /** a text: why this view has no marks */
  readonly marks: Marks<S> | string;
  /** by the sign of the prompt; beside those that every view asks */
  readonly questions?: Readonly<Record<string, Question<S>>>;
  readonly layout: (state: S) => readonly Band<P>[];
  /** panes about what there is nothing of here: not gone to */
  readonly absent?: (state: S, id: P) => boolean;
  readonly title: (state: S) => string;
  /** at the right of the header */
  readonly summary: (state: S) => Line;
  /** cursors into view after anything changed */
  readonly settle: (state: S) => S;
  /** goes to what a row of a page leads to */
  readonly goTo: (state: S, target: Target) => S;
  /** what would be lost by leaving now, null for nothing */
  readonly unsaved?: (state: S) => string | null;
  readonly work: (state: S) => S | null;
  /** named places and breakpoints, as text */
  readonly kept?: (state: S) => Pick<Kept, 'marks'> & Partial<Pick<Kept, 'breakpoints' | 'edits'>>;
  readonly restored?: (state: S, kept: Kept) => S;
}

export const panesOf = <S extends Viewed<P>, P extends string>(view: View<S, P>): readonly Pane<S, P>[] => Object.values(view.panes);

/** A pane's inner size; of a pane that is not on the screen, what it would have alone. */
export function paneBox<S extends Viewed<P>, P extends string>(view: Pick<View<S, P>, 'layout'>, state: S, id: P): PaneBox {
  const { size } = state.shell;
  return boxOf(view.layout(state), id) ?? { width: size.columns, height: size.rows - 3 };
}

/** The text of the filter of a pane; '' for none. */
export const filterOf = <P extends string>(state: Viewed<P>, id: P): string => state.shell.filters.get(id) ?? '';

/** `state` with something else in what all views have. */
export const withShell = <S extends Viewed<string>>(state: S, shell: Partial<Shell<S['shell']['focus']>>): S => ({
  ...state,
  shell: { ...state.shell, ...shell },
});

/** Sizes of the page over the panes. */
export const pageBox = ({ columns, rows }: Size): PaneBox => ({ width: columns, height: rows - 3 });

export const effect = <S extends Viewed<string>>(state: S, one: Effect): S => withShell(state, { effects: [...state.shell.effects, one] });
export const tell = <S extends Viewed<string>>(state: S, toast: string): S => withShell(state, { toast });
export const focused = <S extends Viewed<string>>(state: S, focus: S['shell']['focus']): S => withShell(state, { focus });

// What the rows of the common keys do.

/** A motion of the pane in focus, or of the page over it. */
export function moved<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, motion: Motion, count: number): S {
  const { shell } = state;
  if (shell.page !== null) {
    const { width, height } = pageBox(shell.size);
    return withShell(state, { page: movePage(shell.page, motion, width, height, count) });
  }
  return view.panes[shell.focus].move(state, motion, paneBox(view, state, shell.focus), count);
}

/** To a row by its number, counted from 1. */
export const toRow = <S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, row: number): S =>
  moved(view, moved(view, state, 'first', 1), 'down', Math.max(0, row - 1));

/** To the next pane, or the one before, among those that are there now. */
export function cycled<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, by: number): S {
  const ids = panesOf(view).flatMap(({ id }) => (view.absent?.(state, id) === true ? [] : [id]));
  const index = (ids.indexOf(state.shell.focus) + by + ids.length) % ids.length;
  return focused(state, ids[index] ?? state.shell.focus);
}

/** To the pane that shares the place of the one in focus. */
export function tabbed<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, by: number): S | null {
  for (const band of view.layout(state))
    for (const { panes } of band.columns)
      for (const { id, tabs } of panes) {
        if (id !== state.shell.focus || tabs === undefined || tabs.length < 2) continue;
        return focused(state, tabs[(tabs.indexOf(id) + by + tabs.length) % tabs.length] ?? id);
      }
  return null;
}

/** `q`: closes what is on top; at the top it leaves, after a question where something would be lost. */
export function closed<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S): S {
  const { shell } = state;
  if (shell.page !== null) return withShell(state, { page: null });
  if (shell.zoom) return withShell(state, { zoom: false });
  const lost = view.unsaved?.(state) ?? null;
  return lost === null ? effect(state, { kind: 'quit' }) : withShell(state, { leaving: lost });
}

/** To the next match on a page, or the one before; says so where there is none. */
export function searchPage<S extends Viewed<string>>(state: S, page: Page, by: 1 | -1): S {
  const { width, height } = pageBox(state.shell.size);
  const found = findInPage(page, width, height, by);
  const shown = withShell(state, { page: found ?? page });
  return found === null && page.query !== null ? tell(shown, `no ${page.query} on this page`) : shown;
}

export const showText = <S extends Viewed<string>>(state: S, title: string, lines: (width: number) => readonly Line[]): S =>
  withShell(state, { page: textPage(title, lines) });

export const showList = <S extends Viewed<string>>(state: S, title: string, rows: Page['rows']): S => withShell(state, { page: openPage(title, rows) });

/** Enter: where the row of the page leads, else what the pane does. */
export function entered<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S): S {
  const { page, size } = state.shell;
  if (page === null) return view.panes[state.shell.focus].enter?.(state) ?? tell(state, 'Enter leads nowhere from this pane');
  const target = page.rows(size.columns)[page.scroll.cursor]?.target ?? null;
  const shut = withShell(state, { page: null });
  return target === null ? shut : view.goTo(shut, target);
}

/** Says where the user was when they left, and how to get there; the answer stays what is seen first. */
export const lastOffered = <S extends Viewed<string>>(state: S, last: string | undefined): S =>
  last === undefined || last === '' ? state : tell(state, `'last goes back to ${escapeText(last)}`);

/** Opens a prompt. */
export const asked = <S extends Viewed<string>>(state: S, sign: string, text = ''): S =>
  withShell(state, { prompt: openPrompt(sign, state.shell.histories[sign] ?? [], text) });

/** Copies of a view whose kinds are its own words. */
export const copiesOf = <S, C extends string>(copies: Copies<S, C>): Copies<S> => ({
  ...copies,
  text: (state, what) => {
    const kind = copies.kinds.find((one) => one === what);
    return kind === undefined ? '' : copies.text(state, kind);
  },
});

/** Copies `row`, else the first of `what` that there is. */
export function copied<S extends Viewed<string>>({ copies }: { readonly copies: Copies<S> }, state: S, what: readonly string[], row: string | null = null): S {
  const text = row ?? what.map((one) => copies.text(state, one)).find((one) => one !== '');
  if (text === undefined) return tell(state, `there is no ${what.join(', ')} here to copy`);
  return effect(tell(state, `copied ${escapeText(text)}`), { kind: 'copy', text });
}

/** Names this place. */
export function marked<S extends Viewed<string>>(marks: Marks<S>, state: S, text: string): S {
  const name = text.trim();
  if (name === '') return tell(state, 'a mark needs a name');
  const set = marks.set(state, name);
  return set === null ? tell(state, 'there is nothing to name here') : tell(set.state, `${escapeText(name)} is ${escapeText(set.what)}`);
}
