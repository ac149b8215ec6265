/**
 * Text from a dump, made safe to print: whatever could steer a terminal, reorder a line or hide is shown as an escape.
 * For everything that writes names and strings for people (JSON escapes by itself).
 */

/**
 * C0, DEL and C1 controls, format characters (bidi overrides, zero-width, tags), line and paragraph separators, private
 * use, unassigned and lone surrogates, spaces that look like a space and are not, and marks without a base.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\\]|(?! )\p{Zs}|(?<![\p{L}\p{N}])\p{M}/gu;

const NAMED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0' };

/** `text` with every character that is not plainly visible as `\n`, `\xNN` or `\u{…}`; a backslash is doubled, so that it stays readable. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const named = NAMED[char];
    if (named !== undefined) return named;
    const code = char.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** What JSON.stringify leaves in strings and a terminal may act on, or not show. */
const HIDDEN = /[\x7f-\x9f\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const ALL_PLAIN = /^[\x00-\x7e]*$/;

/** Finished output, with what could still hide in it as \\uXXXX: in JSON the same string, in text readable. Colours stay. */
export function plainOutput(text: string): string {
  if (ALL_PLAIN.test(text)) return text;
  return text.replace(HIDDEN, (char) =>
    Array.from({ length: char.length }, (_, index) => `\\u${char.charCodeAt(index).toString(16).padStart(4, '0')}`).join(''),
  );
}

/** A message in one line: as `plainOutput`, and control characters as spaces. */
export const oneLine = (text: string): string => plainOutput(text.trimEnd().replaceAll(/[\x00-\x1f]+/g, ' '));

/** A word as a shell takes it: quoted where it has to be. */
export const shellWord = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
