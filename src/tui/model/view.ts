/**
 * A view is a row of objects: its panes, its keys, its commands, its prompts. A pane knows what it shows and what a motion in it
 * does; a key and a command know what they do. This file turns that into a program: keys go to what is open on top first (a question,
 * a prompt, a page), then to the view's rows. Pure.
 */
import { type Command, type Key, footerLine, helpLines, keyOf } from './keys.js';
import { type Kept, NOTHING_KEPT } from './kept.js';
import { type Page, type Target, findInPage, movePage, openPage, pageLines, textPage } from './page.js';
import type { Effect, Program, Step } from './program.js';
import { type Completer, promptLine, typeInto } from './prompt.js';
import { type Band, type PaneBox, type PaneContent, type Screen, type Size, bar, boxOf, compose, isTooSmall, tooSmall } from './screen.js';
import type { Motion } from './scroll.js';
import { type Shell, ask, enteredText, give, say } from './shell.js';
import { type Line, clip, line, span, spread } from './text.js';

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
  /** a click on row `row` below the title */
  readonly click?: (state: S, row: number, box: PaneBox) => S;
}

/** What is typed after a sign: a search, a mark's name. */
export interface Question<S> {
  readonly run: (state: S, text: string) => S;
  readonly complete?: (state: S, text: string) => readonly string[];
}

export interface View<S extends Viewed<P>, P extends string> {
  /** heading of the docs page */
  readonly name: string;
  /** one sentence for the docs page */
  readonly intro: string;
  /** in the order of their numbers; a pane that is missing is a type error */
  readonly panes: Readonly<Record<P, Pane<S, P>>>;
  readonly keys: readonly Key<S>[];
  readonly commands: readonly Command<S>[];
  /** by the sign of the prompt; `/` and `filter: ` among them */
  readonly questions: Readonly<Record<string, Question<S>>>;
  readonly layout: (state: S) => readonly Band<P>[];
  readonly title: (state: S) => string;
  /** at the right of the header */
  readonly summary: (state: S) => Line;
  /** shown instead of the key hints: a running search; null for none */
  readonly status: (state: S) => Line | null;
  /** cursors into view after anything changed */
  readonly settle: (state: S) => S;
  /** goes to what a row of a page leads to */
  readonly goTo: (state: S, target: Target) => S;
  /** what would be lost by leaving now, null for nothing */
  readonly unsaved?: (state: S) => string | null;
  readonly work: (state: S) => S | null;
  /** named places and breakpoints, as text */
  readonly kept?: (state: S) => Pick<Kept, 'marks' | 'breakpoints'>;
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

const withShell = <S extends Viewed<P>, P extends string>(state: S, shell: Shell<P>): S => ({ ...state, shell });

/** Sizes of the page over the panes. */
const pageBox = ({ columns, rows }: Size): PaneBox => ({ width: columns, height: rows - 3 });

export function programOf<S extends Viewed<P>, P extends string>(view: View<S, P>, initial: (size: Size) => S): Program<S> {
  return {
    initial: (size) => view.settle(initial(size)),
    key: (state, key) => keyIn(view, state, key),
    resize: (state, size) => view.settle(withShell<S, P>(state, { ...state.shell, size })),
    screen: (state) => screenOf(view, state),
    work: view.work,
    told: (state, message) => withShell<S, P>(state, say(state.shell, message)),
    kept: (state) => ({ ...NOTHING_KEPT, histories: state.shell.histories, ...view.kept?.(state) }),
    restored: (state, kept) => {
      const known = withShell<S, P>(state, { ...state.shell, histories: kept.histories });
      return view.restored?.(known, kept) ?? known;
    },
  };
}

/** One key, by the name the key table uses. */
export function keyIn<S extends Viewed<P>, P extends string>(view: View<S, P>, before: S, key: string): Step<S> {
  const state = pressed(view, withShell<S, P>(before, { ...before.shell, toast: null, effects: [] }), key);
  return { state: withShell<S, P>(state, { ...state.shell, effects: [] }), effects: state.shell.effects };
}

function pressed<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, key: string): S {
  const { shell } = state;
  if (key === 'ctrl-c') return effect<S, P>(state, { kind: 'quit' });
  if (shell.leaving !== null) {
    const stay = withShell<S, P>(state, { ...shell, leaving: null });
    return key === 'y' || key === 'enter' ? effect<S, P>(stay, { kind: 'quit' }) : stay;
  }
  if (shell.prompt !== null) return view.settle(typing(view, state, key));
  if (key.startsWith('mouse:')) return view.settle(mouse(view, state, key));
  if (/^[0-9]$/.test(key) && shell.page === null) return view.settle(digit(view, state, key));
  // one digit alone was the number of a pane
  const count = shell.count.length < 2 ? null : Math.min(1_000_000, Number(shell.count));
  const ready = withShell<S, P>(state, { ...shell, count: '', beforeCount: null });
  const row = keyOf(view.keys, key, shell.focus);
  if (row === null) return ready;
  if (shell.page !== null && !row.overPages) return ready;
  return view.settle(row.run(ready, count, key));
}

