/** All single faults of a scenario, and, bounded, pairs of them: where each ends, and the shortest way to each kind of end. */
import { currentBudget } from '../../codec/budget.js';
import { UserError } from '../../codec/user-error.js';
import { runThrough } from '../machine.js';
import { ScenarioRun } from '../run/scenario-run.js';
import type { Fault, Scenario } from '../scenario/types.js';
import { runNotingPoints, singleFaults } from './fault-points.js';
import type { StateLog } from '../trace/state-log.js';
import { errnoOf } from '../trace/step.js';

/** Steps that a run costs besides its own. */
const RUN = 100;

interface Explored {
  /** one, or two for a pair */
  readonly faults: readonly Fault[];
  readonly ending: Ending;
}

/** The shortest run that ends in one way: of all that show the same thing, the one that shows it after the fewest steps. */
export interface Shortest extends Explored {
  /** the scenario's steps up to where it shows: 0-based, with the errno each answered */
  readonly trace: readonly { readonly action: number; readonly result: number }[];
  /** how many explored runs show the same */
  readonly count: number;
}

export interface Exploration {
  /** runs made, without the one that has no further fault */
  readonly runs: number;
  /** faults of the first run's points that differ from others only by which page they hit, and were left out */
  readonly leftOut: number;
  readonly counts: Readonly<Record<EndingKind, number>>;
  /** every run, in the order in which it was made */
  readonly results: readonly Explored[];
  /** worst first */
  readonly shortest: readonly Shortest[];
}

interface ExploreOptions {
  /** also faults that differ only by which page of many they hit */
  readonly all?: boolean;
  /** how many pairs of faults to try, after the single ones */
  readonly pairs?: number;
  /** called after every run */
  onProgress?(runs: number): void;
}

/** @throws UserError where the scenario itself does not do what it says */
export function explore(scenario: Scenario, options: ExploreOptions = {}): Exploration {
  const first = new ScenarioRun(scenario);
  const ranges = runNotingPoints(first);
  if (first.end?.expectationsMet !== true) throw new UserError(`${scenario.file}: does not meet its own expectations; run luo-inspect sim on it first`);
  const baseline = courseOf(first);
  const jumps = first.machine.kernel;
  const singles = [...singleFaults(scenario, ranges, jumps, options.all ?? false)];
  const every = options.all === true ? singles.length : [...singleFaults(scenario, ranges, jumps, true)].length;
  const results: Explored[] = [];
  const courses: Shortest[] = [];
  const budget = currentBudget();
  /** False where the runs have cost as much as they may. */
  const affords = (spent: number): boolean => budget.spend('explore-work', Math.ceil(spent) + RUN, `the faults of ${scenario.file}`);
  let goesOn = affords(first.machine.work.spent);
  const tryFaults = (faults: readonly Fault[]): Explored | null => {
    if (!goesOn) return null;
    const course = courseWith(scenario, faults, (spent) => {
      goesOn = affords(spent);
    });
    if (course === null) return null;
    const explored = { faults, ending: endingOf(course, baseline) };
    results.push(explored);
    keepShortest(courses, explored, course);
    options.onProgress?.(results.length);
    return explored;
  };
  const survivable: Fault[] = [];
  for (const fault of singles) {
    const explored = tryFaults([fault]);
    if (explored !== null && ['refused', 'warned', 'unnoticed'].includes(explored.ending.kind)) survivable.push(fault);
  }
  for (const pair of pairsOf(survivable, options.pairs ?? 0)) tryFaults(pair);
  const counts = { ...NO_ENDINGS };
  for (const { ending } of results) counts[ending.kind]++;
  return {
    runs: results.length,
    leftOut: every - singles.length,
    counts,
    results,
    shortest: courses.sort((a, b) => rankOf(a.ending) - rankOf(b.ending) || a.ending.step - b.ending.step),
  };
}

/** Runs the scenario with further faults. @returns null where one of them damages a structure that there is none of */
function courseWith(scenario: Scenario, faults: readonly Fault[], pay: (spent: number) => void): Course | null {
  const run = new ScenarioRun({ ...scenario, faults: [...scenario.faults, ...faults] });
  runThrough(run.steps());
  pay(run.machine.work.spent);
  if (faults.some((fault) => fault.kind === 'flip') && missedFlip(run)) return null;
  return courseOf(run);
}

function missedFlip(run: ScenarioRun): boolean {
  const { trace } = run.machine;
  for (let number = 1; number <= trace.length; number++) if (trace.opOf(number) === 'flip' && trace.get(number).args.found === false) return true;
  return false;
}

