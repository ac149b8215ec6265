/** The steps of a run as columns: some forty bytes a step beside its arguments, so that a million of them can be kept and looked at in any order. */
import { Column, Interned } from './column.js';
import { ACTORS, type Actor, type ArgValue, type Step, type StepArgs, type StepRead, type StepPhase, errnoOf } from './step.js';
import type { WriteLog } from '../memory/write-log.js';

const NO_ARGS: StepArgs = {};
const SEPARATOR = '\u0000';

/** The arguments of steps by the million: those that are numbers alone are kept as numbers, with the names of each set of them once. */
class ArgsColumn {
  /** 0: none; 1: kept as they are; 2 and up: number of the set of names, + 2 */
  readonly #shapes = new Column(Uint32Array);
  /** where its numbers start */
  readonly #starts = new Column(Uint32Array);
  readonly #numbers = new Column(Float64Array);
  readonly #names = new Interned();
  readonly #others = new Map<number, StepArgs>();

  push(args: StepArgs | null): void {
    const at = this.#shapes.length;
    this.#starts.push(this.#numbers.length);
    if (args === null) {
      this.#shapes.push(0);
      return;
    }
    const values = Object.values(args);
    if (!values.every((value) => typeof value === 'number')) {
      this.#others.set(at, args);
      this.#shapes.push(1);
      return;
    }
    this.#shapes.push(this.#names.id(Object.keys(args).join(SEPARATOR)) + 2);
    for (const value of values) this.#numbers.push(value);
  }

  at(index: number): StepArgs {
    const shape = this.#shapes.at(index);
    if (shape === 0) return NO_ARGS;
    if (shape === 1) return this.#others.get(index) ?? NO_ARGS;
    const names = this.#names.text(shape - 2);
    const args: Record<string, ArgValue> = {};
    const start = this.#starts.at(index);
    if (names !== '') for (const [offset, name] of names.split(SEPARATOR).entries()) args[name] = this.#numbers.at(start + offset);
    return args;
  }
}

/** What a run read of memory, and at which step: the bytes an answer depends on. Kept only where it is asked for. */
export class ReadLog {
  readonly #steps = new Column(Uint32Array);
  readonly #addresses = new Column(Float64Array);
  readonly #lengths = new Column(Uint32Array);

  /** @param step the step that is being taken */
  push(step: number, address: number, length: number): void {
    const last = this.#addresses.length - 1;
    // A table read entry by entry is one range.
    if (last >= 0 && this.#steps.at(last) === step && this.#addresses.at(last) + this.#lengths.at(last) === address) {
      this.#lengths.set(last, this.#lengths.at(last) + length);
      return;
    }
    this.#steps.push(step);
    this.#addresses.push(address);
    this.#lengths.push(length);
  }

  /** What was read at steps `from` to `to`, both included, in order. */
  *between(from: number, to: number): Iterable<StepRead> {
    let low = 0;
    let high = this.#steps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#steps.at(middle) < from) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.#steps.length && this.#steps.at(at) <= to; at++) yield { address: this.#addresses.at(at), length: this.#lengths.at(at) };
  }
}

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
