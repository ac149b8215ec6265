/** Lines for people: broken at the terminal's width, and painted where colour is wanted. For the outputs of commands; the terminal UI has its own. */

/** SGR codes by what they say. Source: ECMA-48, 8.3.117 */
const CODES = { error: '31', warning: '33', good: '32', info: '2', bold: '1' } as const;

export type Paint = (text: string, as: keyof typeof CODES) => string;

/** Paints text by what it says; leaves it as it is without `color`. */
export const painter =
  (color: boolean): Paint =>
  (text, as) =>
    color ? `\u001b[${CODES[as]}m${text}\u001b[0m` : text;

/** Breaks at spaces; a word longer than a line stays whole. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}