export const effect = <S extends Viewed<P>, P extends string>(state: S, one: Effect): S => withShell<S, P>(state, give(state.shell, one));
export const tell = <S extends Viewed<P>, P extends string>(state: S, toast: string): S => withShell<S, P>(state, say(state.shell, toast));

/**
 * Digits: one goes to the pane of that number, two or more (or a 0 first) are a count for the key that follows: `10j`, `05s`.
 */
function digit<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, key: string): S {
  const { shell } = state;
  const back = shell.beforeCount ?? { focus: shell.focus, zoom: shell.zoom };
  const count = shell.count + key;
  if (shell.count !== '' || key === '0') return withShell<S, P>(state, { ...shell, ...back, count: count.slice(-7), beforeCount: back });
  const pane = panesOf(view)[Number(key) - 1];
  return withShell<S, P>(state, { ...shell, focus: pane?.id ?? shell.focus, count, beforeCount: back });
}

function typing<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, key: string): S {
  const { shell } = state;
  const { prompt } = shell;
  if (prompt === null) return state;
  const complete: Completer = (text) =>
    prompt.sign === ':' ? commandChoices(view, state, text) : (view.questions[prompt.sign]?.complete?.(state, text) ?? []);
  const result = typeInto(prompt, key, complete);
  switch (result.kind) {
    case 'typing':
      return withShell<S, P>(state, { ...shell, prompt: result.prompt });
    case 'cancelled':
      return withShell<S, P>(state, { ...shell, prompt: null });
    case 'entered': {
      const done = withShell<S, P>(state, enteredText(shell, prompt.sign, result.text));
      if (prompt.sign === ':') return runCommand(view, done, result.text);
      if (prompt.sign === '/' && shell.page !== null) return searchPage(done, { ...shell.page, query: result.text || null }, 1);
      return view.questions[prompt.sign]?.run(done, result.text) ?? done;
    }
  }
}

/** Names of commands, then the arguments of the one that is typed. */
function commandChoices<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, text: string): readonly string[] {
  const space = text.indexOf(' ');
  if (space === -1) return view.commands.map(({ name, args }) => (args === '' ? name : `${name} `)).filter((name) => name.startsWith(text));
  const name = text.slice(0, space);
  const typed = text.slice(space + 1);
  const command = commandNamed(view, name);
  return (command?.complete?.(state, typed) ?? [])
    .filter((choice) => choice.toLowerCase().startsWith(typed.toLowerCase()))
    .map((choice) => `${name} ${choice}`);
}

const commandNamed = <S extends Viewed<P>, P extends string>(view: View<S, P>, name: string): Command<S> | null =>
  view.commands.find((one) => one.name === name || one.aliases?.includes(name) === true) ?? null;

export function runCommand<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, text: string): S {
  const [, name = '', argument = ''] = /^\s*(\S*)\s*(.*?)\s*$/s.exec(text) ?? [];
  if (name === '') return state;
  const command = commandNamed(view, name);
  if (command !== null) return command.run(state, argument);
  const names = view.commands.flatMap((one) => [one.name, ...(one.aliases ?? [])]);
  const near = nearest(name, names);
  return tell<S, P>(state, `no command ${name}${near === null ? '' : `: did you mean :${near}?`}  (? lists them)`);
}

