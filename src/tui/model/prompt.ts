/** The line a user types into: `/` for a search, `:` for a command. Pure. */
import { type Line, lineWidth, skip, span } from './text.js';

export interface Prompt {
  /** what it is for, shown before the text */
  readonly sign: string;
  readonly text: string;
  /** characters before the cursor */
  readonly cursor: number;
  /** earlier entries, newest last */
  readonly history: readonly string[];
  /** index into the history, its length while a new text is typed */
  readonly at: number;
  /** what Tab has found to complete the text with; null before the first Tab */
  readonly choices: { readonly texts: readonly string[]; readonly at: number } | null;
}

export const openPrompt = (sign: string, history: readonly string[], text = ''): Prompt => ({
  sign,
  text,
  cursor: [...text].length,
  history,
  at: history.length,
  choices: null,
});

type PromptResult = { readonly kind: 'typing'; readonly prompt: Prompt } | { readonly kind: 'cancelled' } | { readonly kind: 'entered'; readonly text: string };

const LONGEST = 512;

/** Before the text of a paste, which is one key. */
export const PASTED = 'paste:';

/** Is a key a character, with the marks that join it, and not the name of a key? */
export const isTyped = (key: string): boolean => key.length === 1 || !/^[a-z][a-z:-]/.test(key);

/** Whole texts that `text` could become. */
export type Completer = (text: string) => readonly string[];

/** One key. */
export function typeInto(prompt: Prompt, key: string, complete: Completer = () => []): PromptResult {
  const chars = [...prompt.text];
  const { cursor } = prompt;
  const to = (text: string, at: number): PromptResult => ({ kind: 'typing', prompt: { ...prompt, text, cursor: at, choices: null } });
  const move = (at: number): PromptResult => to(prompt.text, Math.max(0, Math.min(at, chars.length)));
  const replace = (start: number, end: number, text: string): PromptResult =>
    to([...chars.slice(0, start), text, ...chars.slice(end)].join(''), start + [...text].length);
  const recall = (at: number): PromptResult => {
    const bounded = Math.max(0, Math.min(at, prompt.history.length));
    const text = prompt.history[bounded] ?? '';
    return { kind: 'typing', prompt: { ...prompt, at: bounded, text, cursor: [...text].length, choices: null } };
  };
  switch (key) {
    case 'enter':
      return { kind: 'entered', text: prompt.text };
    case 'esc':
      return prompt.choices === null ? { kind: 'cancelled' } : to(prompt.text, cursor);
    case 'tab':
      return { kind: 'typing', prompt: completed(prompt, complete, 1) };
    case 'shift-tab':
      return { kind: 'typing', prompt: completed(prompt, complete, -1) };
    case 'backspace':
      return prompt.text === '' ? { kind: 'cancelled' } : replace(Math.max(0, cursor - 1), cursor, '');
    case 'ctrl-d':
      return replace(cursor, Math.min(cursor + 1, chars.length), '');
    case 'ctrl-u':
      return replace(0, cursor, '');
    case 'ctrl-k':
      return replace(cursor, chars.length, '');
    case 'ctrl-w':
      return replace(
        [
          ...chars
            .slice(0, cursor)
            .join('')
            .replace(/\S+\s*$/, ''),
        ].length,
        cursor,
        '',
      );
    case 'left':
    case 'ctrl-b':
      return move(cursor - 1);
    case 'right':
    case 'ctrl-f':
      return move(cursor + 1);
    case 'home':
    case 'ctrl-a':
      return move(0);
    case 'end':
    case 'ctrl-e':
      return move(chars.length);
    case 'up':
    case 'ctrl-p':
      return recall(prompt.at - 1);
    case 'down':
    case 'ctrl-n':
      return recall(prompt.at + 1);
    case 'space':
      return replace(cursor, cursor, ' ');
    default: {
      const text = key.startsWith(PASTED) ? key.slice(PASTED.length) : isTyped(key) ? key : '';
      return replace(cursor, cursor, text.slice(0, Math.max(0, LONGEST - prompt.text.length)));
    }
  }
}

/** Tab: what all choices have in common, then each choice in turn. */
function completed(prompt: Prompt, complete: Completer, by: 1 | -1): Prompt {
  const set = (text: string, choices: Prompt['choices']): Prompt => ({ ...prompt, text, cursor: [...text].length, choices });
  if (prompt.choices !== null) {
    const { texts, at } = prompt.choices;
    const next = (at + by + texts.length) % texts.length;
    return set(texts[next] ?? prompt.text, { texts, at: next });
  }
  const texts = complete(prompt.text);
  const [only] = texts;
  if (only === undefined) return prompt;
  if (texts.length === 1) return set(only, null);
  const common = commonStart(texts);
  return common.length > prompt.text.length ? set(common, null) : set(only, { texts, at: 0 });
}

function commonStart(texts: readonly string[]): string {
  let start = texts[0] ?? '';
  for (const text of texts) while (!text.startsWith(start)) start = start.slice(0, -1);
  return start;
}

/** The prompt as the footer shows it, with a block where the next character goes, and what else Tab could make of it. */
export function promptLine(prompt: Prompt, width: number): Line {
  const chars = [...prompt.text];
  const after = chars.slice(prompt.cursor + 1).join('');
  const at = chars[prompt.cursor];
  const cursor = at === undefined ? span('█', 'focus') : span(at, 'cursor');
  const others = prompt.choices === null ? '' : `  ${prompt.choices.at + 1}/${prompt.choices.texts.length}  ${prompt.choices.texts.map(lastWord).join('  ')}`;
  const before: Line = [span(prompt.sign, 'key'), span(chars.slice(0, prompt.cursor).join(''))];
  // of a text that is too long, the part around the cursor
  const out = lineWidth(before) + 1 - width;
  return skip([...before, cursor, span(after), span(others, 'dim')], out <= 0 ? 0 : out + Math.floor(width / 4));
}

const lastWord = (text: string): string => text.trimEnd().split(' ').at(-1) ?? text;

/** `history` with `text` at its end, once. */
export const remember = (history: readonly string[], text: string): readonly string[] =>
  text === '' ? history : [...history.filter((entry) => entry !== text), text].slice(-200);
