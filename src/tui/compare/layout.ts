/** How two dumps side by side share the screen. Pure. */
import { type Band, alone } from '../model/screen.js';
import type { Shell } from '../model/shell.js';

/** In the order of their numbers. */
export type ComparePane = 'pairs' | 'before' | 'after' | 'differences' | 'files';

/** Panes that share the place at the bottom. */
export const BOTTOM: readonly ComparePane[] = ['differences', 'files'];

/** What the layout depends on. */
interface Laid {
  readonly shell: Shell<ComparePane>;
  readonly bottom: ComparePane;
}

/** The pane in focus gets more of the room, all of it where it is zoomed. */
export function compareBands({ shell, bottom }: Laid): Band<ComparePane>[] {
  const { size, focus, zoom } = shell;
  if (zoom) return alone(size, focus);
  const body = size.rows - 2;
  const low = Math.max(3, Math.floor(body * (focus === bottom ? 0.4 : 0.22)));
  const middle = Math.max(3, Math.floor((body - low) * (focus === 'before' || focus === 'after' ? 0.6 : 0.35)));
  const left = Math.floor((size.columns - 1) / 2);
  return [
    { height: body - low - middle, columns: [{ width: size.columns, panes: [{ id: 'pairs', height: body - low - middle }] }] },
    {
      height: middle,
      columns: [
        { width: left, panes: [{ id: 'before', height: middle }] },
        { width: size.columns - left - 1, panes: [{ id: 'after', height: middle }] },
      ],
    },
    { height: low, columns: [{ width: size.columns, panes: [{ id: bottom, height: low, tabs: BOTTOM }] }] },
  ];
}
