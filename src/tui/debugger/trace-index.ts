/**
 * What the debugger needs to know of the whole trace, gathered once as it grows: console lines by step, and how each step of
 * the program ended.
 */
import type { EngineClient, Step } from '../../engine/client.js';
import { hasWords } from '../model/match.js';
import { stepText } from './step-lines.js';

/** Steps of the trace that a search looks at. */
export const SEARCH_STEPS = 200_000;

/** Searches whose steps are kept. */
const MOST_SEARCHES = 3;

/** What a search and a filter of the timeline look at. */
export const stepHasWords = (step: Step, words: string): boolean => hasWords(`${step.actor} ${stepText(step)}`, words);

export interface ConsoleLine {
  readonly step: number;
  readonly kernel: number;
  /** not escaped */
  readonly text: string;
}

interface ActionResult {
  /** first and last step of the trace that belong to it */
  readonly first: number;
  readonly last: number;
  /** the agent's own step, once it was carried out */
  readonly done: Step | null;
}

export class TraceIndex {
  readonly console: ConsoleLine[] = [];
  readonly actions = new Map<number, ActionResult>();
  #seen = 0;
  /** the searches and filters of late */
  readonly #searched = new Map<string, { readonly length: number; readonly steps: readonly number[] }>();

  /** Takes up what the trace has grown by. */
  extend(client: EngineClient): void {
    while (this.#seen < client.length) {
      const step = client.stepAt(++this.#seen);
      if (step !== null) this.#add(step, client);
    }
  }

  /** After an edit the run starts over. */
  clear(): void {
    this.console.length = 0;
    this.actions.clear();
    this.#searched.clear();
    this.#seen = 0;
  }

  /** Numbers of the steps whose text has all words of `query`, ascending; looked for once. */
  matches(client: EngineClient, query: string): readonly number[] {
    const length = Math.min(client.length, SEARCH_STEPS);
    const known = this.#searched.get(query) ?? { length: 0, steps: [] };
    if (known.length === length) return known.steps;
    const steps = [...known.steps];
    for (let number = known.length + 1; number <= length; number++) {
      const step = client.stepAt(number);
      if (step !== null && stepHasWords(step, query)) steps.push(number);
    }
    if (this.#searched.size > MOST_SEARCHES) this.#searched.clear();
    this.#searched.set(query, { length, steps });
    return steps;
  }

  /** Console lines up to and with `step`. */
  linesUpTo(step: number): number {
    let low = 0;
    let high = this.console.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.console[middle]?.step ?? 0) <= step) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #add(step: Step, client: EngineClient): void {
    for (const text of step.log) this.console.push({ step: step.step, kernel: step.kernel, text });
    if (step.action === null) return;
    const old = this.actions.get(step.action);
    const done = step.actor === 'agent' && step.phase === 'event' && step.op === client.program[step.action]?.do ? step : (old?.done ?? null);
    this.actions.set(step.action, { first: old?.first ?? step.step, last: step.step, done });
  }
}