/** The name that `typed` is most likely meant to be; null where none is near. */
export function nearest(typed: string, names: readonly string[]): string | null {
  const starts = names.find((name) => typed.length > 0 && name.startsWith(typed));
  if (starts !== undefined) return starts;
  let best: string | null = null;
  let least = Math.max(2, Math.ceil(typed.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(typed, name);
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
}

function mouse<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, key: string): S {
  const [, button = '', x = '', y = ''] = /^mouse:(\w+):(\d+):(\d+)$/.exec(key) ?? [];
  const column = Number(x) - 1;
  const row = Number(y) - 2;
  const { shell } = state;
  if (!shell.mouse) return state;
  if (shell.page !== null) {
    const box = pageBox(shell.size);
    const motion: Motion | null = button === 'wheelup' ? 'up' : button === 'wheeldown' ? 'down' : null;
    return motion === null ? state : withShell<S, P>(state, { ...shell, page: movePage(shell.page, motion, box.width, box.height, 3) });
  }
  let top = 0;
  for (const band of view.layout(state)) {
    let left = 0;
    for (const { width, panes } of band.columns) {
      let at = top;
      for (const { id, height } of panes) {
        const inside = column >= left && column < left + width && row >= at && row < at + height;
        const box = { width, height: height - 1 };
        if (inside && button === 'wheelup') return view.panes[id].move(focused<S, P>(state, id), 'up', box, 3);
        if (inside && button === 'wheeldown') return view.panes[id].move(focused<S, P>(state, id), 'down', box, 3);
        if (inside && button === 'left') {
          const there = focused<S, P>(state, id);
          return row === at ? there : (view.panes[id].click?.(there, row - at - 1, box) ?? there);
        }
        at += height;
      }
      left += width + 1;
    }
    top += band.height;
  }
  return state;
}

export const focused = <S extends Viewed<P>, P extends string>(state: S, id: P): S => withShell<S, P>(state, { ...state.shell, focus: id });

// What the rows of the common keys do.

/** A motion of the pane in focus, or of the page over it. */
export function moved<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, motion: Motion, count: number): S {
  const { shell } = state;
  if (shell.page !== null) {
    const { width, height } = pageBox(shell.size);
    return withShell<S, P>(state, { ...shell, page: movePage(shell.page, motion, width, height, count) });
  }
  return view.panes[shell.focus].move(state, motion, paneBox(view, state, shell.focus), count);
}

export function cycled<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, by: number): S {
  const ids = panesOf(view).map(({ id }) => id);
  const index = (ids.indexOf(state.shell.focus) + by + ids.length) % ids.length;
  return focused<S, P>(state, ids[index] ?? state.shell.focus);
}

/** To the pane that shares the place of the one in focus. */
export function tabbed<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, by: number): S | null {
  for (const band of view.layout(state))
    for (const { panes } of band.columns)
      for (const { id, tabs } of panes) {
        if (id !== state.shell.focus || tabs === undefined || tabs.length < 2) continue;
        return focused<S, P>(state, tabs[(tabs.indexOf(id) + by + tabs.length) % tabs.length] ?? id);
      }
  return null;
}

/** `q`: closes what is on top; at the top it leaves, after a question where something would be lost. */
export function closed<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S): S {
  const { shell } = state;
  if (shell.page !== null) return withShell<S, P>(state, { ...shell, page: null });
  if (shell.zoom) return withShell<S, P>(state, { ...shell, zoom: false });
  const lost = view.unsaved?.(state) ?? null;
  return lost === null ? effect<S, P>(state, { kind: 'quit' }) : withShell<S, P>(state, { ...shell, leaving: lost });
}

export function searchPage<S extends Viewed<P>, P extends string>(state: S, page: Page, by: 1 | -1): S {
  const { width, height } = pageBox(state.shell.size);
  const found = findInPage(page, width, height, by);
  const shown = withShell<S, P>(state, { ...state.shell, page: found ?? page });
  return found === null && page.query !== null ? tell<S, P>(shown, `no ${page.query} on this page`) : shown;
}

