/**
 * Random scenarios on a real kernel through `luo-inspect live`, many around one kexec, and on the engine: every answer compared. Where they
 * differ, steps are left out as long as the same answer still differs, many attempts a boot.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { resultText, simulatedResults } from '../../src/live/live-run.js';
import { COMMAND_LINE, type CaseResult, type LabOptions, MEMORY, withShare } from './case.js';
import { setProgram, type Share } from './guest.js';
import { runGuest } from './qemu.js';
import { Random } from '../random.js';
import { type Batch, batchOf, type Origin, type PlainStep, type RandomScenario, randomScenario } from './random-scenario.js';

/** Scenarios that share a boot. */
const BATCH = 50;
/** Attempts at leaving steps out that share a boot, and boots for one difference at most. */
const ATTEMPTS = 60;
const MOST_ROUNDS = 8;
/** So many differences are made smaller; the others are of the same kinds mostly, and are listed as they are. */
const MOST_SHRUNK = 6;

interface Difference {
  readonly origin: Origin;
  readonly kernel: string;
  readonly engine: string;
}

interface Compared {
  readonly steps: number;
  readonly notAsked: number;
  readonly differences: readonly Difference[];
}

export const randomCase = (options: LabOptions): Promise<CaseResult> =>
  withShare(options, async (share) => {
    const scenarios = Array.from({ length: options.count }, (_, index) => randomScenario(index, new Random(options.seed * 100_003 + index)));
    const lines: string[] = [];
    const found: Difference[] = [];
    let steps = 0;
    let notAsked = 0;
    let run = 0;
    for (let from = 0; from < scenarios.length; from += BATCH) {
      const part = scenarios.slice(from, from + BATCH);
      const compared = await compare(share, options, part);
      if (compared === null) {
        lines.push(`scenarios ${from} to ${from + part.length - 1}: the guest did not come to their end`);
        continue;
      }
      run += part.length;
      steps += compared.steps;
      notAsked += compared.notAsked;
      found.push(...compared.differences);
      options.progress?.(`random: ${run} scenarios, ${steps} answers, ${found.length} differ`);
    }
    const kinds = new Map<string, Difference[]>();
    for (const one of found) kinds.set(kindOf(one), [...(kinds.get(kindOf(one)) ?? []), one]);
    for (const [kind, [first, ...more]] of [...kinds].slice(0, MOST_SHRUNK)) {
      if (first === undefined) continue;
      const smallest = await shrink(share, options, first);
      lines.push(`${kind}: ${more.length + 1} times; the smallest (of scenario ${first.origin.scenario.number}):`);
      for (const side of ['before', 'after'] as const) {
        if (side === 'after') lines.push('    { "do": "kexec" }');
        for (const step of smallest[side]) lines.push(`    ${JSON.stringify(step)}`);
      }
    }
    for (const [kind, all] of [...kinds].slice(MOST_SHRUNK)) lines.push(`${kind}: ${all.length} times`);
    const differing = new Set(found.map(({ origin }) => origin.scenario.number)).size;
    lines.push(
      `${run} scenarios, ${steps} answers compared, ${found.length} differ (in ${differing} scenarios), ${notAsked} steps not asked of a real machine`,
    );
    return { lines, compared: options.count, agreed: run - differing };
  });

/** Differences of one kind have the same step and the same two answers. */
const kindOf = ({ origin, kernel, engine }: Difference): string => `${origin.step.do} ${origin.side} the kexec: the kernel ${kernel}, the engine ${engine}`;

