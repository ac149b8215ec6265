/** A view as a program: keys go to what is open on top first (a question, a prompt, a page), then to the view's rows. Pure. */
import { escapeText } from '../../report/escape.js';
import { tableOf } from './common-keys.js';
import { type Command, type Key, type Table, footerLine, hints, keyLabel, keyOf } from './keys.js';
import { NOTHING_KEPT } from './kept.js';
import { lastOf } from './last-of.js';
import { nearest } from './match.js';
import { type Page, movePage, pageLines } from './page.js';
import type { Program, Step } from './program.js';
import { type Completer, PASTED, promptLine, typeInto } from './prompt.js';
import { type PaneBox, type PaneContent, type Screen, type Size, bar, compose, isTooSmall, tooSmall } from './screen.js';
import type { Motion } from './scroll.js';
import { type Shell, enteredText } from './shell.js';
import { type Line, type Style, clip, line, skip, span, spread, textOf, wrap } from './text.js';
import { type Found, type View, type Viewed, effect, filterOf, focused, pageBox, panesOf, searchPage, tell, toRow, withShell } from './view.js';

export function programOf<S extends Viewed<P>, P extends string>(view: View<S, P>, initial: (size: Size) => S): Program<S> {
  const table = tableOf(view);
  return {
    initial: (size) => view.settle(initial(size)),
    key: (state, key) => keyIn(view, table, state, key),
    resize: (state, size) => view.settle(withShell(state, { size })),
    screen: (state) => screenOf(view, table, state),
    work: (state) => {
      const next = view.work(state);
      return next === null ? null : view.settle(next);
    },
    told: tell,
    kept: (state) => ({ ...NOTHING_KEPT, histories: state.shell.histories, ...view.kept?.(state) }),
    restored: (state, kept) => {
      const known = withShell(state, { histories: kept.histories });
      return view.settle(view.restored?.(known, kept) ?? known);
    },
  };
}

/** What the terminal says when no key has come for a while. */
export const PAUSE = 'pause';

/** One key, by the name the key table uses. */
function keyIn<S extends Viewed<P>, P extends string>(view: View<S, P>, table: Table<S>, before: S, key: string): Step<S> {
  // no key came for a while: a digit that went to a pane is no part of a count any more; what can only be a count waits for its key
  if (key === PAUSE) return { state: isCount(view, before) ? before : withShell(before, { count: '', beforeCount: null }), effects: [] };
  const state = pressed(view, table, withShell(before, { toast: null, effects: [] }), key);
  return { state: withShell(state, { effects: [] }), effects: state.shell.effects };
}

function pressed<S extends Viewed<P>, P extends string>(view: View<S, P>, table: Table<S>, state: S, key: string): S {
  const { shell } = state;
  if (key === 'ctrl-c') return effect(state, { kind: 'quit' });
  if (shell.leaving !== null) {
    const stay = withShell(state, { leaving: null });
    return key === 'y' || key === 'enter' ? effect(stay, { kind: 'quit' }) : stay;
  }
  if (shell.prompt !== null) return view.settle(typing(view, table, state, key));
  if (key.startsWith(PASTED)) return tell(state, 'pasted text goes into a line: / and : open one');
  if (key.startsWith('mouse:')) return view.settle(mouse(view, table, state, key));
  if (/^[0-9]$/.test(key) && shell.page === null) return view.settle(digit(view, state, key));
  const ready = withShell(state, { count: '', beforeCount: null });
  const sure = isCount(view, state);
  if (key === 'esc' && sure) return view.settle(ready);
  // digits were a count where the key takes one; else each was the number of a pane
  const counted = Number(shell.count) === 0 || (shell.count.length < 2 && !sure) ? null : rowOf(table, key, { ...shell, ...shell.beforeCount });
  if (counted?.counts === true) {
    const done = counted.run({ ...ready, shell: { ...ready.shell, ...shell.beforeCount } }, Math.min(1_000_000, Number(shell.count)), key);
    const said = sure || shell.page !== null || done.shell.toast !== null;
    return view.settle(said ? done : tell(done, `${shell.count}${keyLabel(key)} typed at once is a count, in the ${done.shell.focus} pane`));
  }
  const row = rowOf(table, key, shell);
  return row === null ? view.settle(tell(ready, nothingOf(table, key))) : view.settle(row.run(ready, null, key));
}

/** A key without a row says where it would do something. */
function nothingOf<S>({ keys }: Table<S>, key: string): string {
  const elsewhere = keys.find((row) => row.keys.includes(key) && row.panes !== undefined);
  const label = keyLabel(key);
  return elsewhere === undefined ? `${label} does nothing here; ? lists the keys` : `${label} is for ${elsewhere.panes?.join(', ') ?? ''}: ${elsewhere.help}`;
}

