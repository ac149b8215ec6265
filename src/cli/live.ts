/** `luo-inspect live`: a scenario as real system calls of this machine's kernel, each confirmed first; with `--compare`, the engine beside it. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { UserError } from '../codec/user-error.js';
import { loadLibc } from '../device/libc.js';
import { EngineClient } from '../engine/client.js';
import { argsOf } from '../engine/run/agent.js';
import { readScenario } from '../engine/scenario/parse.js';
import type { Scenario, ScenarioStep } from '../engine/scenario/types.js';
import { shownArg } from '../engine/trace/step.js';
import { LiveRun, resultText, simulatedResults } from '../live/live-run.js';
import { readState, type StepRecord, writeState } from '../live/live-agent.js';
import { escapeText } from '../report/escape.js';
import type { Companion } from '../tui/open.js';
import { writeLines } from './output.js';
import { onTerminal, wantsColor } from './terminal.js';

interface Options {
  readonly compare?: boolean;
  readonly yes?: boolean;
  readonly allowKexec?: boolean;
  readonly state?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly json?: boolean;
  readonly step?: boolean;
  /** false with --no-color */
  readonly color?: boolean;
}

export async function runLive(path: string, options: Options): Promise<void> {
  const scenario = await readScenario(path);
  if (!existsSync('/dev/liveupdate'))
    throw new UserError(
      '/dev/liveupdate: not there; this needs Linux 6.19 or later with CONFIG_LIVEUPDATE, booted with kho=on liveupdate=on (`luo-inspect preflight` says what lacks)',
    );
  if (options.step === true && !onTerminal()) throw new UserError('--step opens the debugger, and standard output is no terminal; leave it out, or add --yes');
  if (options.yes !== true && process.stdin.isTTY !== true) throw new UserError('live asks before each step, and standard input is no terminal; add --yes');
  const libc = await loadLibc();
  const statePath = options.state ?? `${path}.state`;
  const scenarioHash = createHash('sha256').update(readFileSync(path)).digest('hex');
  const before = readState(statePath, scenarioHash);
  const kernel = before === null ? 0 : before.kernel + 1;
  const image =
    options.kernel === undefined
      ? null
      : { kernel: options.kernel, initrd: options.initrd ?? null, cmdline: options.append ?? readFileSync('/proc/cmdline', 'utf8').trimEnd() };
  const run = new LiveRun(
    scenario,
    libc,
    {
      pageSize: libc.getpagesize().ret,
      image,
      allowKexec: options.allowKexec === true,
      beforeJump: (done) => writeState(statePath, { scenario: scenarioHash, kernel, done }),
    },
    before?.done ?? [],
  );
  if (options.step === true) {
    await inDebugger(scenario, path, run, options, () => rmSync(statePath, { force: true }));
    if (run.next === null) rmSync(statePath, { force: true });
    await conclude(scenario, run.done, run.next === null, { ...options, compare: true });
    return;
  }
  const ask = options.yes === true ? null : confirmer();
  try {
    for (let step = run.next; step !== null; step = run.next) {
      if (ask !== null && !(await ask(stepText(scenario, step)))) break;
      const record = run.step();
      // The jump did not happen: there is nothing to go on from.
      if (step.do === 'kexec') rmSync(statePath, { force: true });
      await writeLines([options.json === true ? recordJson(step, record, kernel) : recordText(scenario, step, record)]);
    }
  } finally {
    ask?.close();
  }
  if (run.next === null) rmSync(statePath, { force: true });
  await conclude(scenario, run.done, run.next === null, options);
}

/** The debugger with this machine's kernel as its companion. What was carried out before a jump is where it begins. */
async function inDebugger(scenario: Scenario, path: string, run: LiveRun, options: Options, notJumped: () => void): Promise<void> {
  const simulated = simulatedResults(scenario);
  const client = EngineClient.ofScenario(scenario, { logReads: true });
  const last = run.done.at(-1)?.index;
  for (let at = -1; last !== undefined && at < last && client.toAction(1) !== null; at = client.actionAt(client.position) ?? last);
  const companion: Companion = {
    next: () => (run.next === null ? null : stepText(scenario, run.next)),
    perform: () => {
      const step = run.next;
      const { index, result, why } = run.step();
      if (step?.do === 'kexec') notJumped();
      const engine = simulated[index] ?? null;
      return {
        action: index,
        real: result === null ? (why ?? 'not asked') : resultText(result),
        engine: resultText(engine),
        differs: result !== null && engine !== result,
      };
    },
  };
  const { identityOf, openDebugger } = await import('../tui/open.js');
  await openDebugger(client, { color: wantsColor(options), identity: identityOf(path, 'debugger'), source: readFileSync(path, 'utf8'), companion });
}

async function conclude(scenario: Scenario, done: readonly StepRecord[], ended: boolean, { compare = false, json = false }: Options): Promise<void> {
  const failed = done.filter(({ why, result }) => why !== null && result !== null);
  const untried = done.filter(({ result }) => result === null);
  const simulated = compare ? simulatedResults(scenario) : null;
  const differing = simulated === null ? [] : done.filter(({ index, result }) => result !== null && (simulated[index] ?? null) !== result);
  if (json) {
    await writeLines([
      JSON.stringify({
        end: true,
        outcome: ended ? 'finished' : 'aborted',
        expectationsMet: failed.length === 0,
        notAsked: untried.length,
        differences: differing.map(({ index, result }) => ({ index, live: resultText(result), simulated: resultText(simulated?.[index] ?? null) })),
      }),
    ]);
  } else {
    const rows = differing.map(({ index, result }) => {
      const step = scenario.steps[index];
      return `:${step?.position.line ?? 0} ${step?.do ?? ''}: this kernel ${resultText(result)}, the engine ${resultText(simulated?.[index] ?? null)}`;
    });
    await writeLines([
      ...rows,
      `${ended ? 'finished' : 'stopped'} after ${done.length} of ${scenario.steps.length} steps; ${failed.length} not as expected, ${untried.length} not asked${simulated === null ? '' : `, ${differing.length} other than the engine`}`,
    ]);
  }
  if (failed.length > 0 || differing.length > 0) process.exitCode = 1;
}

const stepText = (_: Scenario, step: ScenarioStep): string =>
  [step.do, ...Object.entries(argsOf(step)).map(([key, value]) => `${key}=${String(shownArg(key, value))}`)].map(escapeText).join(' ');

const recordText = (scenario: Scenario, step: ScenarioStep, { result, why }: StepRecord): string =>
  `${result === null ? 'skip' : why === null ? 'ok  ' : 'FAIL'} :${step.position.line} ${stepText(scenario, step)} = ${resultText(result)}${why === null ? '' : `  ${escapeText(why)}`}`;

const recordJson = (step: ScenarioStep, { index, result, why }: StepRecord, kernel: number): string =>
  JSON.stringify({ step: index + 1, kernel, actor: 'agent', op: step.do, result, errno: result === null || result === 0 ? null : resultText(result), why });

interface Confirmer {
  (question: string): Promise<boolean>;
  close(): void;
}

/** y: this one; a: this and all that follow; anything else: stop. */
function confirmer(): Confirmer {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  let all = false;
  const ask = async (question: string): Promise<boolean> => {
    if (all) return true;
    const answer = (await lines.question(`${question} ? [y]es, [a]ll, [q]uit: `)).trim().toLowerCase();
    all = answer === 'a';
    return all || answer === 'y';
  };
  return Object.assign(ask, { close: () => lines.close() });
}
