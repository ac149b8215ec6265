/** docs/screens/*.svg: real screens of the terminal UI on what ships in samples/, for the README. */
import { loadDump } from '../../src/cli/load-dump.js';
import { EngineClient } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import { inspectorModelOf } from '../../src/tui/inspector/from-report.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import type { Program } from '../../src/tui/model/program.js';
import { cellsOf } from '../../src/tui/terminal/cells.js';
import { svgOf } from '../../src/tui/terminal/svg.js';

const SIZE = { columns: 120, rows: 34 };

/** The screen after `keys`, with what runs in the background done after each. */
function screenAfter<S>(program: Program<S>, keys: readonly string[], title: string): string {
  const rest = (state: S): S => {
    const next = program.work(state);
    return next === null ? state : rest(next);
  };
  let state = rest(program.initial(SIZE));
  for (const key of keys) state = rest(program.key(state, key).state);
  return svgOf(cellsOf(program.screen(state), SIZE), title);
}

/** By path from the repository's root. */
export async function screens(): Promise<Readonly<Record<string, string>>> {
  const { opened, report } = await loadDump('samples/failed/pfn/s1-frozen.sparse.elf.xz');
  const inspector = inspectorProgram(inspectorModelOf(report));
  const scenario = await readScenario('samples/scenarios/count.yaml');
  const debug = debuggerProgram(EngineClient.ofScenario(scenario, { logReads: true }));
  try {
    return {
      'docs/screens/inspector.svg': screenAfter(inspector, [], 'the inspector on a dump with a damaged folio: the verdict, its cause, the tree, the bytes'),
      'docs/screens/finding.svg': screenAfter(inspector, [']'], 'a finding: its node, what the kernel does about it, its bytes'),
      'docs/screens/map.svg': screenAfter(inspector, ['6'], 'physical memory as a map'),
      'docs/screens/cause.svg': screenAfter(debug, ['F', 'F'], 'the debugger: F twice leads from the refused call to the write that caused it'),
    };
  } finally {
    opened.close();
  }
}
