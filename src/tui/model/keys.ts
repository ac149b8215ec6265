/**
 * Keys. One table per view says which key does what, where, and in which words: the handler, the footer, the help and
 * docs/keys.md all read it. Key names: a printable character, or `up down left right home end pageup pagedown enter esc tab
 * shift-tab backspace space ctrl-<letter>`.
 */
import { type Line, type Span, clip, line, span, widthOf } from './text.js';

export interface KeyBinding<A extends string = string> {
  readonly action: A;
  readonly keys: readonly string[];
  /** heading in the help */
  readonly group: string;
  readonly help: string;
  /** panes in which it holds; everywhere unless given */
  readonly panes?: readonly string[];
  /** a word for the footer; not in the footer unless given */
  readonly hint?: string;
}

export type KeyTable<A extends string = string> = readonly KeyBinding<A>[];

/** A command typed after `:`. */
export interface CommandHelp {
  readonly name: string;
  readonly args: string;
  readonly help: string;
}

/** What every view can do. */
export type CommonAction =
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'pageUp'
  | 'pageDown'
  | 'halfUp'
  | 'halfDown'
  | 'first'
  | 'last'
  | 'enter'
  | 'back'
  | 'toggle'
  | 'nextPane'
  | 'previousPane'
  | 'pane1'
  | 'pane2'
  | 'pane3'
  | 'pane4'
  | 'pane5'
  | 'pane6'
  | 'pane7'
  | 'pane8'
  | 'pane9'
  | 'zoom'
  | 'search'
  | 'nextMatch'
  | 'previousMatch'
  | 'command'
  | 'copyValue'
  | 'copyPath'
  | 'help'
  | 'escape'
  | 'close'
  | 'quit'
  | 'suspend'
  | 'redraw';

const MOVE = 'Move';
const PANES = 'Panes';
const GENERAL = 'General';

export const MOVE_KEYS: KeyTable<CommonAction> = [
  { action: 'up', keys: ['k', 'up'], group: MOVE, help: 'one row up' },
  { action: 'down', keys: ['j', 'down'], group: MOVE, help: 'one row down' },
  { action: 'left', keys: ['h', 'left'], group: MOVE, help: 'close the node, or go to its parent' },
  { action: 'right', keys: ['l', 'right'], group: MOVE, help: 'open the node, or go to its first child' },
  { action: 'pageUp', keys: ['pageup', 'ctrl-b'], group: MOVE, help: 'one page up' },
  { action: 'pageDown', keys: ['pagedown', 'ctrl-f'], group: MOVE, help: 'one page down' },
  { action: 'halfUp', keys: ['ctrl-u'], group: MOVE, help: 'half a page up' },
  { action: 'halfDown', keys: ['ctrl-d'], group: MOVE, help: 'half a page down' },
  { action: 'first', keys: ['g', 'home'], group: MOVE, help: 'to the first row' },
  { action: 'last', keys: ['G', 'end'], group: MOVE, help: 'to the last row' },
];

export const PANE_KEYS: KeyTable<CommonAction> = [
  { action: 'nextPane', keys: ['tab'], group: PANES, help: 'next pane', hint: 'pane' },
  { action: 'previousPane', keys: ['shift-tab'], group: PANES, help: 'previous pane' },
  ...([1, 2, 3, 4, 5, 6, 7, 8, 9] as const).map(
    (number): KeyBinding<CommonAction> => ({ action: `pane${number}`, keys: [`${number}`], group: PANES, help: `pane ${number}` }),
  ),
  { action: 'zoom', keys: ['z', '+'], group: PANES, help: 'the pane alone on the screen, and back', hint: 'zoom' },
];

export const GENERAL_KEYS: KeyTable<CommonAction> = [
  { action: 'help', keys: ['?'], group: GENERAL, help: 'this help', hint: 'help' },
  { action: 'close', keys: ['q'], group: GENERAL, help: 'close what is open on top; at the top, quit', hint: 'quit' },
  { action: 'escape', keys: ['esc'], group: GENERAL, help: 'end the search, close the help; never quits' },
  { action: 'quit', keys: ['ctrl-c'], group: GENERAL, help: 'quit at once' },
  { action: 'suspend', keys: ['ctrl-z'], group: GENERAL, help: 'suspend; `fg` in the shell brings it back' },
  { action: 'redraw', keys: ['ctrl-l'], group: GENERAL, help: 'draw the screen anew' },
];

