/** What is known of the selected node; of the dump as a whole where that is selected. Pure. */
import type { TreeNode } from '../../../tree/tree.js';
import { detailLines } from '../../model/detail.js';
import type { FindingView } from '../../model/finding.js';
import { lastOf } from '../../model/last-of.js';
import { rowsOf, scrollText } from '../../model/scroll.js';
import { type Line, line, wrap } from '../../model/text.js';
import type { Pane } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import { labelOf } from '../session-rows.js';
import { type Inspector, type InspectorModel, onOverview, parentNode, selectedNode } from '../state.js';
import { follow } from './tree.js';

import { FINDING_KEYS } from './findings.js';

type Of = Pane<Inspector, PaneId>;

/** Findings about a node: the one gone to first, then the others at the same path. */
export function findingsAt({ findings }: InspectorModel, node: TreeNode | null, findingAt: number | null): readonly FindingView[] {
  const current = findingAt === null ? undefined : findings[findingAt];
  const here = findings.filter((finding) => finding.path === node?.path);
  // the finding gone to may be about something below the deepest node that was decoded
  const about = current?.path != null && node !== null && (current.path === node.path || current.path.startsWith(`${node.path}/`));
  return current === undefined || !about ? here : [current, ...here.filter((finding) => finding !== current)];
}

/** Whose the session or file is that the node is of, or a part of; '' where nobody knows. */
function ownerOf({ handovers }: InspectorModel, path: string): string {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/'))))
    for (const { owners } of handovers) {
      const owner = owners.byPath.get(at);
      if (owner !== undefined) return labelOf(owner);
    }
  return '';
}

const linesOf = lastOf((model: InspectorModel, node: TreeNode, parent: TreeNode | null, findingAt: number | null, width: number): readonly Line[] =>
  detailLines(
    node,
    parent,
    model.memory,
    findingsAt(model, node, findingAt),
    width,
    (address) => model.addresses().telescope(address),
    ownerOf(model, node.path),
  ),
);

/** The lines about the selected node, or about the dump. */
function detailOf(state: Inspector, width: number): readonly Line[] {
  if (onOverview(state.place)) return overviewLines(state.model, width);
  const node = selectedNode(state);
  return node === null ? [] : linesOf(state.model, node, parentNode(state), state.findingAt, width);
}

/** The answer first: the verdict, the worst finding and what follows from it, then what the dump is. */
const overviewLines = lastOf((model: InspectorModel, width: number): readonly Line[] => {
  const { headline, findings } = model;
  const sign = headline.severity === 'good' ? '' : `${headline.severity === 'error' ? '!' : headline.severity === 'warning' ? '?' : 'i'} `;
  const out: Line[] = wrap(`${sign}${headline.text}`, width, 2).map((row) => line(row, headline.severity === 'info' ? 'title' : headline.severity));
  const worst = findings.find(({ severity }) => severity !== 'info');
  if (worst !== undefined && worst.message !== headline.text) {
    for (const row of wrap(`because: ${worst.message}`, width, 2)) out.push(line(row));
    if (worst.reaction !== null && worst.severity === 'error') for (const row of wrap(worst.reaction, width, 2)) out.push(line(`${row}`, 'dim'));
  }
  out.push(line(''));
  for (const text of model.overview) for (const row of wrap(text, width, 2)) out.push(line(row));
  return out;
});

export const detailPane: Of = {
  id: 'detail',
  content: (state, box) => {
    const lines = detailOf(state, box.width);
    const below = lines.length - state.detailTop - box.height;
    return {
      title: onOverview(state.place) ? 'overview' : 'detail',
      note: below > 0 ? `${below} more ↓` : '',
      rows: lines.slice(state.detailTop, state.detailTop + box.height),
    };
  },
  move: (state, motion, box, count) => ({
    ...state,
    detailTop: scrollText(state.detailTop, rowsOf(motion, box.height) * count, detailOf(state, box.width).length, box.height),
  }),
  enter: follow,
  keys: FINDING_KEYS,
};
