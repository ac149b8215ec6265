/**
 * The way into the terminal UI. Ink, React and chalk read the environment when they are imported, so it is set here first
 * and they are loaded only now.
 */
import type { EngineClient } from '../engine/client.js';
import { escapeText } from '../report/escape.js';
import type { CompareModel } from './compare/state.js';
import type { ExploreModel, ExploreRow } from './explore/view.js';
import type { Companion } from './debugger/companion.js';
import type { InspectorModel } from './inspector/state.js';
import type { Size } from './model/screen.js';
import type { Loading } from './terminal/loading.js';

export type { CompareModel } from './compare/state.js';
export type { Companion } from './debugger/companion.js';
export type { InspectorModel } from './inspector/state.js';

interface OpenOptions {
  /** false where the user asked for none (NO_COLOR, --no-color) */
  readonly color: boolean;
  /** what the file is known by (`identityOf`), for what is kept of the user's session; nothing is kept without it */
  readonly identity?: string | null;
  /** the screen that was shown while the dump was opened */
  readonly loading?: Loading | null;
}

/** React's development build prints warnings into the screen, and is slow. */
function prepareEnvironment(): void {
  Object.assign(process.env, { NODE_ENV: 'production' });
}

/**
 * Opens the full-screen inspector on standard input and output, which must be terminals.
 * @returns when the user quits; the terminal is then as it was
 * @throws what went wrong inside, after the terminal was restored
 */
export async function openInspector(model: InspectorModel, options: OpenOptions & { readonly beside?: Beside }): Promise<void> {
  prepareEnvironment();
  const [{ runProgram }, { inspectorProgram }] = await Promise.all([import('./terminal/run.js'), import('./inspector/view.js')]);
  const program = inspectorProgram(model);
  let left = await runProgram(program, options, options.loading ?? null);
  while (left.diff !== null && options.beside !== undefined) {
    const { state } = left;
    let said: string | null = null;
    try {
      await options.beside(left.diff, async (compared) => await openComparison(compared, { color: options.color }));
    } catch (error) {
      said = error instanceof Error ? escapeText(error.message) : String(error);
    }
    const back = (size: Size) => {
      const there = program.resize(state, size);
      return said === null ? there : (program.told?.(there, said) ?? there);
    };
    // where it was left, with everything as it was there
    left = await runProgram({ ...program, initial: back, restored: (there) => there }, options);
  }
}

/**
 * Opens another dump beside the one that is inspected, shows both, and closes it again.
 * @throws Error whose message says in a line why it cannot
 */
type Beside = (path: string, show: (model: CompareModel) => Promise<void>) => Promise<void>;

/** Opens the list of what was explored, and one run after the other that is chosen in it. @param run opens the debugger on a row's run */
export async function openExploration(model: ExploreModel, options: OpenOptions, run: (row: ExploreRow) => Promise<void>): Promise<void> {
  prepareEnvironment();
  const [{ runProgram }, { exploreProgram }] = await Promise.all([import('./terminal/run.js'), import('./explore/view.js')]);
  const program = exploreProgram(model);
  for (let left = await runProgram(program, options, options.loading ?? null); left.open !== null; ) {
    const row = model.rows[left.open];
    if (row !== undefined) await run(row);
    const { state } = left;
    left = await runProgram({ ...program, initial: (size: Size) => program.resize(state, size) }, { color: options.color });
  }
}

/** Opens two dumps side by side; as `openInspector`. */
export async function openComparison(model: CompareModel, options: OpenOptions): Promise<void> {
  prepareEnvironment();
  const [{ runProgram }, { compareProgram }] = await Promise.all([import('./terminal/run.js'), import('./compare/view.js')]);
  await runProgram(compareProgram(model), options, options.loading ?? null);
}

/**
 * Opens the full-screen debugger on a run of the engine; as `openInspector`. A run that goes wrong is opened where it does.
 * @param options.source the scenario as it was written, for `:save` and for its comments
 * @param options.companion a real kernel that carries the same steps out, each once it is confirmed
 */
export async function openDebugger(
  client: EngineClient,
  options: OpenOptions & { readonly source?: string | null; readonly companion?: Companion },
): Promise<void> {
  prepareEnvironment();
  const [{ runProgram }, { debuggerProgram }] = await Promise.all([import('./terminal/run.js'), import('./debugger/view.js')]);
  await runProgram(debuggerProgram(client, options.source ?? null, options.companion ?? null), options, options.loading ?? null);
}

export { identityOf } from './terminal/state-file.js';
