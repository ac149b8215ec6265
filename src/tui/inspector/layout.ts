/** How the inspector's panes share the screen: below 100 columns, up to 115, and from there on. Pure. */
import { lastOf } from '../model/last-of.js';
import { type Band, type Size, alone } from '../model/screen.js';
import type { Shell } from '../model/shell.js';

/** Headings of the inspector's help. */
export const TREE = 'Tree';
export const GO = 'Addresses and places';
export const FINDINGS = 'Findings';

/** In the order of their numbers. */
export type PaneId = 'tree' | 'detail' | 'hex' | 'findings' | 'sessions' | 'map' | 'log' | 'objects' | 'snapshots';

/** Panes that share the place at the bottom: of a dump, and of a kvm_run page. */
const OF_DUMPS: readonly PaneId[] = ['findings', 'sessions', 'map', 'log', 'objects'];
const OF_SNAPSHOTS: readonly PaneId[] = ['findings', 'snapshots'];
export const BOTTOM: readonly PaneId[] = [...OF_DUMPS, 'snapshots'];

export const bottomOf = ({ series }: { readonly series: object | null }): readonly PaneId[] => (series === null ? OF_DUMPS : OF_SNAPSHOTS);

/** Panes about what a dump or a snapshot cannot have. */
export const isAbsent = ({ series }: { readonly series: object | null }, id: PaneId): boolean => BOTTOM.includes(id) && !bottomOf({ series }).includes(id);

/** What the layout depends on. */
export interface Laid {
  readonly shell: Shell<PaneId>;
  readonly model: {
    readonly findings: readonly { readonly severity: string }[];
    readonly series: { readonly labels: readonly unknown[] } | null;
    readonly objects: readonly unknown[];
    readonly handovers: readonly { readonly luo: { readonly sessions: readonly { readonly files: readonly unknown[] }[] | null } | null }[];
  };
  /** are notes shown one by one? */
  readonly notesOpen: boolean;
  /** the pane shown in the place at the bottom */
  readonly bottom: PaneId;
}

/** Columns that 16 bytes a row take. */
const HEX = 75;

const bandsOf = lastOf((size: Size, focus: PaneId, model: Laid['model'], bottom: PaneId, notesOpen: boolean): readonly Band<PaneId>[] => {
  const body = size.rows - 2;
  const strip = 1 + stripRows(body, focus, model, bottom, notesOpen);
  const upper = body - strip;
  return [
    ...upperBands(size.columns, upper),
    { height: strip, columns: [{ width: size.columns, panes: [{ id: bottom, height: strip, tabs: bottomOf(model) }] }] },
  ];
});

export const inspectorBands = ({ shell: { size, focus, zoom }, model, bottom, notesOpen }: Laid): readonly Band<PaneId>[] =>
  zoom ? alone(size, focus) : bandsOf(size, focus, model, bottom, notesOpen);

/** Rows that a list has, its heading included, as far as `most`; a map and a log take what there is. */
function listed(bottom: PaneId, { series, objects, handovers }: Laid['model'], most: number): number {
  if (bottom === 'snapshots') return series?.labels.length ?? 0;
  if (bottom === 'objects') return objects.length;
  if (bottom !== 'sessions') return Number.POSITIVE_INFINITY;
  let rows = 1;
  // of very many sessions each is read again
  for (const { luo } of handovers)
    for (const { files } of luo?.sessions ?? []) {
      rows += Math.max(1, files.length);
      if (rows >= most) return rows;
    }
  return rows;
}

/** Rows of the pane at the bottom: few until it has the focus. */
function stripRows(body: number, focus: PaneId, model: Laid['model'], bottom: PaneId, notesOpen: boolean): number {
  if (bottom !== 'findings') {
    const few = Math.max(3, Math.floor(body / 5));
    const most = Math.floor(body * 0.6);
    return focus === bottom ? Math.max(few, Math.min(most, listed(bottom, model, most))) : few;
  }
  const focused = focus === 'findings';
  const most = focused ? Math.floor(body / 2) : Math.max(2, Math.floor(body / 6));
  // the finding under the cursor is shown whole, which takes some rows more
  const { length } = notesOpen ? model.findings : model.findings.filter(({ severity }) => severity !== 'info');
  const rows = notesOpen || length === model.findings.length ? length : length + 1;
  return Math.min(Math.max(1, rows) + (focused ? 4 : 0), most);
}

function upperBands(columns: number, height: number): Band<PaneId>[] {
  if (columns >= 100 && columns < 116 && height >= 16) {
    // no room for 16 bytes a row beside the tree: the bytes go below it
    const hex = Math.max(6, Math.floor(height * 0.35));
    const left = Math.round(columns * 0.44);
    return [
      {
        height: height - hex,
        columns: [
          { width: left, panes: [{ id: 'tree', height: height - hex }] },
          { width: columns - left - 1, panes: [{ id: 'detail', height: height - hex }] },
        ],
      },
      { height: hex, columns: [{ width: columns, panes: [{ id: 'hex', height: hex }] }] },
    ];
  }
  const wide = columns >= 116 ? Math.min(columns - HEX - 1, Math.round(columns * 0.42)) : Math.round(columns * 0.42);
  const left = Math.max(20, Math.min(90, wide));
  const detail = Math.min(24, Math.ceil(height * 0.52));
  return [
    {
      height,
      columns: [
        { width: left, panes: [{ id: 'tree', height }] },
        {
          width: columns - left - 1,
          panes: [
            { id: 'detail', height: detail },
            { id: 'hex', height: height - detail },
          ],
        },
      ],
    },
  ];
}
