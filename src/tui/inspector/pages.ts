/** Pages of the inspector: who points here, what is at an address, what a rule or a structure means. */
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import type { PageRow } from '../model/page.js';
import { line, span, wrap } from '../model/text.js';
import { showList, showText, tell } from '../model/view.js';
import { findingsAt } from './panes/detail.js';
import { findingUnderCursor } from './panes/findings.js';
import { type Inspector, hexCursor, selectedNode } from './state.js';

/** Who points to the selected node (or the byte under the hex cursor). */
export function whoPointsHere(state: Inspector): Inspector {
  const node = selectedNode(state);
  const address = state.shell.focus === 'hex' || state.hexAt !== null ? hexCursor(state) : (node?.pointer ?? node?.address ?? null);
  if (address === null) return tell(state, 'this node has no address');
  const { pointers, morePointers } = state.model.addresses().at(address);
  if (pointers.length === 0) return tell(state, `nothing that is decoded points to the page of ${hex(address)}`);
  const rows = pointers.map(
    ({ path, at, to }): PageRow => ({
      line: [span(hex(to), 'address'), span(`  ${escapeText(path)}`), span(at === null ? '' : `  at ${hex(at)}`, 'dim')],
      target: { path },
    }),
  );
  const more = morePointers === 0 ? '' : ` and ${morePointers} more`;
  return showList(state, `${rows.length} field${rows.length === 1 ? ' points' : 's point'} to the page of ${hex(address)}${more}`, () => rows);
}

/** Everything that is known of an address, on a page. */
export function whatIsPage(state: Inspector, address: number): Inspector {
  const is = state.model.addresses().at(address);
  const rows: PageRow[] = [];
  const add = (label: string, text: string, target: PageRow['target'] = null): void => {
    rows.push({ line: [span(label.padEnd(12), 'label'), span(escapeText(text))], target });
  };
  add('address', hex(address), { address });
  add('what', is.what, is.path === null ? null : { path: is.path });
  add('page', state.model.addresses().telescope(address));
  if (is.path !== null) add('path', is.path, { path: is.path });
  if (is.owner !== null) add('owner', is.owner, { path: is.owner });
  if (is.block !== null) add('block', `order ${is.block.order} at ${hex(is.block.start)}, in the map of ${is.block.handover}`);
  for (const pointer of is.pointers) add('named by', pointer.path, { path: pointer.path });
  if (is.unchecked !== null) add('unchecked', is.unchecked);
  return showList(state, `what is ${hex(address)}`, () => rows);
}

/** What the rule of the finding here means, or what the structure is. */
export function more(state: Inspector): Inspector {
  const { model } = state;
  const finding = (state.findingAt === null ? undefined : model.findings[state.findingAt]) ?? findingsAt(model, selectedNode(state), null)[0];
  const inList = state.shell.focus === 'findings' ? findingUnderCursor(state) : undefined;
  const rule = (inList ?? finding)?.rule;
  const text = rule === undefined ? null : model.ruleText(rule);
  if (rule !== undefined && text !== null) return showText(state, rule, (width) => text.flatMap((row) => wrap(row, width, 13).map((part) => line(part))));
  const struct = selectedNode(state)?.layout?.struct;
  if (struct === undefined) return tell(state, 'nothing more is known here; on a finding, K explains its rule');
  return showText(state, `struct ${struct.name}`, (width) => [
    ...wrap(struct.meaning, width).map((row) => line(row)),
    line(''),
    line(`source: ${struct.source}`, 'dim'),
    line(''),
    ...Object.entries(struct.fields).flatMap(([name, field]) => wrap(`${name}: ${field.meaning}`, width, 4).map((row) => line(row))),
  ]);
}