/** Null where the guest did not come to the end. */
async function compare(share: Share, options: LabOptions, scenarios: readonly RandomScenario[]): Promise<Compared | null> {
  const batch = withChecks(scenarios, options.release);
  const answers = join(share.path, 'answers');
  for (const name of ['answers', 'random.state']) rmSync(join(share.path, name), { force: true });
  writeFileSync(join(share.path, 'random.yaml'), batch.text);
  setProgram(share, [
    `/host/luo-inspect live /host/random.yaml --yes --allow-kexec --json --state /host/random.state --kernel /host/vmlinuz --initrd /host/initrd.img --append "$(cat /proc/cmdline)" >>/host/answers`,
  ]);
  const run = await runGuest(share, { kernel: options.kernel, memory: MEMORY, append: COMMAND_LINE, seconds: options.seconds });
  const lines = existsSync(answers)
    ? readFileSync(answers, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
    : [];
  if (!lines.some((line) => line.startsWith('{"end":true'))) {
    options.progress?.(`random: no end; the console ends: ${run.lines.slice(-6).join(' | ')}`);
    return null;
  }
  const simulated = simulatedResults(parseScenario(batch.text, 'random.yaml'));
  const differences: Difference[] = [];
  let steps = 0;
  let notAsked = 0;
  for (const line of lines) {
    const answer: { step?: number; result?: number | null } = JSON.parse(line);
    if (answer.step === undefined) continue;
    const index = answer.step - 1;
    const origin = batch.origin[index] ?? null;
    if (answer.result === null || answer.result === undefined) notAsked++;
    else {
      steps++;
      const engine = simulated[index] ?? null;
      if (origin !== null && engine !== answer.result) differences.push({ origin, kernel: resultText(answer.result), engine: resultText(engine) });
    }
  }
  return { steps, notAsked, differences };
}

/** The batch with what each `check` finds on the engine as what it is to find: the real kernel then says whether it finds the same. */
function withChecks(scenarios: readonly RandomScenario[], release: string): Batch {
  const client = EngineClient.ofScenario(parseScenario(batchOf(scenarios, release).text, 'random.yaml'));
  client.toEnd();
  const checks = new Map<number, Readonly<Record<string, unknown>>>();
  for (const { action, got } of client.mismatches) {
    const found: Record<string, unknown> = {};
    for (const [, what, value] of got.matchAll(/(size|seals|pos|mode|sha256) is (.*?), not /g)) {
      if (what === undefined || value === undefined || value === 'null' || value === 'none to be had') continue;
      found[what] = what === 'seals' ? (value === 'none' ? [] : value.split(' ')) : what === 'sha256' ? value : Number(value);
    }
    checks.set(action, found);
  }
  return batchOf(scenarios, release, checks);
}

/** Leaves out what is not needed for the difference: whole sides first by halves, then step by step. */
async function shrink(share: Share, options: LabOptions, difference: Difference): Promise<RandomScenario> {
  const kind = kindOf(difference);
  const { origin } = difference;
  // What comes after the step is not needed.
  let smallest: RandomScenario = {
    ...origin.scenario,
    ...(origin.side === 'before'
      ? { before: origin.scenario.before.slice(0, origin.place + 1), after: [] }
      : { after: origin.scenario.after.slice(0, origin.place + 1) }),
  };
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const attempts = smaller(smallest).slice(0, ATTEMPTS);
    if (attempts.length === 0) break;
    const compared = await compare(
      share,
      options,
      attempts.map((attempt, index) => renamed(attempt, index)),
    );
    const differing = new Set((compared?.differences ?? []).filter((one) => kindOf(one) === kind).map((one) => one.origin.scenario.number));
    const next = attempts.filter((_, index) => differing.has(index)).sort((a, b) => lengthOf(a) - lengthOf(b))[0];
    options.progress?.(`random: ${kind}: round ${round + 1}, ${next === undefined ? 'none smaller' : `${lengthOf(next)} steps`}`);
    if (next === undefined) break;
    smallest = next;
  }
  return smallest;
}

const lengthOf = ({ before, after }: RandomScenario): number => before.length + after.length;

/** Without a stretch of steps: halves, quarters and so on, down to single ones. The last step of all is the one that differs. */
function smaller(scenario: RandomScenario): RandomScenario[] {
  const all = [...scenario.before.map((step) => ({ step, side: 'before' as const })), ...scenario.after.map((step) => ({ step, side: 'after' as const }))];
  const attempts: RandomScenario[] = [];
  for (let length = Math.ceil((all.length - 1) / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2))
    for (let from = 0; from < all.length - 1; from += length) {
      const left = all.filter((_, index) => index < from || index >= Math.min(from + length, all.length - 1));
      const of = (side: 'before' | 'after'): PlainStep[] => left.filter((one) => one.side === side).map(({ step }) => step);
      attempts.push({ number: scenario.number, before: of('before'), after: of('after') });
    }
  return attempts;
}

/** The same under another prefix, so that attempts can share a boot. */
function renamed(scenario: RandomScenario, number: number): RandomScenario {
  const from = new RegExp(`"q${scenario.number}(?=[a-z-])`, 'g');
  const steps = (list: readonly PlainStep[]): PlainStep[] => JSON.parse(JSON.stringify(list).replaceAll(from, `"q${number}`));
  return { number, before: steps(scenario.before), after: steps(scenario.after) };
}