/** The row of a key: over a page only those that hold there; of the pane in focus before the view's, of the view before everybody's. */
function rowOf<S, P extends string>({ lookup }: Table<S>, key: string, { focus, page }: Shell<P>): Key<S> | null {
  return keyOf(page === null ? lookup : lookup.filter(({ overPages }) => overPages === true), key, focus);
}

const numberOf = <S extends Viewed<P>, P extends string>(view: View<S, P>, id: P): number => panesOf(view).findIndex((pane) => pane.id === id) + 1;

/** The pane that a digit goes to; undefined where none has that number. */
function paneOf<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, key: string): P | undefined {
  const pane = panesOf(view)[Number(key) - 1];
  return pane === undefined || view.absent?.(state, pane.id) === true ? undefined : pane.id;
}

/** Can the digits typed so far be nothing but a count? One of them goes to no pane. */
const isCount = <S extends Viewed<P>, P extends string>(view: View<S, P>, state: S): boolean =>
  [...state.shell.count].some((key) => paneOf(view, state, key) === undefined);

/**
 * Digits: each goes to the pane of that number; two or more (or a 0 first) are a count where the key that follows takes one: `10j`, `05s`.
 * Only a digit that goes to no pane makes it sure: then the screen is as it was before them, and the footer says the count.
 */
function digit<S extends Viewed<P>, P extends string>(view: View<S, P>, before: S, key: string): S {
  const { shell } = before;
  const back = shell.beforeCount ?? { focus: shell.focus, zoom: shell.zoom };
  const state: S = withShell(before, { ...back, count: (shell.count + key).slice(-7), beforeCount: back });
  const focus = paneOf(view, state, key);
  return focus === undefined || isCount(view, state) ? state : withShell(state, { focus });
}

function typing<S extends Viewed<P>, P extends string>(view: View<S, P>, table: Table<S>, state: S, key: string): S {
  const { shell } = state;
  const { prompt } = shell;
  if (prompt === null) return state;
  const complete: Completer = (text) =>
    prompt.sign === ':' ? commandChoices(table, state, text) : (table.questions[prompt.sign]?.complete?.(state, text) ?? []);
  const result = typeInto(prompt, key, complete);
  switch (result.kind) {
    case 'typing':
      return withShell(state, { prompt: result.prompt });
    case 'cancelled':
      return withShell(state, { prompt: null });
    case 'entered': {
      const done = withShell(state, enteredText(shell, prompt.sign, result.text));
      // an empty line does the last command again
      if (prompt.sign === ':') return runCommand(view, table, done, result.text.trim() === '' ? repeatable(shell) : result.text);
      if (prompt.sign === '/' && shell.page !== null) return searchPage(done, { ...shell.page, query: result.text || null }, 1);
      return table.questions[prompt.sign]?.run(done, result.text) ?? done;
    }
  }
}

/** The last command typed; not one that leaves. */
const repeatable = ({ histories }: Shell): string => {
  const last = histories[':']?.at(-1) ?? '';
  return /^q(uit)?!?$/.test(last.trim()) ? '' : last;
};

/** Names of commands, then the arguments of the one that is typed. */
function commandChoices<S>(table: Table<S>, state: S, text: string): readonly string[] {
  const space = text.indexOf(' ');
  if (space === -1) return table.commands.map(({ name, args }) => (args === '' ? name : `${name} `)).filter((name) => name.startsWith(text));
  const name = text.slice(0, space);
  const typed = text.slice(space + 1);
  const command = commandNamed(table, name);
  return (command?.complete?.(state, typed) ?? [])
    .filter((choice) => choice.toLowerCase().startsWith(typed.toLowerCase()))
    .map((choice) => `${name} ${choice}`);
}

const commandNamed = <S>(table: Table<S>, name: string): Command<S> | null =>
  table.commands.find((one) => one.name === name || one.aliases?.includes(name) === true) ?? null;

function runCommand<S extends Viewed<P>, P extends string>(view: View<S, P>, table: Table<S>, state: S, text: string): S {
  const [, name = '', argument = ''] = /^\s*(\S*)\s*(.*?)\s*$/s.exec(text) ?? [];
  if (name === '') return state;
  if (/^\d{1,7}$/.test(name)) return toRow(view, state, Number(name));
  const command = commandNamed(table, name);
  if (command !== null) return command.run(state, argument);
  const names = table.commands.flatMap((one) => [one.name, ...(one.aliases ?? [])]);
  const near = nearest(name, names);
  return tell(state, `no command ${name}${near === null ? '' : `: did you mean :${near}?`}  (? lists them)`);
}

