/** Whether a step answered what the scenario says it must. */
import { ERRNO } from '../../../abi/errno.js';
import type { FdRef, ScenarioStep, SourcePosition } from '../scenario/types.js';
import { errnoOf } from '../trace/step.js';
import { UNKNOWN_RESULT } from '../trace/trace.js';
import type { Answer } from './agent.js';

export interface Mismatch {
  /** 0-based place among the scenario's steps */
  readonly action: number;
  readonly position: SourcePosition;
  /** the agent's step of the trace */
  readonly step: number;
  readonly expected: string;
  readonly got: string;
}

/** @param bodyOf what a descriptor is of, now: the same value for the same file @param traceStep the agent's step */
export function mismatchOf(step: ScenarioStep, answer: Answer, bodyOf: (ref: FdRef) => unknown, traceStep: number): Mismatch | null {
  const { errno, ret, same, name } = step.expect;
  const wrong = (expected: string, got: string): Mismatch => ({ action: step.index, position: step.position, step: traceStep, expected, got });
  const result = answer.result === UNKNOWN_RESULT ? 'unknown: a page is not in the dump' : (errnoOf(answer.result) ?? 'success');
  if (answer.result !== (errno === null ? 0 : -ERRNO[errno])) return wrong(errno ?? 'success', result);
  if (ret !== null && answer.ret !== ret) return wrong(`return value ${ret}`, `return value ${answer.ret}`);
  if (same !== null && (answer.fd === null || bodyOf(answer.fd) !== bodyOf(same))) return wrong(`the same file as ${same}`, 'another file');
  if (name !== null && (answer.name === null || Buffer.compare(name, answer.name) !== 0))
    return wrong(`name ${text(name)}`, `name ${answer.name === null ? 'none' : text(answer.name)}`);
  return null;
}

const text = (bytes: Uint8Array): string => JSON.stringify(new TextDecoder().decode(bytes));