export const showHelp = <S extends Viewed<P>, P extends string>(view: View<S, P>, state: S): S =>
  withShell<S, P>(state, { ...state.shell, page: textPage('Keys', (width) => helpLines(view.keys, view.commands, width)) });

export const showText = <S extends Viewed<P>, P extends string>(state: S, title: string, lines: (width: number) => readonly Line[]): S =>
  withShell<S, P>(state, { ...state.shell, page: textPage(title, lines) });

export const showList = <S extends Viewed<P>, P extends string>(state: S, title: string, rows: Page['rows']): S =>
  withShell<S, P>(state, { ...state.shell, page: openPage(title, rows) });

/** Enter: where the row of the page leads, else what the pane does. */
export function entered<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S): S {
  const { page, size } = state.shell;
  if (page === null) return view.panes[state.shell.focus].enter?.(state) ?? state;
  const target = page.rows(size.columns)[page.scroll.cursor]?.target ?? null;
  const shut = withShell<S, P>(state, { ...state.shell, page: null });
  return target === null ? shut : view.goTo(shut, target);
}

export const asked = <S extends Viewed<P>, P extends string>(state: S, sign: string, text = ''): S => withShell<S, P>(state, ask(state.shell, sign, text));

// The whole screen.

function screenOf<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S): Screen {
  const { shell } = state;
  const { size } = shell;
  if (isTooSmall(size)) return tooSmall(size);
  const header = bar(spread([span(` ${view.title(state)}`, 'bar')], [...view.summary(state), span(' ', 'bar')], size.columns, 'bar'), size.columns);
  const footer = footerOf(view, state);
  if (shell.page !== null) return { header, bands: [pageBand(shell.page, size)], footer };
  const panes = panesOf(view);
  const contentOf = (id: P, box: PaneBox): PaneContent => {
    const content = view.panes[id].content(state, box);
    const filter = filterOf(state, id);
    return filter === '' ? content : { ...content, note: `filter ${filter}${content.note === '' ? '' : `  ${content.note}`}` };
  };
  return {
    header,
    bands: compose(
      view.layout(state),
      panes.map(({ id }) => id),
      shell.focus,
      contentOf,
    ),
    footer,
  };
}

function pageBand(page: Page, { columns, rows }: Size): Screen['bands'][number] {
  const height = rows - 2;
  const count = page.rows(columns).length;
  const { top } = page.scroll;
  const note = count > height - 1 ? `  ${top + 1}–${Math.min(count, top + height - 1)} of ${count}` : '';
  const title = clip([span(`━ ${page.title}`, 'focus'), span(note, 'dim')], columns);
  return { height, columns: [{ width: columns, rows: [title, ...pageLines(page, columns, height - 1)] }] };
}

const PAGE_HINTS: Line = [
  span(' q', 'key'),
  span(' close  ', 'dim'),
  span('j k', 'key'),
  span(' scroll  ', 'dim'),
  span('/', 'key'),
  span(' search  ', 'dim'),
  span('n N', 'key'),
  span(' next, previous', 'dim'),
];

function footerOf<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S): Line {
  const { shell } = state;
  const { columns } = shell.size;
  if (shell.leaving !== null) return clip(line(` ${shell.leaving}: leave all the same? y leaves, any other key stays`, 'warning'), columns);
  if (shell.prompt !== null) return clip(promptLine(shell.prompt), columns);
  if (shell.toast !== null) return clip(line(` ${shell.toast}`, 'info'), columns);
  if (shell.page !== null) {
    const choosing = shell.page.rows(columns).some(({ target }) => target !== null);
    return clip(choosing ? [span(' Enter', 'key'), span(' go there ', 'dim'), ...PAGE_HINTS] : PAGE_HINTS, columns);
  }
  const status = view.status(state);
  if (status !== null) return clip(status, columns);
  return clip([span(' '), ...footerLine(view.keys, shell.focus, columns - 1)], columns);
}