function mouse<S extends Viewed<P>, P extends string>(view: View<S, P>, table: Table<S>, state: S, key: string): S {
  const [, button = '', x = '', y = ''] = /^mouse:(\w+):(\d+):(\d+)$/.exec(key) ?? [];
  const column = Number(x) - 1;
  const row = Number(y) - 2;
  const { shell } = state;
  if (!shell.mouse) return state;
  if (shell.page !== null) {
    const box = pageBox(shell.size);
    const motion: Motion | null = button === 'wheelup' ? 'up' : button === 'wheeldown' ? 'down' : null;
    return motion === null ? state : withShell(state, { page: movePage(shell.page, motion, box.width, box.height, 3) });
  }
  let top = 0;
  for (const [bandAt, band] of view.layout(state).entries()) {
    let left = 0;
    for (const [columnAt, { width, panes }] of band.columns.entries()) {
      let at = top;
      for (const { id, height, tabs = [] } of panes) {
        const inside = column >= left && column < left + width && row >= at && row < at + height;
        const box = { width, height: height - 1 };
        if (inside && button === 'wheelup') return view.panes[id].move(focused(state, id), 'up', box, 3);
        if (inside && button === 'wheeldown') return view.panes[id].move(focused(state, id), 'down', box, 3);
        if (inside && button === 'left' && row === at) {
          // the name of a pane that shares the place
          const title = textOf(screenOf(view, table, state).bands[bandAt]?.columns[columnAt]?.rows[at - top] ?? []);
          const tab = tabs.find((one) => {
            const from = title.indexOf(` ${numberOf(view, one)} ${one}`) + left;
            return from >= left && column > from && column <= from + one.length + 2;
          });
          return focused(state, tab ?? id);
        }
        // the row is one of the screen as it is, before the focus comes here
        if (inside && button === 'left') return focused(view.panes[id].click?.(state, row - at - 1, box, column - left) ?? state, id);
        at += height;
      }
      left += width + 1;
    }
    top += band.height;
  }
  return state;
}

// The whole screen.

/** Columns of the header that are the title's at least. */
const LEAST_TITLE = 8;

function screenOf<S extends Viewed<P>, P extends string>(view: View<S, P>, table: Table<S>, state: S): Screen {
  const { shell } = state;
  const { size } = shell;
  if (isTooSmall(size)) return tooSmall(size);
  // the answer is what stays where there is no room for both
  const summary = clip([...view.summary(state), span(' ')], size.columns - LEAST_TITLE);
  const header = bar(spread([span(` ${view.title(state)}`, 'bar')], summary, size.columns, 'bar'), size.columns);
  const [footer = [], ...higher] = footerOf(view, table, state).reverse();
  const above = higher.reverse();
  if (shell.page !== null) return { header, bands: [pageBand(shell.page, size)], footer, above };
  const panes = panesOf(view);
  const contentOf = (id: P, box: PaneBox): PaneContent => {
    const shift = shell.shifts.get(id) ?? 0;
    const whole = view.panes[id].content(state, shift === 0 ? box : { ...box, width: box.width + shift });
    const content = shift === 0 ? whole : { ...whole, rows: whole.rows.map((row) => clip(skip(row, shift), box.width)) };
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
    above,
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

/** `/text  3/17`, how far it looked, and what the keys do. */
function foundLine({ query, at, count, note = '', hints: more = [] }: Found): Line {
  const matches = count === 0 ? 'no match' : `${at === -1 ? '–' : at + 1}/${count}`;
  return [span(` /${escapeText(query)}`, 'match'), span(`  ${matches}${note}  `), ...hints([['n', 'next'], ['N', 'previous'], ...more, ['Esc', 'end']])];
}

const hintsOf = lastOf(footerLine);

/** Rows that a message takes at most. */
const MOST_MESSAGE_ROWS = 6;

/** The last row of the screen; a message that is longer has rows above it. */
function footerOf<S extends Viewed<P>, P extends string>(view: View<S, P>, table: Table<S>, state: S): Line[] {
  const { shell } = state;
  const { columns } = shell.size;
  const said = (text: string, style: Style): Line[] =>
    wrap(` ${text}`, columns)
      .slice(0, MOST_MESSAGE_ROWS)
      .map((row) => line(row, style));
  if (shell.leaving !== null) return said(`${shell.leaving}: leave all the same? y leaves, any other key stays`, 'warning');
  if (shell.prompt !== null) return [clip(promptLine(shell.prompt, columns), columns)];
  if (shell.toast !== null) return said(shell.toast, 'info');
  if (isCount(view, state)) return [clip(line(` ${shell.count} …  j, k and other moves go so far; Esc forgets the count`, 'info'), columns)];
  if (shell.page !== null) {
    const choosing = shell.page.rows(columns).some(({ target }) => target !== null);
    return [clip(choosing ? [span(' Enter', 'key'), span(' go there ', 'dim'), ...PAGE_HINTS] : PAGE_HINTS, columns)];
  }
  const found = view.found(state);
  if (found !== null) return [clip(foundLine(found), columns)];
  return [clip([span(' '), ...hintsOf(table.keys, shell.focus, columns - 1)], columns)];
}