function keepShortest(found: Shortest[], explored: Explored, course: Course): void {
  const same = found.findIndex(
    ({ ending }) => ending.kind === explored.ending.kind && ending.detail === explored.ending.detail && ending.action === explored.ending.action,
  );
  const known = found[same];
  const trace = () => [...course.actions.values()].filter((one) => one.to <= explored.ending.step).map(({ action, result }) => ({ action, result }));
  if (known === undefined) found.push({ ...explored, trace: trace(), count: 1 });
  else if (explored.ending.step < known.ending.step) found[same] = { ...explored, trace: trace(), count: known.count + 1 };
  else found[same] = { ...known, count: known.count + 1 };
}

/** Pairs of faults that a run survives alone, spread evenly over all there are. */
function* pairsOf(faults: readonly Fault[], most: number): Iterable<readonly Fault[]> {
  const total = (faults.length * (faults.length - 1)) / 2;
  const stride = Math.max(1, Math.floor(total / Math.max(1, most)));
  let index = 0;
  let made = 0;
  for (const [at, first] of faults.entries())
    for (const second of faults.slice(at + 1)) {
      if (made >= most) return;
      if (index++ % stride !== 0) continue;
      made++;
      yield [first, second];
    }
}

/** How many runs ended so: worst first. `refused`: an operation failed, said so, and left everything else in order. */
const NO_ENDINGS = {
  'wrong-memory': 0,
  panic: 0,
  'lost-session': 0,
  'lost-file': 0,
  'device-frozen': 0,
  'rollback-incomplete': 0,
  leak: 0,
  'cold-boot': 0,
  refused: 0,
  warned: 0,
  unnoticed: 0,
};
type EndingKind = keyof typeof NO_ENDINGS;
const ORDER = Object.keys(NO_ENDINGS);
/** 0 is the worst. */
const rankOf = (ending: Ending): number => ORDER.indexOf(ending.kind);

/** One action of a run, as it went. */
interface ActionResult {
  readonly action: number;
  readonly kernel: number;
  /** 0 or a negative errno */
  readonly result: number;
  /** the engine's first step of it, and the agent's own */
  readonly from: number;
  readonly to: number;
}

interface Ending {
  readonly kind: EndingKind;
  /** what tells it, in words */
  readonly detail: string;
  /** where it shows: the scenario's step (0-based; null: none) and the engine's */
  readonly action: number | null;
  readonly step: number;
}

/** A run that has ended, looked at by its actions. */
interface Course {
  readonly run: ScenarioRun;
  /** by the scenario's step, in order */
  readonly actions: ReadonlyMap<number, ActionResult>;
}

function courseOf(run: ScenarioRun): Course {
  const { trace } = run.machine;
  const first = new Map<number, number>();
  const actions = new Map<number, ActionResult>();
  for (let number = 1; number <= trace.length; number++) {
    const action = trace.actionOf(number);
    if (action === null) continue;
    if (!first.has(action)) first.set(action, number);
    const own = trace.depthOf(number) === 0 && trace.phaseOf(number) === 'event' && trace.opOf(number) === run.scenario.steps[action]?.do;
    if (!own || actions.has(action)) continue;
    const step = trace.get(number);
    if (step.actor === 'agent')
      actions.set(action, { action, kernel: step.kernel, result: trace.resultOf(number), from: first.get(action) ?? number, to: number });
  }
  return { run, actions };
}

/** How `course` ended, held against the run without the fault. */
function endingOf(course: Course, baseline: Course): Ending {
  const { run } = course;
  const last = run.machine.trace.length;
  const end = run.end;
  const differing = [...course.actions.values()].filter((one) => one.result !== baseline.actions.get(one.action)?.result);
  const [first] = differing;
  if (end?.ending === 'panic' && baseline.run.end?.ending !== 'panic')
    return { kind: 'panic', detail: end.reason ?? 'panic', action: actionAt(run, last), step: last };
  return (
    wrongMemory(course, differing) ??
    (end?.ending === 'cold-boot' && baseline.run.end?.ending !== 'cold-boot' && (first?.kernel ?? 1) > 0
      ? { kind: 'cold-boot', detail: 'the next kernel took nothing over', action: actionAt(run, last), step: last }
      : null) ??
    lost(course, first) ??
    badRollback(course, baseline) ??
    leak(course, baseline, first) ??
    (first !== undefined ? describe('refused', course, first) : null) ??
    (consoleOf(run) !== consoleOf(baseline.run)
      ? { kind: 'warned', detail: 'only the console tells', action: null, step: last }
      : { kind: 'unnoticed', detail: 'nothing differs', action: null, step: last })
  );
}

const actionAt = (run: ScenarioRun, step: number): number | null => run.machine.trace.actionOf(step);

