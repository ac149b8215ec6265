/** `sim --device kvm`: the scenario's virtual machine on this machine's /dev/kvm; with `--compare`, beside the simulated one. */
import { errnoName, errnoText } from '../../abi/errno.js';
import { type KvmCapabilities, kvmCapabilitiesHere, openKvm } from '../device/kvm/real-kvm.js';
import { argsOf } from '../engine/run/agent.js';
import { mismatchOf } from '../engine/run/expectation.js';
import type { KvmScenarioStep, Scenario } from '../engine/scenario/types.js';
import { exitFields } from '../engine/vcpu/exit-fields.js';
import { kvmStepsOf } from '../engine/vcpu/kvm-agent.js';
import { type KvmStepResult, NO_VM, compareKvmResults, lackOf, missedBy, runKvmSteps } from '../engine/vcpu/steps.js';
import { SimulatedKvm } from '../engine/vcpu/simulated-kvm.js';
import { shownArg } from '../engine/trace/step.js';
import { summarise } from '../kvm/explain.js';
import { decodeSnapshot } from '../kvm/snapshot.js';
import { escapeText } from '../report/escape.js';
import { snapshotJson, snapshotText } from '../report/kvm-text.js';
import { writeLines } from './output.js';
import { tell } from './messages.js';

interface SimKvmOptions {
  readonly json?: boolean;
  readonly compare?: boolean;
  readonly verbose?: boolean;
}

/** @throws UserError where the scenario has steps of another kind, or /dev/kvm can't be used */
export async function runSimOnKvm(scenario: Scenario, options: SimKvmOptions): Promise<void> {
  const steps = kvmStepsOf(scenario.file, scenario.steps).map((step) => ({ ...step }));
  const here = await kvmCapabilitiesHere();
  const lacks = lacksOf(steps, here);
  for (const [index, why] of lacks) tell(`${place(scenario, steps[index])}${steps[index]?.do}: ${why}; it is not tried`);
  const real: KvmStepResult[] = [];
  for await (const result of runKvmSteps(steps, openKvm, (step) => lackOf(step, here))) real.push(result);
  if (options.compare === true) {
    const simulated: KvmStepResult[] = [];
    for await (const result of runKvmSteps(steps, (kind) => new SimulatedKvm(kind))) simulated.push(result);
    await compare(scenario, steps, simulated, real, options);
    return;
  }
  const failures = real.map((result) => failureOf(steps[result.index], result));
  await writeLines(options.json === true ? jsonLines(steps, real, failures) : textLines(scenario, steps, real, failures, options));
  if (failures.some((failure) => failure !== null)) process.exitCode = 1;
}

const lacksOf = (steps: readonly KvmScenarioStep[], here: KvmCapabilities): readonly (readonly [number, string])[] =>
  steps.flatMap((step, index) => {
    const why = lackOf(step, here);
    return why === null ? [] : [[index, why] as const];
  });

const place = ({ file }: Scenario, step: KvmScenarioStep | undefined): string => (step === undefined ? '' : `${file}:${step.position.line}: `);

/** What the step answered: 0 or a negative errno. */
const resultOf = ({ call, refused }: KvmStepResult): number | null => (refused !== null ? null : call === null || call.errno === 0 ? 0 : -call.errno);

/** Why the step is not what the scenario expects; null where it is. */
function failureOf(step: KvmScenarioStep | undefined, result: KvmStepResult): string | null {
  if (step === undefined) return null;
  if (result.refused !== null) return result.refused;
  const missed = missedBy(result);
  if (missed !== null) return missed;
  const answer = { result: resultOf(result) ?? 0, ret: result.call?.ret ?? 0, fd: null, name: null, signal: null };
  const mismatch = mismatchOf(step, answer, { bodyOf: () => null, closeOnExec: () => false }, 0);
  return mismatch === null ? null : `expected ${mismatch.expected}, got ${mismatch.got}`;
}

