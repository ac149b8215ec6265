/** How the panes of the kvm_run view share the screen. Pure. */
import { type Band, type PaneBox, alone, boxOf } from '../model/screen.js';
import type { Shell } from '../model/shell.js';

/** In the order of their numbers. */
export type KvmPane = 'payload' | 'explanation' | 'hex' | 'snapshots';

/** What the layout depends on. */
interface Laid {
  readonly shell: Shell<KvmPane>;
  readonly model: { readonly count: number };
}

/** Wide: payload, hex and explanation beside each other; narrow: explanation above hex. Snapshots below, where there are several. */
export function kvmBands({ shell, model }: Laid): Band<KvmPane>[] {
  const { size, focus, zoom } = shell;
  if (zoom) return alone(size, focus);
  const body = size.rows - 2;
  const most = focus === 'snapshots' ? Math.floor(body / 2) : Math.max(2, Math.floor(body / 5));
  const strip = model.count > 1 ? 1 + Math.min(model.count, most) : 0;
  const upper = body - strip;
  const bands: Band<KvmPane>[] = [{ height: upper, columns: size.columns >= 150 ? wide(size.columns, upper) : narrow(size.columns, upper) }];
  if (strip > 0) bands.push({ height: strip, columns: [{ width: size.columns, panes: [{ id: 'snapshots', height: strip }] }] });
  return bands;
}

function wide(columns: number, height: number): Band<KvmPane>['columns'] {
  const hex = 78;
  const left = Math.floor((columns - hex - 2) / 2);
  return [
    { width: left, panes: [{ id: 'payload', height }] },
    { width: hex, panes: [{ id: 'hex', height }] },
    { width: columns - left - hex - 2, panes: [{ id: 'explanation', height }] },
  ];
}

function narrow(columns: number, height: number): Band<KvmPane>['columns'] {
  const left = Math.floor(columns / 2);
  const top = Math.ceil(height * 0.58);
  return [
    { width: left, panes: [{ id: 'payload', height }] },
    {
      width: columns - left - 1,
      panes: [
        { id: 'explanation', height: top },
        { id: 'hex', height: height - top },
      ],
    },
  ];
}

export const kvmBox = (state: Laid, id: KvmPane): PaneBox =>
  boxOf(kvmBands(state), id) ?? { width: state.shell.size.columns, height: state.shell.size.rows - 3 };
