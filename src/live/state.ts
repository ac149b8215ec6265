/** What a live run remembers across the jump: a file beside the scenario, written before the reboot call and read by the next kernel's run. */
import { readFileSync, writeFileSync } from 'node:fs';
import { UserError } from '../codec/user-error.js';

const STATE_SCHEMA = 'luo-inspect.live/1';

export interface StepRecord {
  /** 0-based place in the scenario */
  readonly index: number;
  /** 0 or a negative errno; null where this machine was not asked */
  readonly result: number | null;
  /** why it is not as the scenario expects, or was not asked; null where it is */
  readonly why: string | null;
}

interface LiveState {
  /** SHA-256 of the scenario's text: a changed scenario can't go on */
  readonly scenario: string;
  /** jumps made */
  readonly kernel: number;
  readonly done: readonly StepRecord[];
}

/** @returns null where there is no such file @throws UserError where it is of another program */
export function readState(path: string, scenario: string): LiveState | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  const state = parse(text);
  if (state === null)
    throw new UserError(`${path}: no state of a live run (schema ${STATE_SCHEMA}); name another file with --state, or remove it to start over`);
  if (state.scenario !== scenario) throw new UserError(`${path}: of another scenario, or the scenario was changed since; remove it to start over`);
  return state;
}

function parse(text: string): LiveState | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('schema' in value) || value.schema !== STATE_SCHEMA) return null;
    if (!('scenario' in value) || typeof value.scenario !== 'string' || !('kernel' in value) || typeof value.kernel !== 'number') return null;
    if (!('done' in value) || !Array.isArray(value.done)) return null;
    return { scenario: value.scenario, kernel: value.kernel, done: value.done.flatMap((one: unknown) => recordOf(one)) };
  } catch {
    return null;
  }
}

function recordOf(value: unknown): readonly StepRecord[] {
  if (typeof value !== 'object' || value === null || !('index' in value) || typeof value.index !== 'number') return [];
  const result = 'result' in value && typeof value.result === 'number' ? value.result : null;
  return [{ index: value.index, result, why: 'why' in value && typeof value.why === 'string' ? value.why : null }];
}

/** Written through to the disk: the machine is about to jump. */
export function writeState(path: string, state: LiveState): void {
  try {
    writeFileSync(path, `${JSON.stringify({ schema: STATE_SCHEMA, ...state })}\n`, { mode: 0o600, flush: true });
  } catch (error) {
    throw new UserError(`${path}: the state can't be written: ${error instanceof Error ? error.message : String(error)}; choose another file with --state`);
  }
}
