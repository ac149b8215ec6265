import { type Exploration, explore, type Shortest } from '../engine/explore/explore.js';
import { parseScenario, readScenario, scenarioText } from '../engine/scenario/parse.js';
import type { Fault, Scenario } from '../engine/scenario/types.js';
import { errnoOf } from '../engine/trace/step.js';
import { escapeText } from '../report/escape.js';
import { UserError } from '../codec/user-error.js';
import { EngineClient } from '../engine/client.js';
import { faultArgument, withFaults } from './fault-option.js';
import { withOpening } from './opening.js';
import { terminalFor, wantsColor } from './terminal.js';
import { writeJson, writeLines } from './output.js';

interface ExploreOptions {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly pairs?: number;
  readonly tui?: boolean;
  /** false with --no-color */
  readonly color?: boolean;
}

export async function runExplore(path: string, options: ExploreOptions): Promise<void> {
  if (options.tui === true) {
    await showExploration(path, options);
    return;
  }
  const scenario = await readScenario(path);
  const progress = options.json !== true && process.stderr.isTTY === true;
  const found = explored(scenario, options, (runs) => {
    if (progress && runs % 10 === 0) process.stderr.write(`\r${runs} runs`);
  });
  if (progress) process.stderr.write('\r\x1b[K');
  if (options.json === true) await writeJson(explorationToJson(scenario, found));
  else await writeLines(textOf(scenario, found));
}

const explored = (scenario: Scenario, { all = false, pairs = 0 }: ExploreOptions, onProgress: (runs: number) => void): Exploration =>
  explore(scenario, { all, pairs, onProgress });

async function showExploration(path: string, options: ExploreOptions): Promise<void> {
  const terminal = terminalFor(false);
  if (terminal === null) throw new UserError('--tui needs a terminal for input and output; without --tui the endings are printed');
  const color = wantsColor(options);
  await withOpening(
    [path],
    color,
    terminal,
    async ({ stage, loading }) => {
      const source = scenarioText(path);
      const scenario = parseScenario(source, path);
      await stage('trying every single fault');
      return { source, scenario, found: explored(scenario, options, (runs) => loading.check(`trying every single fault: ${runs} runs`)) };
    },
    async ({ source, scenario, found }, loading) => {
      const { openDebugger, openExploration } = await import('../tui/open.js');
      const rows = found.shortest.map(({ faults, ending, count }) => {
        const step = ending.action === null ? undefined : scenario.steps[ending.action];
        return {
          ending: ending.kind,
          detail: `${escapeText(ending.detail)}${step === undefined ? '' : ` at line ${step.position.line}`}`,
          faults: faults.map((fault) => escapeText(faultText(fault))).join(' and '),
          runs: count,
          given: faults.map(faultArgument),
        };
      });
      await openExploration({ path, title: `${escapeText(scenario.title || path)}: ${found.runs} runs`, rows }, { color, loading }, async (row) => {
        const client = EngineClient.ofScenario(withFaults(scenario, row.given), { logReads: true });
        await openDebugger(client, { color, source });
      });
    },
  );
}

/** What explore says of a fault: where, and which one of many. */
function faultText(fault: Fault): string {
  const more: string[] = [];
  if (fault.kind === 'flip')
    more.push('struct' in fault.where ? `${fault.where.struct}.${fault.where.field}` : `0x${fault.where.address.toString(16)}`, `jump ${fault.jump}`);
  if (fault.kind === 'kernel') {
    if (fault.release !== null) more.push(`release ${fault.release}`);
    if (fault.kho !== null) more.push(`kho=${fault.kho ? 'on' : 'off'}`);
    if (fault.liveupdate !== null) more.push(`liveupdate=${fault.liveupdate ? 'on' : 'off'}`);
  }
  if ('device' in fault && fault.device !== null) more.push(fault.device);
  if ('errno' in fault) more.push(fault.errno);
  return `${fault.at} #${fault.nth}${more.length === 0 ? '' : ` (${more.join(', ')})`}`;
}

const faultJson = (fault: Fault) => ({ at: fault.at, nth: fault.nth, errno: 'errno' in fault ? fault.errno : null, text: faultText(fault) });

function explorationToJson(scenario: Scenario, found: Exploration) {
  const stepOf = (action: number | null) => {
    const step = action === null ? undefined : scenario.steps[action];
    return step === undefined ? null : { action, line: step.position.line, do: step.do };
  };
  const one = ({ faults, ending }: Pick<Shortest, 'faults' | 'ending'>) => ({
    faults: faults.map(faultJson),
    ending: ending.kind,
    detail: ending.detail,
    at: stepOf(ending.action),
    step: ending.step,
  });
  return {
    schema: 'luo-inspect.explore/1',
    scenario: scenario.file,
    runs: found.runs,
    leftOut: found.leftOut,
    counts: found.counts,
    shortest: found.shortest.map((shortest) => ({
      ...one(shortest),
      runs: shortest.count,
      trace: shortest.trace.map(({ action, result }) => ({ ...stepOf(action), result, errno: errnoOf(result) })),
    })),
    results: found.results.map(one),
  };
}

function* textOf(scenario: Scenario, found: Exploration): Iterable<string> {
  const pairs = found.results.filter(({ faults }) => faults.length > 1).length;
  yield `${found.runs - pairs} runs with one fault${pairs === 0 ? '' : `, ${pairs} with two`}${found.leftOut === 0 ? '' : `; ${found.leftOut} more differ only by the page they hit (--all runs them too)`}`;
  for (const [kind, count] of Object.entries(found.counts)) {
    if (count === 0) continue;
    yield '';
    yield `${kind}: ${count}`;
    // What nobody notices needs no example.
    if (kind === 'unnoticed') continue;
    for (const one of found.shortest.filter(({ ending }) => ending.kind === kind)) yield* shortestLines(scenario, one);
  }
}

function* shortestLines(scenario: Scenario, { faults, ending, count, trace }: Shortest): Iterable<string> {
  const step = ending.action === null ? undefined : scenario.steps[ending.action];
  const where = step === undefined ? '' : ` at line ${step.position.line}`;
  yield `  ${escapeText(ending.detail)}${where}, after ${trace.length} operation${trace.length === 1 ? '' : 's'} (step ${ending.step})`;
  yield `    by ${faults.map((fault) => escapeText(faultText(fault))).join(' and ')}${count === 1 ? '' : `, and ${count - 1} more`}`;
}