/** The binding of `key` while `pane` has the focus; null where it has none. */
export function bindingOf<A extends string>(table: KeyTable<A>, key: string, pane: string): KeyBinding<A> | null {
  return table.find((binding) => binding.keys.includes(key) && (binding.panes === undefined || binding.panes.includes(pane))) ?? null;
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

/** The hints that fit a footer of `width` columns, for the pane in focus, in the order of the table; help always, if anything. */
export function footerLine(table: KeyTable, pane: string, width: number): Line {
  const hints = table.flatMap(({ action, keys, hint, panes }) => {
    const [key] = keys;
    if (hint === undefined || key === undefined || (panes !== undefined && !panes.includes(pane))) return [];
    const label = keyLabel(key);
    return [{ action, label, hint, columns: widthOf(label) + 1 + widthOf(hint) + 2 }];
  });
  let left = width;
  const shown = new Set<string>();
  for (const hint of [...hints.filter(({ action }) => action === 'help'), ...hints]) {
    if (shown.has(hint.action) || hint.columns > left) continue;
    shown.add(hint.action);
    left -= hint.columns;
  }
  return hints.filter(({ action }) => shown.has(action)).flatMap(({ label, hint }): Span[] => [span(label, 'key'), span(` ${hint}  `, 'dim')]);
}

/** The nine pane keys as one row of the help. */
function rowsOfHelp(table: KeyTable): { group: string; keys: string; where: string; help: string }[] {
  const numbered = table.filter(({ action }) => /^pane[1-9]$/.test(action));
  const rows: { group: string; keys: string; where: string; help: string }[] = [];
  for (const binding of table) {
    if (numbered.includes(binding)) {
      if (binding === numbered[0]) rows.push({ group: binding.group, keys: `1 … ${numbered.length}`, where: '', help: 'pane by its number' });
      continue;
    }
    rows.push({ group: binding.group, keys: binding.keys.map(keyLabel).join(' '), where: binding.panes?.join(', ') ?? '', help: binding.help });
  }
  return rows;
}

/** The help screen: every key and command, by group. */
export function helpLines(table: KeyTable, commands: readonly CommandHelp[], width: number): Line[] {
  const out: Line[] = [];
  let group = '';
  for (const row of rowsOfHelp(table)) {
    if (row.group !== group) {
      if (group !== '') out.push(line(''));
      group = row.group;
      out.push(line(group, 'title'));
    }
    out.push(clip([span(`  ${row.keys.padEnd(20)} `, 'key'), span(row.help), span(row.where === '' ? '' : `  (${row.where})`, 'dim')], width));
  }
  if (commands.length > 0) {
    out.push(line(''), line('Commands', 'title'));
    for (const { name, args, help } of commands) out.push(clip([span(`  ${`:${name} ${args}`.trimEnd().padEnd(20)} `, 'key'), span(help)], width));
  }
  return out;
}

export interface KeyPage {
  readonly title: string;
  readonly intro: string;
  readonly table: KeyTable;
  readonly commands: readonly CommandHelp[];
}

/** docs/keys.md. */
export function keysMarkdown(pages: readonly KeyPage[]): string {
  const out = ['# Keys', '', 'Generated from the key tables of the terminal UI, which also drive its help (`?`) and footer.', ''];
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  for (const { title, intro, table, commands } of pages) {
    out.push(`## ${title}`, '', intro, '');
    let group = '';
    for (const row of rowsOfHelp(table)) {
      if (row.group !== group) {
        if (group !== '') out.push('');
        group = row.group;
        out.push(`### ${group}`, '', '| keys | does | panes |', '|---|---|---|');
      }
      const keys = row.keys.split(' ').map((key) => (key === '…' ? key : `\`${key}\``));
      out.push(`| ${cell(keys.join(' '))} | ${cell(row.help)} | ${row.where === '' ? 'all' : row.where} |`);
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