function describe(kind: EndingKind, { run }: Course, at: ActionResult, more = ''): Ending {
  const verb = run.scenario.steps[at.action]?.do ?? '';
  const answer = errnoOf(at.result) ?? 'success';
  return { kind, detail: `${verb} answers ${answer}${more}`, action: at.action, step: at.to };
}

/** A check of a file's contents that held before holds no more. */
function wrongMemory(course: Course, differing: readonly ActionResult[]): Ending | null {
  const found = differing.find((one) => errnoOf(one.result) === 'EILSEQ' && course.run.scenario.steps[one.action]?.do === 'check');
  return found === undefined ? null : describe('wrong-memory', course, found, ': the file is not what was preserved');
}

/** The agent was told of nothing until the next kernel refused it what had been handed over. */
function lost(course: Course, first: ActionResult | undefined): Ending | null {
  if (first === undefined || first.kernel === 0 || first.result >= 0) return null;
  const verb = course.run.scenario.steps[first.action]?.do;
  if (verb === 'open' || verb === 'retrieve-session') return describe('lost-session', course, first);
  if (verb === 'retrieve') return describe('lost-file', course, first);
  return verb === 'finish' ? describe('lost-session', course, first, ': it can never be finished') : null;
}

/** What an action changed of what kernels and devices show of themselves. */
function changesOf({ machine }: ScenarioRun, { from, to }: ActionResult): ReturnType<StateLog['between']> {
  return machine.state.between(machine.trace.statesUpTo(from - 1), machine.trace.statesUpTo(to));
}

/** Is this something a reboot call that failed must leave as it was? */
const mustStay = (path: string): boolean => path.startsWith('devices/') || /^kernel \d+\/sessions\//.test(path);

/** What the same call leaves changed in the run without the fault: not the fault's doing. */
function leftAnyway({ run, actions }: Course, action: number): ReadonlySet<string> {
  const same = actions.get(action);
  return new Set(same !== undefined && same.result < 0 ? changesOf(run, same).keys() : []);
}

/** A reboot call that failed, after which sessions or devices are not what they were. */
function badRollback(course: Course, baseline: Course): Ending | null {
  const { run } = course;
  for (const at of course.actions.values()) {
    if (run.scenario.steps[at.action]?.do !== 'kexec' || at.result >= 0) continue;
    const changes = changesOf(run, at);
    const paths = [...changes.keys()].filter(mustStay);
    if (paths.length === 0) continue;
    const anyway = leftAnyway(baseline, at.action);
    const changed = paths.filter((path) => !anyway.has(path));
    const frozen = changed.find((path) => path.endsWith('/frozen') && changes.get(path)?.after === true);
    if (frozen !== undefined) return describe('device-frozen', course, at, `, and ${frozen.split('/')[1]} stays frozen`);
    if (changed.length > 0) return describe('rollback-incomplete', course, at, `, and these are not what they were: ${changed.slice(0, 4).join(', ')}`);
  }
  return null;
}

/** An operation that failed kept something, or memory that nobody claims is left at the end where there was none. */
function leak(course: Course, baseline: Course, first: ActionResult | undefined): Ending | null {
  const { run } = course;
  for (const at of course.actions.values()) {
    if (
      at.result >= 0 ||
      (baseline.actions.get(at.action)?.result ?? 0) < 0 ||
      !['preserve', 'create-session'].includes(run.scenario.steps[at.action]?.do ?? '')
    )
      continue;
    const kept = [...changesOf(run, at)].find(
      ([path, { before, after }]) => /(kho\/preserved blocks|outgoing count)$/.test(path) && Number(after ?? 0) > Number(before ?? 0),
    );
    if (kept !== undefined) return describe('leak', course, at, `, and ${kept[0]} went from ${kept[1].before ?? 0} to ${kept[1].after ?? 0}`);
  }
  if (first !== undefined) return null;
  const unclaimed = (one: ScenarioRun): number => Number(one.machine.state.now.get(`kernel ${one.machine.kernel}/kho/unclaimed blocks`) ?? 0);
  if (run.machine.kernel !== baseline.run.machine.kernel || unclaimed(run) <= unclaimed(baseline.run)) return null;
  return { kind: 'leak', detail: `${unclaimed(run) - unclaimed(baseline.run)} more blocks that nobody claims`, action: null, step: run.machine.trace.length };
}

function consoleOf(run: ScenarioRun): string {
  const lines: string[] = [];
  for (let number = 1; number <= run.machine.trace.length; number++)
    if (run.machine.trace.opOf(number) === 'printk') lines.push(...run.machine.trace.get(number).log);
  return lines.join('\n');
}
