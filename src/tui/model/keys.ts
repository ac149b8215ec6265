/**
 * Keys. A key is one row: which key, where, in which words, and what it does. The handler, the footer, the help and docs/keys.md all
 * read the same rows. Key names: a printable character, or `up down left right home end pageup pagedown enter esc tab shift-tab
 * backspace space ctrl-<letter>`.
 */
import { type Line, type Span, line, span, widthOf, wrap } from './text.js';

/** What a row says of itself, without what it does. */
interface KeyRow {
  readonly keys: readonly string[];
  /** heading in the help */
  readonly group: string;
  readonly help: string;
  /** panes in which it holds; everywhere unless given */
  readonly panes?: readonly string[];
  /** a word for the footer; not in the footer unless given */
  readonly hint?: string;
  /** does it hold while a page covers the panes? */
  readonly overPages?: boolean;
  /** does it take a count? */
  readonly counts?: boolean;
}

export interface Key<S> extends KeyRow {
  /** @param count the number typed before it, null for none @param key which of its keys it was */
  readonly run: (state: S, count: number | null, key: string) => S;
}

export interface CommandRow {
  readonly name: string;
  readonly args: string;
  readonly help: string;
}

/** A command typed after `:`. */
export interface Command<S> extends CommandRow {
  /** other names */
  readonly aliases?: readonly string[];
  /** arguments that Tab offers; those that do not start with what was typed are left out by the caller */
  readonly complete?: (state: S, typed: string) => readonly string[];
  readonly run: (state: S, argument: string) => S;
}

/** What is typed after a sign: a search, bytes to store, an answer. */
export interface Question<S> {
  readonly run: (state: S, text: string) => S;
  readonly complete?: (state: S, text: string) => readonly string[];
}

/** All keys, commands and prompts of a view. */
export interface Table<S> {
  /** as they are listed */
  readonly keys: readonly Key<S>[];
  /** as they are looked up: of a pane first, then of the view, then everybody's */
  readonly lookup: readonly Key<S>[];
  readonly commands: readonly Command<S>[];
  /** by the sign of the prompt */
  readonly questions: Readonly<Record<string, Question<S>>>;
}

/** The row of `key` while `pane` has the focus; null where it has none. */
export function keyOf<K extends KeyRow>(table: readonly K[], key: string, pane: string): K | null {
  return table.find((row) => row.keys.includes(key) && (row.panes === undefined || row.panes.includes(pane))) ?? null;
}

const SHOWN: Readonly<Record<string, string>> = {
  up: '↑',
  down: '↓',
  left: '←',
  right: '→',
  pageup: 'PgUp',
  pagedown: 'PgDn',
  home: 'Home',
  end: 'End',
  enter: 'Enter',
  esc: 'Esc',
  tab: 'Tab',
  'shift-tab': 'Shift-Tab',
  backspace: 'Backspace',
  space: 'Space',
};

/** A key as a person reads it. */
export const keyLabel = (key: string): string => SHOWN[key] ?? (key.startsWith('ctrl-') ? `Ctrl-${key.slice(5)}` : key);

/** Keys and what they do, for a status line. */
export const hints = (pairs: readonly (readonly [string, string])[]): Line =>
  pairs.flatMap(([key, words], index): Span[] => [span(key, 'key'), span(` ${words}${index === pairs.length - 1 ? '' : '  '}`, 'dim')]);

/** The hints that fit a footer of `width` columns, for the pane in focus, in the order of the table; help always, if anything. */
export function footerLine(table: readonly KeyRow[], pane: string, width: number): Line {
  const all = table.flatMap((row) => {
    const [key] = row.keys;
    if (row.hint === undefined || key === undefined || (row.panes !== undefined && !row.panes.includes(pane))) return [];
    const label = keyLabel(key);
    return [{ row, label, hint: row.hint, columns: widthOf(label) + 1 + widthOf(row.hint) + 2 }];
  });
  let left = width;
  const shown = new Set<KeyRow>();
  for (const hint of [...all.filter(({ label }) => label === '?'), ...all]) {
    if (shown.has(hint.row) || hint.columns > left) continue;
    shown.add(hint.row);
    left -= hint.columns;
  }
  return all.filter(({ row }) => shown.has(row)).flatMap(({ label, hint }): Span[] => [span(label, 'key'), span(` ${hint}  `, 'dim')]);
}

/** The help screen: every key and command, by group. */
export function helpLines(table: readonly KeyRow[], commands: readonly CommandRow[], width: number): Line[] {
  const out: Line[] = [];
  let group = '';
  for (const row of grouped(table)) {
    if (row.group !== group) {
      if (group !== '') out.push(line(''));
      group = row.group;
      out.push(line(group, 'title'));
    }
    const where = row.panes === undefined ? '' : `  (${row.panes.join(', ')})`;
    out.push(...helpRow(row.keys.map(keyLabel).join(' '), row.help, where, width));
  }
  if (commands.length > 0) {
    out.push(line(''), line('Commands', 'title'));
    for (const { name, args, help } of commands) out.push(...helpRow(`:${name} ${args}`.trimEnd(), help, '', width));
  }
  return out;
}

/** What a key does beside it, in as many rows as that takes. */
function helpRow(keys: string, help: string, where: string, width: number): Line[] {
  const label = `  ${keys.padEnd(20)} `;
  const column = Math.min(widthOf(label), Math.floor(width / 2));
  const beside = widthOf(label) <= column;
  const rows = wrap(`${help}${where}`, width - column).map((text): Line => [span(' '.repeat(column)), span(text)]);
  if (!beside) return [[span(label.trimEnd(), 'key')], ...rows];
  return rows.map((row, index) => (index === 0 ? [span(label, 'key'), ...row.slice(1)] : row));
}

/** Rows of one group together, groups in the order in which they first appear. */
function grouped(table: readonly KeyRow[]): KeyRow[] {
  const groups = [...new Set(table.map(({ group }) => group))];
  return groups.flatMap((group) => table.filter((row) => row.group === group));
}

export interface KeyPage {
  readonly title: string;
  readonly intro: string;
  readonly keys: readonly KeyRow[];
  readonly commands: readonly CommandRow[];
}

/** docs/keys.md. */
export function keysMarkdown(pages: readonly KeyPage[]): string {
  const out = ['# Keys', '', 'Generated from the key tables of the terminal UI, which also drive its help (`?`) and footer.', ''];
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  for (const { title, intro, keys, commands } of pages) {
    out.push(`## ${title}`, '', intro, '');
    let group = '';
    for (const row of grouped(keys)) {
      if (row.group !== group) {
        if (group !== '') out.push('');
        group = row.group;
        out.push(`### ${group}`, '', '| keys | does | panes |', '|---|---|---|');
      }
      const labels = row.keys.map((key) => (key === '…' ? key : `\`${keyLabel(key)}\``));
      out.push(`| ${cell(labels.join(' '))} | ${cell(row.help)} | ${row.panes?.join(', ') ?? 'all'} |`);
    }
    out.push('');
    if (commands.length > 0) {
      out.push('### Commands', '', '| command | does |', '|---|---|');
      for (const command of commands) out.push(`| \`${cell(`:${command.name} ${command.args}`.trimEnd())}\` | ${cell(command.help)} |`);
      out.push('');
    }
  }
  return out.join('\n');
}
