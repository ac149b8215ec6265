/** What a terminal without UTF-8 (a serial console, LANG=C) is given instead of lines, arrows and other signs. */
const PLAIN: Readonly<Record<string, string>> = {
  '│': '|',
  '─': '-',
  '━': '=',
  '›': '>',
  '▾': 'v',
  '▸': '>',
  '∅': 'x',
  '→': '>',
  '←': '<',
  '↑': '^',
  '↓': 'v',
  '▶': '>',
  '◂': '<',
  '“': '"',
  '”': '"',
  '●': '*',
  '◆': '*',
  '…': '~',
  '·': '.',
  '█': '_',
  '×': 'x',
  '–': '-',
};

/** Does the environment say that the terminal is not in UTF-8? Where it says nothing, it is. */
export function isPlainTerminal(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== '');
  return locale !== undefined && !/utf-?8/i.test(locale);
}

/** `frame` in ASCII, column for column; what has no likeness is a question mark. */
export const toPlain = (frame: string): string =>
  frame.replace(
    /[^\x00-\x7f]/gu,
    (char) =>
      PLAIN[char] ??
      (/\p{M}/u.test(char) ? '' : /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]|[\u{1f300}-\u{3fffd}]/u.test(char) ? '??' : '?'),
  );
