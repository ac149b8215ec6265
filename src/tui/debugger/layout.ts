/** How the debugger's panes share the screen: all of them where there is room, else the ones below share one place. Pure. */
import { type Band, type PaneBox, type Size, alone, boxOf } from '../model/screen.js';
import type { DebuggerPane } from './keys.js';

export interface LayoutInput {
  readonly size: Size;
  readonly focus: DebuggerPane;
  readonly zoom: boolean;
  /** the pane last looked at in the place that several share */
  readonly slot: DebuggerPane;
}

/** Panes that share one place on a small screen. */
export const SHARED: readonly DebuggerPane[] = ['step', 'state', 'memory', 'device', 'log'];

export const isLarge = (size: Size): boolean => size.columns >= 140 && size.rows >= 36;

export function debuggerBands({ size, focus, zoom, slot }: LayoutInput): Band[] {
  if (zoom) return alone(size, focus);
  return isLarge(size) ? large(size) : small(size, slot);
}

function small(size: Size, slot: DebuggerPane): Band[] {
  const height = size.rows - 2;
  const left = Math.max(18, Math.floor(size.columns * 0.4));
  const program = Math.ceil(height * 0.6);
  const timeline = Math.ceil(height * 0.5);
  return [
    {
      height,
      columns: [
        {
          width: left,
          panes: [
            { id: 'program', height: program },
            { id: 'stack', height: height - program },
          ],
        },
        {
          width: size.columns - left - 1,
          panes: [
            { id: 'timeline', height: timeline },
            { id: slot, height: height - timeline },
          ],
        },
      ],
    },
  ];
}

function large(size: Size): Band[] {
  const body = size.rows - 2;
  const log = Math.max(5, Math.floor(body / 6));
  const height = body - log;
  const left = Math.floor(size.columns * 0.24);
  // 78 columns hold 16 bytes a row
  const right = size.columns >= 190 ? 78 : 52;
  const program = Math.ceil(height * 0.65);
  const step = Math.ceil(height * 0.3);
  const state = Math.ceil(height * 0.3);
  const device = Math.max(4, Math.floor(height * 0.15));
  return [
    {
      height,
      columns: [
        {
          width: left,
          panes: [
            { id: 'program', height: program },
            { id: 'stack', height: height - program },
          ],
        },
        { width: size.columns - left - right - 2, panes: [{ id: 'timeline', height }] },
        {
          width: right,
          panes: [
            { id: 'step', height: step },
            { id: 'state', height: state },
            { id: 'device', height: device },
            { id: 'memory', height: height - step - state - device },
          ],
        },
      ],
    },
    { height: log, columns: [{ width: size.columns, panes: [{ id: 'log', height: log }] }] },
  ];
}

/** A pane's inner size; of a pane that is not on the screen, what it would have alone. */
export const debuggerBox = (input: LayoutInput, id: DebuggerPane): PaneBox =>
  boxOf(debuggerBands(input), id) ?? { width: input.size.columns, height: input.size.rows - 3 };
