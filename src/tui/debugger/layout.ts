/** How the debugger's panes share the screen: all of them where there is room, else several share one place. Pure. */
import { lastOf } from '../model/last-of.js';
import { type Band, type Size, alone } from '../model/screen.js';
import type { Shell } from '../model/shell.js';

/** Headings of the debugger's help. */
export const TIME = 'Time';
export const STOPS = 'Breakpoints, marks, edits';
export const LOOK = 'Look';

/** In the order of their numbers. */
export type DebuggerPane = 'program' | 'timeline' | 'stack' | 'step' | 'state' | 'memory' | 'device' | 'log';

/** What the layout depends on. */
export interface Laid {
  readonly shell: Shell<DebuggerPane>;
  /** the pane last looked at in the place that several share */
  readonly slot: DebuggerPane;
}

/** Panes that share one place on a small screen. */
export const SHARED: readonly DebuggerPane[] = ['step', 'state', 'memory', 'device', 'log'];

const isLarge = (size: Size): boolean => size.columns >= 140 && size.rows >= 36;
const isMiddle = (size: Size): boolean => size.columns >= 100 && size.rows >= 28;

const bandsOf = lastOf((size: Size, alonePane: DebuggerPane | null, slot: DebuggerPane) =>
  alonePane !== null ? alone(size, alonePane) : isLarge(size) ? large(size) : isMiddle(size) ? middle(size, slot) : small(size, slot),
);

export const debuggerBands = ({ shell: { size, focus, zoom }, slot }: Laid): readonly Band<DebuggerPane>[] => bandsOf(size, zoom ? focus : null, slot);

const programColumn = (width: number, height: number, program: number): Band<DebuggerPane>['columns'][number] => ({
  width,
  panes: [
    { id: 'program', height: program },
    { id: 'stack', height: height - program },
  ],
});

function small(size: Size, slot: DebuggerPane): Band<DebuggerPane>[] {
  const height = size.rows - 2;
  const left = Math.max(18, Math.floor(size.columns * 0.4));
  const program = Math.ceil(height * 0.6);
  const timeline = Math.ceil(height * 0.5);
  return [
    {
      height,
      columns: [
        programColumn(left, height, program),
        {
          width: size.columns - left - 1,
          panes: [
            { id: 'timeline', height: timeline },
            { id: slot, height: height - timeline, tabs: SHARED },
          ],
        },
      ],
    },
  ];
}

/** 100 to 139 columns: the timeline over the full width, and below it what a step did beside state or memory. */
function middle(size: Size, slot: DebuggerPane): Band<DebuggerPane>[] {
  const body = size.rows - 2;
  const upper = Math.ceil(body * 0.45);
  const lower = body - upper;
  const left = Math.floor(size.columns * 0.4);
  // 74 columns hold 16 bytes a row
  const side = Math.min(Math.floor(size.columns * 0.42), size.columns >= 116 ? size.columns - 75 : size.columns);
  const tabs = SHARED.filter((id) => id !== 'step');
  const shown = slot === 'step' ? 'memory' : slot;
  return [
    {
      height: upper,
      columns: [
        {
          width: left,
          panes: [
            { id: 'program', height: Math.ceil(upper * 0.6) },
            { id: 'stack', height: upper - Math.ceil(upper * 0.6) },
          ],
        },
        { width: size.columns - left - 1, panes: [{ id: 'timeline', height: upper }] },
      ],
    },
    {
      height: lower,
      columns: [
        { width: side, panes: [{ id: 'step', height: lower }] },
        { width: size.columns - side - 1, panes: [{ id: shown, height: lower, tabs }] },
      ],
    },
  ];
}

function large(size: Size): Band<DebuggerPane>[] {
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
        programColumn(left, height, program),
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
