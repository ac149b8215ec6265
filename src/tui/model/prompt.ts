/** The line a user types into: `/` for a search, `:` for a command. Pure. */
import { type Line, span } from './text.js';

export interface Prompt {
  /** what it is for, shown before the text */
  readonly sign: string;
  readonly text: string;
  /** earlier entries, newest last */
  readonly history: readonly string[];
  /** index into the history, its length while a new text is typed */
  readonly at: number;
}

export const openPrompt = (sign: string, history: readonly string[], text = ''): Prompt => ({ sign, text, history, at: history.length });

export type PromptResult =
  | { readonly kind: 'typing'; readonly prompt: Prompt }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'entered'; readonly text: string };

const LONGEST = 512;

/** One key. */
export function typeInto(prompt: Prompt, key: string): PromptResult {
  const typing = (text: string): PromptResult => ({ kind: 'typing', prompt: { ...prompt, text } });
  const recall = (at: number): PromptResult => {
    const bounded = Math.max(0, Math.min(at, prompt.history.length));
    return { kind: 'typing', prompt: { ...prompt, at: bounded, text: prompt.history[bounded] ?? '' } };
  };
  switch (key) {
    case 'enter':
      return { kind: 'entered', text: prompt.text };
    case 'esc':
      return { kind: 'cancelled' };
    case 'backspace':
      return prompt.text === '' ? { kind: 'cancelled' } : typing([...prompt.text].slice(0, -1).join(''));
    case 'ctrl-u':
      return typing('');
    case 'ctrl-w':
      return typing(prompt.text.replace(/\S+\s*$/, ''));
    case 'up':
      return recall(prompt.at - 1);
    case 'down':
      return recall(prompt.at + 1);
    case 'space':
      return typing(`${prompt.text} `);
    default:
      return [...key].length === 1 && prompt.text.length < LONGEST ? typing(prompt.text + key) : typing(prompt.text);
  }
}

/** The prompt as the footer shows it, with a block where the next character goes. */
export const promptLine = (prompt: Prompt): Line => [span(prompt.sign, 'key'), span(prompt.text), span('█', 'focus')];

/** `history` with `text` at its end, once. */
export const remember = (history: readonly string[], text: string): readonly string[] =>
  text === '' ? history : [...history.filter((entry) => entry !== text), text].slice(-50);
