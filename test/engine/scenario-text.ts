/** Short scenarios for the tests: the steps alone, one a line. */
import { EngineClient, type Step } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import type { Scenario } from '../../src/engine/scenario/types.js';

interface ScenarioHead {
  readonly kernels?: string;
  /** further keys of the head, a line each */
  readonly more?: readonly string[];
}

/** @param steps the inside of each `{ … }` */
export function scenarioOf(steps: readonly string[], { kernels = '["7.3", "7.3"]', more = [] }: ScenarioHead = {}): Scenario {
  const lines = ['schema: luo-inspect.scenario/1', 'title: test', `kernels: ${kernels}`, ...more, 'steps:', ...steps.map((step) => `  - { ${step} }`)];
  return parseScenario(`${lines.join('\n')}\n`, 'test.yaml');
}

interface Played {
  readonly client: EngineClient;
  readonly steps: readonly Step[];
  /** what each of the scenario's steps answered: '' or an errno */
  readonly answers: readonly string[];
  readonly console: readonly string[];
}

/** Runs to the end. */
export function play(steps: readonly string[], head: ScenarioHead = {}): Played {
  const client = EngineClient.ofScenario(scenarioOf(steps, head));
  client.toEnd();
  const all = Array.from({ length: client.length }, (_, index) => client.stepAt(index + 1)).filter((step): step is Step => step !== null);
  const answers = client.scenario.steps.map((step, index) => {
    const answer = all.find((one) => one.action === index && one.actor === 'agent' && one.op === step.do);
    return answer === undefined ? 'not reached' : (answer.errno ?? '');
  });
  return { client, steps: all, answers, console: client.consoleAt(client.length) };
}

/** The callbacks that were called, in order: `memfd.freeze 0x1`. */
export const callbacks = (played: Played): string[] =>
  played.steps
    .filter((step) => step.actor === 'handler' && step.phase === 'enter' && step.args.token !== undefined)
    .map((step) => `${step.op} 0x${BigInt(String(step.args.token)).toString(16)}`);