function* jsonLines(steps: readonly KvmScenarioStep[], results: readonly KvmStepResult[], failures: readonly (string | null)[]): Iterable<string> {
  let number = 0;
  const line = (actor: string, op: string, args: object, result: number | null, rest: object): string =>
    JSON.stringify({
      step: ++number,
      kernel: 0,
      actor,
      op,
      phase: 'event',
      args,
      result,
      errno: result === null || result === 0 ? null : errnoName(-result),
      ...rest,
    });
  for (const result of results) {
    for (const run of result.runs) {
      const { reason, fields } = exitFields(run);
      const snapshot = snapshotJson(decodeSnapshot(run.page, { arch: 'x86_64', errno: run.errno }));
      yield line('kernel', 'KVM_RUN', { exit: reason, ...fields, rax: run.rax === null ? null : `0x${run.rax.toString(16)}` }, -run.errno, {
        log: [],
        action: result.index,
        snapshot,
      });
    }
    const step = steps[result.index];
    const shown = step === undefined ? {} : Object.fromEntries(Object.entries(argsOf(step)).map(([key, value]) => [key, shownArg(key, value)]));
    const failure = failures[result.index] ?? null;
    yield line('agent', result.step.do, shown, resultOf(result), { log: failure === null ? [] : [failure], action: result.index });
  }
  const met = failures.every((failure) => failure === null);
  yield JSON.stringify({ end: true, outcome: 'finished', expectationsMet: met });
}

function* textLines(
  scenario: Scenario,
  steps: readonly KvmScenarioStep[],
  results: readonly KvmStepResult[],
  failures: readonly (string | null)[],
  { verbose = false }: SimKvmOptions,
): Iterable<string> {
  yield `${scenario.file} on /dev/kvm`;
  for (const result of results) {
    const step = steps[result.index];
    const failure = failures[result.index] ?? null;
    const answer = result.refused !== null ? 'not tried' : (result.outcome ?? answerText(result));
    yield `${failure === null ? 'ok  ' : failure === NO_VM ? 'skip' : 'FAIL'} :${step?.position.line ?? 0} ${result.step.do} = ${answer}${failure === null ? '' : `  ${escapeText(failure)}`}`;
    for (const run of result.runs) {
      const snapshot = decodeSnapshot(run.page, { arch: 'x86_64', errno: run.errno });
      yield `       KVM_RUN = ${run.errno === 0 ? run.ret : (errnoName(run.errno) ?? run.errno)}  ${summarise(snapshot)}`;
      if (verbose) yield snapshotText(snapshot).replaceAll(/^/gm, '         ');
    }
  }
  const failed = failures.filter((failure) => failure !== null).length;
  yield failed === 0 ? `finished after ${results.length} steps; every expectation met` : `finished after ${results.length} steps; ${failed} not as expected`;
}

const answerText = ({ call }: KvmStepResult): string => (call === null ? '0' : call.errno === 0 ? String(call.ret) : errnoText(call.errno));

async function compare(
  scenario: Scenario,
  steps: readonly KvmScenarioStep[],
  simulated: readonly KvmStepResult[],
  real: readonly KvmStepResult[],
  { json = false }: SimKvmOptions,
): Promise<void> {
  const found = compareKvmResults(simulated, real);
  const differing = new Set(found.map(({ index }) => index));
  const untried = real.filter(({ refused }) => refused === NO_VM).length;
  const line = (index: number): number => steps[index]?.position.line ?? 0;
  if (json) {
    const differences = found.map(({ index, step, what, left, right }) => ({
      action: index,
      line: line(index),
      op: step.do,
      what,
      simulated: left,
      kvm: right,
    }));
    await writeLines([
      JSON.stringify({
        schema: 'luo-inspect.kvm-compare/1',
        file: scenario.file,
        steps: steps.length,
        differing: differing.size,
        notCompared: untried,
        differences,
      }),
    ]);
  } else {
    const rows = found.map(({ index, step, what, left, right }) => `:${line(index)} ${step.do}: ${what}: simulated ${shown(left)}, /dev/kvm ${shown(right)}`);
    await writeLines([
      ...rows,
      `${scenario.file}: ${differing.size} of ${steps.length} steps differ${untried === 0 ? '' : `, ${untried} are not compared: /dev/kvm gave no VM for them`}`,
    ]);
  }
  if (found.length > 0) process.exitCode = 1;
}

const shown = (text: string): string => (text === '' ? 'nothing' : escapeText(text));
