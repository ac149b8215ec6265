/** Whether a step answered what the scenario says it must. */
import { ERRNO } from '../../../abi/errno.js';
import type { FdRef, KvmScenarioStep, ScenarioStep, SourcePosition } from '../scenario/types.js';
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

/** What of the running kernel an expectation is held against. */
export interface Seen {
  /** what a descriptor is of, now: the same value for the same file */
  bodyOf(ref: FdRef): unknown;
  /** whether a descriptor is close-on-exec */
  closeOnExec(fd: number): boolean;
}

/** @param traceStep the agent's step */
export function mismatchOf(step: ScenarioStep | KvmScenarioStep, answer: Answer, seen: Seen, traceStep: number): Mismatch | null {
  const { errno, ret, same, signal, cloexec } = step.expect;
  const wrong = (expected: string, got: string): Mismatch => ({ action: step.index, position: step.position, step: traceStep, expected, got });
  const because = answer.why === undefined || answer.why === null ? '' : `: ${answer.why}`;
  const result = answer.result === UNKNOWN_RESULT ? 'unknown: a page is not in the dump' : `${errnoOf(answer.result) ?? 'success'}${because}`;
  if (signal !== null && answer.signal !== signal) return wrong(signal, answer.signal ?? result);
  // Nobody is there any more who could see an errno.
  if (answer.signal === 'SIGKILL') return signal === null ? wrong(errno ?? 'success', 'SIGKILL: the process was killed') : null;
  const known = signal === null || errno !== null;
  if (known && answer.result !== (errno === null ? 0 : -ERRNO[errno])) return wrong(errno ?? 'success', result);
  if (ret !== null && answer.ret !== ret) return wrong(`return value ${ret}`, `return value ${answer.ret}`);
  if (same !== null && (answer.fd === null || seen.bodyOf(answer.fd) !== seen.bodyOf(same))) return wrong(`the same file as ${same}`, 'another file');
  if (cloexec !== null && (answer.fd === null || seen.closeOnExec(answer.fd) !== cloexec))
    return wrong(cloexec ? 'a close-on-exec descriptor' : 'a descriptor that execve keeps', answer.fd === null ? 'no descriptor' : 'another');
  const name = step.expect.name ?? (step.do === 'get-name' ? step.name : null);
  if (name !== null && (answer.name === null || Buffer.compare(name, answer.name) !== 0))
    return wrong(`name ${text(name)}`, `name ${answer.name === null ? 'none' : text(answer.name)}`);
  return null;
}

/** The first of the expected console lines that is not among `lines`, after those before it. */
export function missingLine(expected: readonly string[], lines: readonly string[]): string | null {
  let at = 0;
  for (const part of expected) {
    while (at < lines.length && lines[at]?.includes(part) !== true) at++;
    if (at++ >= lines.length) return part;
  }
  return null;
}

const text = (bytes: Uint8Array): string => JSON.stringify(new TextDecoder().decode(bytes));
