/** The commands of the inspector: its own, and what those of every view do here. */
import { physicalAddress } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import type { Command } from '../model/keys.js';
import type { SharedCommands } from '../model/shared-commands.js';
import { nodeAt, placeOfRow, rowOfPlace } from '../model/tree-view.js';
import type { TreeNode } from '../../tree/tree.js';
import { rawValueText, tableEntries } from '../model/value.js';
import { line, wrap } from '../model/text.js';
import { effect, focused, showText, tell } from '../model/view.js';
import { fieldsOf, textOfCopy } from './copy.js';
import { whatIsPage } from './pages.js';
import { allSessions } from './panes/sessions.js';
import { nextSnapshot } from './panes/snapshots.js';
import { type Inspector, hexSelection, jump, jumpToAddress, nodeOf, onOverview, placeOf, selectedNode } from './state.js';

const pathsBelow = (state: Inspector, typed: string): readonly string[] => {
  const parts = typed.split('/').slice(0, -1);
  const place = parts.length === 0 ? null : placeOf(state, parts.join('/'));
  const node = place === null ? null : nodeOf(state, place);
  if (parts.length > 0 && node?.path !== parts.join('/')) return [];
  return (node?.children() ?? state.tree.children).slice(0, 1_000).map(({ path }) => path);
};

const sessionNamed = (state: Inspector, name: string) => allSessions(state).find((row) => row.session === name);

export const toPath = (state: Inspector, path: string, what: string): Inspector => {
  const place = placeOf(state, path);
  if (place === null) return tell(state, `no ${what}`);
  const there = jump(state, place);
  return selectedNode(there)?.path === path ? there : tell(there, `no ${what}; this is the nearest above it`);
};

const withAddress = (state: Inspector, argument: string, run: (address: number) => Inspector): Inspector => {
  const number = /^(0x[0-9a-f]+|[0-9]+)$/i.test(argument) ? BigInt(argument) : null;
  if (number === null) return tell(state, `takes an address, 0x…${argument === '' ? '' : `, not ${escapeText(argument)}`}`);
  const address = physicalAddress(number);
  return address === null ? tell(state, `${argument} is no physical address`) : run(address);
};

/** Those of the inspector alone. */
export const INSPECTOR_COMMANDS: readonly Command<Inspector>[] = [
  {
    name: 'snapshot',
    args: '<n>',
    help: 'kvm_run: show snapshot n, counted from 0',
    run: (state, argument) =>
      /^\d{1,9}$/.test(argument) ? nextSnapshot(state, Number(argument) - (state.model.series?.index ?? 0)) : tell(state, ':snapshot takes a number'),
  },
  {
    name: 'diff',
    args: '<dump>',
    help: 'this dump and a later one side by side, differences marked; q comes back',
    run: (state, path) => (path === '' ? tell(state, ':diff takes the name of a dump') : effect(state, { kind: 'diff', path })),
  },
  {
    name: 'contracts',
    aliases: ['cap'],
    args: '<release>',
    help: 'what a kernel of another release makes of this handover, layer by layer',
    complete: (state) => state.model.releases,
    run: (state, release) => {
      const { contractsAgainst } = state.model;
      return showText(state, `against ${escapeText(release)}`, (width) =>
        contractsAgainst(release, width).flatMap((row) => wrap(row, width).map((part) => line(part))),
      );
    },
  },
];

export const INSPECTOR_SHARED: SharedCommands<Inspector> = {
  goto: {
    help: 'go to a physical address: its bytes, and the node decoded there',
    run: (state, argument) => withAddress(state, argument, (address) => focused(jumpToAddress(state, address), 'hex')),
  },
  whatis: {
    help: 'what is at an address: owner, page state, who points there',
    run: (state, argument) => withAddress(state, argument, (address) => whatIsPage(state, address)),
  },
  path: {
    help: 'select the node with this path',
    complete: pathsBelow,
    run: (state, path) => toPath(state, path, `node ${escapeText(path)}`),
  },
  session: {
    complete: (state) => [...new Set(allSessions(state).map((row) => row.session))],
    run: (state, name) => {
      const row = sessionNamed(state, name);
      return row === undefined
        ? tell(state, `no session ${escapeText(name)}`)
        : toPath(state, row.path.replace(/\/files\/.*$/, ''), `session ${escapeText(name)}`);
    },
  },
  token: {
    complete: (state) => allSessions(state).flatMap((row) => (row.token === '' ? [] : [`${row.session} ${row.token}`])),
    run: (state, argument) => {
      const row = allSessions(state).find(({ session, token }) => token !== '' && (`${session} ${token}` === argument || token === argument));
      return row === undefined ? tell(state, `no file ${escapeText(argument)}`) : toPath(state, row.path, `file ${escapeText(argument)}`);
    },
  },
  set: 'a dump is only read here; `luo-inspect step` runs the next kernel on it, where :set changes a field',
};

/** Nodes that an export holds. */
const MOST_EXPORTED = 20_000;

/** The selected node and everything below it that is no bulk table, as JSON. */
export function exportedJson(state: Inspector): string {
  let left = MOST_EXPORTED;
  const jsonOf = (node: TreeNode): object => {
    const children: object[] = [];
    if (tableEntries(node) === null)
      for (const child of node.children()) {
        if (--left <= 0) break;
        children.push(jsonOf(child));
      }
    return { ...fieldsOf(node), ...(children.length === 0 ? {} : { children }) };
  };
  const node = selectedNode(state);
  const roots = node === null || onOverview(state.place) ? state.model.roots.map(jsonOf) : jsonOf(node);
  return `${JSON.stringify(roots, null, 1)}\n`;
}

/** The selected node and everything open below it, as text. */
export function exported(state: Inspector): string {
  const node = selectedNode(state);
  const rows: string[] = [];
  const first = rowOfPlace(state.tree, state.place);
  for (let row = first; row < Math.min(state.tree.rows, first + MOST_EXPORTED); row++) {
    const place = placeOfRow(state.tree, row);
    if (place === null || (row > first && place.length <= state.place.length)) break;
    const at = nodeAt(state.tree, place);
    if (at !== null)
      rows.push(`${'  '.repeat(place.length - state.place.length)}${escapeText(at.name)} ${escapeText(rawValueText(at))} ${escapeText(at.meaning)}`.trimEnd());
  }
  const hexPart = hexSelection(state);
  return `${[node?.path ?? '', ...rows, ...(hexPart === null ? [] : ['', `at ${hex(hexPart.address)}: ${textOfCopy(state, 'bytes')}`])].join('\n')}\n`;
}
