/** The console log: Kexec Handover's and LUO's lines stand out, those that a finding quotes are marked. Pure. */
import { listPane } from '../../model/list.js';
import { type Line, type Style, span } from '../../model/text.js';
import { tell } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import { type Inspector, type LogRow, jump, jumpToAddress, placeOf, quotedLine } from '../state.js';

const OURS = /kho|kexec|luo|live ?update|memfd|vfio|Unable to handle|Kernel panic|WARNING:|BUG:/i;

export const logPane = listPane<Inspector, PaneId, LogRow>({
  id: 'log',
  rows: ({ model }) => model.log,
  words: ({ text }) => text,
  scroll: (state) => state.log,
  scrolled: (state, scroll) => ({ ...state, log: scroll }),
  line: (state) => {
    const told = new Set(state.model.findings.map((finding) => state.model.log[quotedLine(state.model, finding)]?.number));
    return (row): Line => {
      const style: Style = told.has(row.number) ? 'warning' : OURS.test(row.text) ? 'plain' : 'dim';
      return [span(`${String(row.number).padStart(5)} `, 'address'), span(told.has(row.number) ? '! ' : '  ', 'warning'), span(row.text, style)];
    };
  },
  none: span('no console log: a console.log beside the dump, or --log <file>', 'dim'),
  enter: (state, row) => {
    const { model } = state;
    const index = model.findings.findIndex((finding) => model.log[quotedLine(model, finding)] === row);
    if (index !== -1) {
      const finding = model.findings[index];
      const told = { ...state, findingAt: index };
      const place = finding?.path == null ? null : placeOf(state, finding.path);
      return tell(place === null ? told : jump(told, place), finding?.message ?? '');
    }
    const address = /\b0x([0-9a-f]{4,13})\b/i.exec(row.text)?.[1];
    return address === undefined ? tell(state, 'no finding and no address in this line') : jumpToAddress(state, Number.parseInt(address, 16));
  },
});
