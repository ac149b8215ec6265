/** What a view remembers of its user from one run to the next: what was typed, named places, breakpoints. Plain data, read back with care. */

export interface Kept {
  /** what was typed, by the prompt's sign */
  readonly histories: Readonly<Record<string, readonly string[]>>;
  /** named places: a path, an address or a step, as the view writes them */
  readonly marks: Readonly<Record<string, string>>;
  readonly breakpoints: readonly string[];
  /** of memory: step, address and bytes, as the view writes them */
  readonly edits: readonly string[];
  /** a name of the theme the user chose; null for none */
  readonly theme: string | null;
}

export const NOTHING_KEPT: Kept = { histories: {}, marks: {}, breakpoints: [], edits: [], theme: null };

const MOST = 200;
const LONGEST = 1024;

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= LONGEST;

const entriesOf = (value: unknown): readonly (readonly [string, unknown])[] =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value).slice(0, MOST) : [];

const textsOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.filter(isText).slice(-MOST) : []);

/** From the text of a file; whatever is not as it should be is left out. */
export function parseKept(text: string): Kept {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return NOTHING_KEPT;
  }
  const parts = new Map(entriesOf(value));
  const theme = parts.get('theme');
  return {
    histories: Object.fromEntries(entriesOf(parts.get('histories')).map(([sign, texts]) => [sign, textsOf(texts)])),
    marks: Object.fromEntries(entriesOf(parts.get('marks')).flatMap(([name, place]) => (isText(place) ? [[name, place] as const] : []))),
    breakpoints: textsOf(parts.get('breakpoints')),
    edits: textsOf(parts.get('edits')),
    theme: isText(theme) ? theme : null,
  };
}
