/** All single faults of a scenario, and, bounded, pairs of them: where each ends, and the shortest way to each kind of end. */
import { currentBudget } from '../../codec/budget.js';
import { UserError } from '../../codec/user-error.js';
import { runThrough } from '../machine.js';
import { ScenarioRun } from '../run/scenario-run.js';
import type { Fault, Scenario } from '../scenario/types.js';
import { type Course, courseOf, type Ending, type EndingKind, endingOf, NO_ENDINGS, rankOf } from './ending.js';
import { runNotingPoints, singleFaults } from './fault-points.js';

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
  const trace = course.actions.filter((one) => one.to <= explored.ending.step).map(({ action, result }) => ({ action, result }));
  if (known === undefined) found.push({ ...explored, trace, count: 1 });
  else if (explored.ending.step < known.ending.step) found[same] = { ...explored, trace, count: known.count + 1 };
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
