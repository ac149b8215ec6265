/** Keys pressed at random in the terminal UI, without a terminal: what it draws is held against the same rules as printed text. */
import type { EngineClient } from '../../src/engine/client.js';
import type { SnapshotFiles } from '../../src/kvm/snapshot-files.js';
import type { DumpReport } from '../../src/report/dump-report.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import { inspectorModelOf } from '../../src/tui/inspector/from-report.js';
import { snapshotsModelOf } from '../../src/tui/inspector/from-snapshots.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import type { Program } from '../../src/tui/model/program.js';
import { textOf, widthOf } from '../../src/tui/model/text.js';
import type { Random } from '../random.js';

const KEYS = [
  ...'jklhgGzZtfFnNmMoOpPbBsSrRdDeEcCwWxXvVyYuUiIaA/:?<>=+-*.,;012359[](){}%$#@!&~ '.split(''),
  'up',
  'down',
  'left',
  'right',
  'home',
  'end',
  'pageup',
  'pagedown',
  'enter',
  'enter',
  'esc',
  'esc',
  'tab',
  'shift-tab',
  'backspace',
  'space',
  'ctrl-d',
  'ctrl-u',
  'ctrl-r',
] as const;

/** Slices of background work a key is given. */
const MOST_WORK = 40;

/** Every line drawn after each of some keys. Throws where a line is wider than its place. */
function* drawn<S>(program: Program<S>, random: Random): Iterable<string> {
  let state = program.initial({ columns: 40 + random.below(120), rows: 10 + random.below(50) });
  for (let left = 1 + random.below(25); left > 0; left--) {
    for (let slices = 0; slices < MOST_WORK; slices++) {
      const next = program.work(state);
      if (next === null) break;
      state = next;
    }
    if (random.below(20) === 0) state = program.resize(state, { columns: 1 + random.below(200), rows: 1 + random.below(60) });
    else state = program.key(state, random.pick(KEYS)).state;
    const screen = program.screen(state);
    for (const line of [screen.header, ...screen.above, screen.footer]) yield textOf(line);
    for (const { columns } of screen.bands)
      for (const { width, rows } of columns)
        for (const row of rows) {
          const text = textOf(row);
          if (widthOf(text) > width) throw new Error(`a line of ${widthOf(text)} columns in a pane of ${width}: ${JSON.stringify(text)}`);
          yield text;
        }
  }
}

export const playInspector = (report: DumpReport, random: Random): Iterable<string> => drawn(inspectorProgram(inspectorModelOf(report)), random);
export const playDebugger = (client: EngineClient, source: string, random: Random): Iterable<string> => drawn(debuggerProgram(client, source), random);
export const playKvm = (files: SnapshotFiles, random: Random): Iterable<string> => drawn(inspectorProgram(snapshotsModelOf(files)), random);
