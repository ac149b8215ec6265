/** Holds a program's state outside React: keys are taken at once, frames are drawn at most every 16 ms. */
import type { Kept } from '../model/kept.js';
import type { Effect, Program } from '../model/program.js';
import { PAUSE } from '../model/program-of.js';
import type { Size } from '../model/screen.js';

const FRAME_MS = 16;
/** Digits of a count, and the key that takes it, follow each other faster than a person looks at a pane. */
const PAUSE_MS = 400;

interface Snapshot<S> {
  readonly state: S;
  readonly size: Size;
}

export class Store<S> {
  readonly #program: Program<S>;
  readonly #listeners = new Set<() => void>();
  #now: Snapshot<S>;
  #shown: Snapshot<S>;
  #frame: NodeJS.Timeout | null = null;
  #work: NodeJS.Immediate | null = null;
  #lastFrame = 0;
  #pause: NodeJS.Timeout | null = null;
  #closed = false;

  /** @param kept of an earlier run */
  constructor(program: Program<S>, size: Size, kept: Kept | null = null) {
    this.#program = program;
    const state = program.initial(size);
    this.#now = { state: kept === null ? state : (program.restored?.(state, kept) ?? state), size };
    this.#shown = this.#now;
    this.#schedule();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** What is on the screen. */
  get snapshot(): Snapshot<S> {
    return this.#shown;
  }

  key(key: string): readonly Effect[] {
    const { state, effects } = this.#program.key(this.#now.state, key);
    this.#set({ ...this.#now, state });
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = /^[0-9]$/.test(key) ? setTimeout(() => this.key(PAUSE), PAUSE_MS) : null;
    return effects;
  }

  resize(size: Size): void {
    this.#set({ state: this.#program.resize(this.#now.state, size), size });
  }

  /** What is worth keeping of the state as it is now. */
  get kept(): Kept | null {
    return this.#program.kept?.(this.#now.state) ?? null;
  }

  /** Shows what came of an effect in the footer. */
  tell(message: string): void {
    const state = this.#program.told?.(this.#now.state, message);
    if (state !== undefined) this.#set({ ...this.#now, state });
  }

  /** Draws again although nothing changed. */
  touch(): void {
    this.#set({ ...this.#now });
  }

  close(): void {
    this.#closed = true;
    if (this.#frame !== null) clearTimeout(this.#frame);
    if (this.#work !== null) clearImmediate(this.#work);
    if (this.#pause !== null) clearTimeout(this.#pause);
  }

  #set(next: Snapshot<S>): void {
    this.#now = next;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#frame ??= setTimeout(() => this.#draw(), Math.max(0, this.#lastFrame + FRAME_MS - performance.now()));
    this.#work ??= setImmediate(() => this.#doWork());
  }

  #draw(): void {
    this.#frame = null;
    if (this.#shown === this.#now) return;
    this.#shown = this.#now;
    for (const listener of this.#listeners) listener();
    this.#lastFrame = performance.now();
  }

  #doWork(): void {
    this.#work = null;
    const state = this.#program.work(this.#now.state);
    if (state !== null) this.#set({ ...this.#now, state });
  }
}
