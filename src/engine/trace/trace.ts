/** The steps of a run as columns: some forty bytes a step beside its arguments, so that a million of them can be kept and looked at in any order. */
import { ArgsColumn } from './args-column.js';
import { Column, Interned } from './column.js';
import { ACTORS, type Actor, errnoOf, type Step, type StepArgs, type StepPhase } from './step.js';
import type { ReadLog } from './read-log.js';
import type { WriteLog } from '../memory/write-log.js';

const PHASES: readonly StepPhase[] = ['event', 'enter', 'exit'];
/** No errno has this number: the result can't be known. */
export const UNKNOWN_RESULT = -0x7fffffff;
const NO_LOG: readonly string[] = [];

interface NewStep {
  readonly kernel: number;
  readonly actor: Actor;
  readonly phase: StepPhase;
  readonly op: string;
  readonly args: StepArgs | null;
  readonly result: number;
  readonly log: readonly string[] | null;
  readonly parent: number;
  readonly depth: number;
  readonly action: number;
  /** state changes recorded so far */
  readonly states: number;
  /** the fault that struck, null for none */
  readonly injected: string | null;
}

/** A step without what it wrote. */
export type BriefStep = Pick<Step, 'step' | 'actor' | 'phase' | 'op' | 'args' | 'result' | 'log' | 'action'>;

export class Trace {
  readonly #writes: WriteLog;
  readonly #reads: ReadLog | null;
  readonly #kinds = new Column(Uint16Array);
  readonly #ops = new Column(Uint32Array);
  readonly #opNames = new Interned();
  readonly #kernels = new Column(Uint16Array);
  readonly #results = new Column(Int32Array);
  readonly #parents = new Column(Uint32Array);
  readonly #depths = new Column(Uint16Array);
  readonly #actions = new Column(Int32Array);
  readonly #writeEnds = new Column(Uint32Array);
  readonly #stateEnds = new Column(Uint32Array);
  readonly #args = new ArgsColumn();
  readonly #logs = new Map<number, readonly string[]>();
  readonly #injected = new Map<number, string>();

  /** @param reads what was read, where that is kept */
  constructor(writes: WriteLog, reads: ReadLog | null = null) {
    this.#writes = writes;
    this.#reads = reads;
  }

  /** Steps taken; the number of the last one. */
  get length(): number {
    return this.#ops.length;
  }

  /** Records a step; writes made since the last one are its own. @returns its number */
  push(step: NewStep): number {
    this.#kinds.push(ACTORS.indexOf(step.actor) * PHASES.length + PHASES.indexOf(step.phase));
    this.#ops.push(this.#opNames.id(step.op));
    this.#kernels.push(step.kernel);
    this.#results.push(step.result);
    this.#parents.push(step.parent);
    this.#depths.push(step.depth);
    this.#actions.push(step.action);
    this.#writeEnds.push(this.#writes.length);
    this.#stateEnds.push(step.states);
    this.#args.push(step.args);
    if (step.injected !== null) this.#injected.set(this.length, step.injected);
    if (step.log !== null) this.#logs.set(this.length, step.log);
    return this.length;
  }

  /** @param number 1 to `length` */
  brief(number: number): BriefStep {
    const at = number - 1;
    const kind = this.#kinds.at(at);
    const result = this.#results.at(at);
    return {
      step: number,
      actor: ACTORS[Math.floor(kind / PHASES.length)] ?? 'kernel',
      phase: PHASES[kind % PHASES.length] ?? 'event',
      op: this.#opNames.text(this.#ops.at(at)),
      args: this.#args.at(at),
      result: result === UNKNOWN_RESULT ? null : result,
      log: this.#logs.get(number) ?? NO_LOG,
      action: this.actionOf(number),
    };
  }

  /** @param number 1 to `length` */
  get(number: number): Step {
    const at = number - 1;
    const kind = this.#kinds.at(at);
    const result = this.#results.at(at);
    const known = result === UNKNOWN_RESULT ? null : result;
    const log = this.#writes;
    const reads = this.#reads;
    const from = this.writesUpTo(number - 1);
    const to = this.#writeEnds.at(at);
    return {
      step: number,
      kernel: this.#kernels.at(at),
      actor: ACTORS[Math.floor(kind / PHASES.length)] ?? 'kernel',
      phase: PHASES[kind % PHASES.length] ?? 'event',
      op: this.opOf(number),
      args: this.#args.at(at),
      result: known,
      errno: errnoOf(known),
      log: this.#logs.get(number) ?? NO_LOG,
      get writes() {
        return Array.from({ length: to - from }, (_, index) => log.record(from + index));
      },
      parent: this.#parents.at(at),
      depth: this.#depths.at(at),
      action: this.actionOf(number),
      get reads() {
        return reads === null ? [] : [...reads.between(number, number)];
      },
      injected: this.#injected.get(number) ?? null,
    };
  }

  opOf(number: number): string {
    return this.#opNames.text(this.#ops.at(number - 1));
  }

  phaseOf(number: number): StepPhase {
    return PHASES[this.#kinds.at(number - 1) % PHASES.length] ?? 'event';
  }

  actionOf(number: number): number | null {
    const action = this.#actions.at(number - 1);
    return number < 1 || action < 0 ? null : action;
  }

  parentOf(number: number): number {
    return this.#parents.at(number - 1);
  }

  depthOf(number: number): number {
    return this.#depths.at(number - 1);
  }

  resultOf(number: number): number {
    return this.#results.at(number - 1);
  }

  /** Writes made up to and with step `number`. */
  writesUpTo(number: number): number {
    return number < 1 ? 0 : this.#writeEnds.at(Math.min(number, this.length) - 1);
  }

  /** State changes made up to and with step `number`. */
  statesUpTo(number: number): number {
    return number < 1 ? 0 : this.#stateEnds.at(Math.min(number, this.length) - 1);
  }
}
