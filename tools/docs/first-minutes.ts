/**
 * A newcomer's first minutes: the commands that README shows, with what each prints and the screens it draws, for a handover that failed on a
 * real kernel. docs/first-minutes.txt is the whole of it, docs/screens/*.svg are its screens as pictures; `npm run check:all` plays it for real.
 */
import { loadDump } from '../../src/cli/load-dump.js';
import { openStepping } from '../../src/cli/step.js';
import { diagnoseText } from '../../src/report/diagnose-text.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import { inspectorModelOf } from '../../src/tui/inspector/from-report.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import type { Program } from '../../src/tui/model/program.js';
import { type CellRow, cellsOf } from '../../src/tui/terminal/cells.js';
import { svgOf } from '../../src/tui/terminal/svg.js';

export const SIZE = { columns: 120, rows: 34 };
const DUMP = 'samples/failed/pfn/s1-frozen.sparse.elf.xz';

interface Screen {
  readonly keys: readonly string[];
  /** of the picture in docs/screens, without its ending */
  readonly name: string;
  /** read out in place of the picture */
  readonly title: string;
}

export interface Minute {
  readonly command: string;
  readonly screens?: readonly Screen[];
  /** lines that stand in what it prints, where the rest differs from machine to machine */
  readonly prints?: readonly string[];
}

export const CLONE = 'git clone "$repository" luo-inspect && cd luo-inspect';
export const INSPECT: Minute = {
  command: `npm install && npx luo-inspect ${DUMP}`,
  screens: [{ keys: [], name: 'inspector', title: 'the inspector on a handover that failed: the verdict, its cause, the tree, the bytes' }],
};
export const TESTS: Minute = { command: 'npm cit', prints: ['biome: passed', 'tsc: passed', 'depcruise: passed', 'vitest: passed'] };
export const ANSWER: Minute = { command: `npx luo-inspect diagnose ${DUMP}` };
export const STEP: Minute = {
  command: `npx luo-inspect step ${DUMP}`,
  screens: [
    { keys: ['F'], name: 'cause', title: 'the debugger after F: the call that failed, and because of what' },
    { keys: ['F'], name: 'bytes', title: 'F again: the bytes that it read, as they came with the dump' },
    { keys: ['e', 'enter'], name: 'mended', title: 'e and Enter: one bit mended, and all five files come back' },
  ],
};

/** What the screen shows after the keys of each, with what runs in the background done. */
function* drawn<S>(program: Program<S>, screens: readonly Screen[]): Iterable<readonly [Screen, readonly CellRow[]]> {
  const rest = (state: S): S => {
    const next = program.work(state);
    return next === null ? state : rest(next);
  };
  let state = rest(program.initial(SIZE));
  for (const screen of screens) {
    for (const key of screen.keys) state = rest(program.key(state, key).state);
    yield [screen, cellsOf(program.screen(state), SIZE)];
  }
}

const textOf = (rows: readonly CellRow[]): string[] => rows.map(({ chars }) => chars.join('').trimEnd());

async function play(): Promise<Readonly<Record<string, string>>> {
  const files: Record<string, string> = {};
  const out = [`$ ${CLONE}`];
  const show = <S>(program: Program<S>, { command, screens = [] }: Minute): void => {
    out.push(`$ ${command}`);
    for (const [{ keys, name, title }, rows] of drawn(program, screens)) {
      if (keys.length > 0) out.push(`[${keys.join(' ')}]`);
      out.push(...textOf(rows));
      files[`docs/screens/${name}.svg`] = svgOf(rows, title);
    }
  };
  const { opened, report } = await loadDump(DUMP);
  show(inspectorProgram(inspectorModelOf(report)), INSPECT);
  out.push(`$ ${TESTS.command}`, ...(TESTS.prints ?? []));
  out.push(`$ ${ANSWER.command}`, ...diagnoseText(report, report.findings, { width: SIZE.columns, color: false, accepted: [] }));
  opened.close();
  const stepping = await openStepping(DUMP, {});
  show(debuggerProgram(stepping.client), STEP);
  stepping.opened.close();
  files['docs/first-minutes.txt'] = `${out.join('\n')}\n`;
  return files;
}

let played: ReturnType<typeof play> | null = null;

/** One of the files that are made of it, by path from the repository's root. */
export const firstMinutes = (path: string) => async (): Promise<string> => {
  played ??= play();
  return (await played)[path] ?? '';
};

export const FIRST_MINUTES = [
  'docs/first-minutes.txt',
  ...[INSPECT, STEP].flatMap(({ screens = [] }) => screens.map(({ name }) => `docs/screens/${name}.svg`)),
];
