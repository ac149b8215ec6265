/** The arguments of steps by the million: those that are numbers alone are kept as numbers, with the names of each set of them once. */
import { Column, Interned } from './column.js';
import type { ArgValue, StepArgs } from './step.js';

const NO_ARGS: StepArgs = {};
const SEPARATOR = '\u0000';

export class ArgsColumn {
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
