/** What a view is to the terminal part: a state, what a key does to it, and the screen it shows. */
import type { Kept } from './kept.js';
import type { Screen, Size } from './screen.js';

/** What a key asks of the world outside the state. */
export type Effect =
  | { readonly kind: 'quit' }
  | { readonly kind: 'copy'; readonly text: string }
  | { readonly kind: 'suspend' }
  | { readonly kind: 'redraw' }
  | { readonly kind: 'theme'; readonly name: string }
  | { readonly kind: 'mouse'; readonly on: boolean }
  /** the view is left for two dumps side by side: its own, and this one */
  | { readonly kind: 'diff'; readonly path: string }
  /** the view is left for one of the things it lists, and comes back after it */
  | { readonly kind: 'open'; readonly index: number }
  /** a file is written where the user started the program; never over another one */
  | { readonly kind: 'save'; readonly path: string; readonly text: string };

export interface Step<S> {
  readonly state: S;
  readonly effects: readonly Effect[];
}

export interface Program<S> {
  readonly initial: (size: Size) => S;
  readonly key: (state: S, key: string) => Step<S>;
  readonly resize: (state: S, size: Size) => S;
  readonly screen: (state: S) => Screen;
  /** A slice of work in the background; null when there is none left. */
  readonly work: (state: S) => S | null;
  /** What came of an effect, for the footer. */
  readonly told?: (state: S, message: string) => S;
  /** What is worth keeping for the next run on the same file. */
  readonly kept?: (state: S) => Kept;
  /** Takes up what was kept. */
  readonly restored?: (state: S, kept: Kept) => S;
}
