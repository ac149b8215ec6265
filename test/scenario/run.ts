/** Runs a scenario to its end for the tests, and says what each of its steps answered. */
import { type RunEnd, ScenarioRun } from '../../src/engine/run/scenario-run.js';
import { runThrough } from '../../src/engine/machine.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import type { Scenario, ScenarioStep } from '../../src/engine/scenario/types.js';
import type { Step } from '../../src/engine/trace/step.js';

export interface Performed {
  readonly step: ScenarioStep;
  /** the agent's own step of the trace; null where it was never carried out */
  readonly answer: Step | null;
  /** console lines written while it was carried out */
  readonly log: readonly string[];
}

export interface Run {
  readonly scenario: Scenario;
  readonly end: RunEnd;
  readonly trace: readonly Step[];
  readonly performed: readonly Performed[];
}

export async function runFile(path: string): Promise<Run> {
  return runScenario(await readScenario(path));
}

function runScenario(scenario: Scenario): Run {
  const run = new ScenarioRun(scenario);
  const end = runThrough(run.steps());
  const trace = Array.from({ length: run.machine.trace.length }, (_, index) => run.machine.trace.get(index + 1));
  const byAction = new Map<number, Step[]>();
  for (const step of trace) if (step.action !== null) byAction.set(step.action, [...(byAction.get(step.action) ?? []), step]);
  const performed = scenario.steps.map((step): Performed => {
    const steps = byAction.get(step.index) ?? [];
    return { step, answer: steps.find((one) => one.actor === 'agent' && one.op === step.do) ?? null, log: steps.flatMap((one) => one.log) };
  });
  return { scenario, end, trace, performed };
}
