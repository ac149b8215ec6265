/**
 * Which single faults a scenario can suffer: every point that a run without them passes, by the action during which it does, plus
 * another next kernel and damage to each structure that is handed over.
 */
import { releaseOf, spokenBy } from '../../../abi/registry.js';
import type { ErrnoName } from '../../../abi/errno.js';
import { luoFileSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from '../../../abi/luo/entries.js';
import { luoSer } from '../../../abi/luo/v5.js';
import type { Struct } from '../../../abi/layout.js';
import { memfdLuoFolioSer } from '../../../abi/memfd/folio.js';
import { memfdLuoSerV2 } from '../../../abi/memfd/v2.js';
import { pciDevSer, pciSer } from '../../../abi/pci/mails.js';
import { vfioPciCoreDeviceSer } from '../../../abi/vfio-pci/v1.js';
import { simulatedReleases } from '../kernel/release.js';
import type { ScenarioRun } from '../run/scenario-run.js';
import { type Fault, HANDLER_CALLBACKS, type HandlerCallback, kernelOf, type Scenario } from '../scenario/types.js';

/** How often each point was passed before and after one action; -1: the first boot. */
interface PointRange {
  readonly at: string;
  readonly action: number;
  /** the first and the last passing in this action, from 1 */
  readonly first: number;
  readonly last: number;
}

/** Runs to the end, and notes at which action each point was passed. */
export function runNotingPoints(run: ScenarioRun): readonly PointRange[] {
  const ranges: PointRange[] = [];
  let counts = new Map<string, number>();
  let action = run.machine.action;
  const note = (): void => {
    const now = new Map(run.machine.faults.points().map(({ at, count }) => [at, count]));
    for (const [at, count] of now) if (count > (counts.get(at) ?? 0)) ranges.push({ at, action, first: (counts.get(at) ?? 0) + 1, last: count });
    counts = now;
    action = run.machine.action;
  };
  const steps = run.steps();
  for (let next = steps.next(); next.done !== true; next = steps.next()) if (run.machine.action !== action) note();
  note();
  return ranges;
}

/** Passings of one point in one action that are tried where there are many: they differ only in which page of a file it is. */
const MANY = 12;

function* chosen({ first, last }: PointRange, all: boolean): Iterable<number> {
  if (all || last - first < MANY) for (let nth = first; nth <= last; nth++) yield nth;
  else for (const nth of new Set([first, first + 1, first + 2, first + 3, Math.floor((first + last) / 2), last - 1, last])) yield nth;
}

const position = { line: 0, column: 0 };
const isCallback = (word: string): word is HandlerCallback => HANDLER_CALLBACKS.some((callback) => callback === word);

/** What a callback that can fail answers when it does; those that can't are not faulted. */
const CALLBACK_ERRORS: Readonly<Partial<Record<HandlerCallback, ErrnoName>>> = {
  can_preserve: 'ENOENT',
  preserve: 'ENOMEM',
  freeze: 'EINVAL',
  retrieve: 'EIO',
  can_finish: 'EBUSY',
};

/** The fault at the nth passing of a point; null for a point that only repeats another (one device's share of all resets). */
function faultAt(at: string, nth: number): Fault | null {
  const base = { at, nth, position };
  switch (at) {
    case 'alloc':
    case 'kho.preserve':
      return { ...base, kind: at, errno: 'ENOMEM' };
    case 'kho.restore':
      return { ...base, kind: at, errno: 'EIO' };
    case 'kho.forget':
      return { ...base, kind: at };
    case 'flb.preserve':
      return { ...base, kind: 'flb', callback: 'preserve', flb: null, errno: 'ENOMEM' };
    case 'flb.retrieve':
      return { ...base, kind: 'flb', callback: 'retrieve', flb: null, errno: 'EIO' };
    case 'pci.reset':
      return { ...base, kind: at, device: null, errno: 'ENOTTY' };
    case 'pci.load-saved-state':
      return { ...base, kind: at, device: null, errno: 'EINVAL' };
  }
  const lock = /^lock\.(device|bridge|dev_set) (.+)$/.exec(at);
  if (lock?.[2] !== undefined)
    return { at: `lock.${lock[1]}`, nth, position, kind: 'lock', lock: lock[1] === 'bridge' || lock[1] === 'dev_set' ? lock[1] : 'device', device: lock[2] };
  const dot = at.lastIndexOf('.');
  const callback = at.slice(dot + 1);
  const errno = isCallback(callback) ? CALLBACK_ERRORS[callback] : undefined;
  return isCallback(callback) && errno !== undefined ? { ...base, kind: 'callback', handler: at.slice(0, dot), callback, errno } : null;
}

/** Structures that are handed over and read back, by the name under which the engine writes them; with the fields of the release that does. */
const HANDED_OVER: readonly Struct[] = [
  luoSer,
  luoSessionSer,
  luoFileSer,
  luoFlbHeaderSer,
  luoFlbSer,
  memfdLuoSerV2,
  memfdLuoFolioSer,
  vfioPciCoreDeviceSer,
  pciSer,
  pciDevSer,
];

function* damage(scenario: Scenario, jumps: number): Iterable<Fault> {
  for (let jump = 1; jump <= jumps; jump++) {
    const release = releaseOf(kernelOf(scenario, jump - 1).release);
    const spoken = release === null ? [] : spokenBy(release).flatMap(({ structs }) => structs);
    const ofRelease = (struct: Struct): Struct => spoken.find(({ name }) => name === struct.name) ?? struct;
    for (const { name, fields } of HANDED_OVER.map(ofRelease))
      for (const field of Object.keys(fields))
        yield { kind: 'flip', at: 'flip', nth: 1, position, moment: 'frozen', jump, step: null, where: { struct: name, field }, change: { bit: 0 } };
  }
}

function* otherKernels(scenario: Scenario, jumps: number): Iterable<Fault> {
  for (let jump = 1; jump <= jumps; jump++) {
    const base = { kind: 'kernel', at: 'kernel', nth: jump, position, release: null, kho: null, liveupdate: null } as const;
    const listed = kernelOf(scenario, jump);
    for (const { release } of simulatedReleases) if (release !== listed.release) yield { ...base, release };
    if (listed.kho) yield { ...base, kho: false };
    if (listed.liveupdate) yield { ...base, liveupdate: false };
  }
}

/**
 * Every single fault of a scenario.
 * @param ranges from a run without further faults @param jumps that the run made @param all also those that differ only by the page
 */
export function* singleFaults(scenario: Scenario, ranges: readonly PointRange[], jumps: number, all: boolean): Iterable<Fault> {
  for (const range of ranges)
    for (const nth of chosen(range, all)) {
      const fault = faultAt(range.at, nth);
      if (fault !== null) yield fault;
    }
  yield* otherKernels(scenario, jumps);
  yield* damage(scenario, jumps);
}
