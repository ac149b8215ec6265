/** The console log: Kexec Handover's and LUO's lines stand out, those that a finding quotes are marked. Pure. */
import { hasWords } from '../../model/match.js';
import { listRows } from '../../model/list.js';
import { keepInView, moveBy, positionOf, rowsOf } from '../../model/scroll.js';
import { type Line, type Style, line, span } from '../../model/text.js';
import { type Pane, filterOf, tell } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import { type Inspector, type LogRow, jump, jumpToAddress, placeOf } from '../state.js';
import { logLineOf } from './findings.js';

type Of = Pane<Inspector, PaneId>;

export function logRows(state: Inspector): readonly LogRow[] {
  const filter = filterOf<PaneId>(state, 'log');
  return filter === '' ? state.model.log : state.model.log.filter(({ text }) => hasWords(text, filter));
}

const OURS = /kho|kexec|luo|live ?update|memfd|vfio|Unable to handle|Kernel panic|WARNING:|BUG:/i;

export const logPane: Of = {
  id: 'log',
  filters: true,
  content: (state, box) => {
    const rows = logRows(state);
    if (rows.length === 0) return { title: 'log', note: '', rows: [line('  no console log: a console.log beside the dump, or --log <file>', 'dim')] };
    const told = new Set(state.model.findings.flatMap((finding) => logLineOf(state, finding) ?? []).map((index) => state.model.log[index]?.number));
    const list = listRows(rows, keepInView(state.log, rows.length, box.height), box, state.shell.focus === 'log', (row): Line => {
      const style: Style = told.has(row.number) ? 'warning' : OURS.test(row.text) ? 'plain' : 'dim';
      return [span(`${String(row.number).padStart(5)} `, 'address'), span(told.has(row.number) ? '! ' : '  ', 'warning'), span(row.text, style)];
    });
    return { title: 'log', note: positionOf(state.log.cursor, rows.length), rows: list };
  },
  move: (state, motion, box, count) => ({ ...state, log: moveBy(state.log, rowsOf(motion, box.height) * count, logRows(state).length, box.height) }),
  enter: (state) => {
    const row = logRows(state)[state.log.cursor];
    if (row === undefined) return state;
    const index = state.model.findings.findIndex((finding) => /console line (\d+)/.exec(finding.message)?.[1] === String(row.number));
    if (index !== -1) {
      const finding = state.model.findings[index];
      const row = { ...state, findingAt: index };
      const place = finding?.path == null ? null : placeOf(state, finding.path);
      return tell(place === null ? row : jump(row, place), finding?.message ?? '');
    }
    const address = /\b0x([0-9a-f]{4,13})\b/i.exec(row.text)?.[1];
    return address === undefined ? tell(state, 'no finding and no address in this line') : jumpToAddress(state, Number.parseInt(address, 16));
  },
};
