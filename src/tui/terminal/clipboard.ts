/** Copying through the terminal (OSC 52), which works over ssh and needs nothing installed. */
const ESC = '\u001b';
/** Terminals drop longer sequences. */
const LONGEST = 100_000;

/** The sequence that puts `text` on the clipboard; wrapped where tmux or screen is in between. Null if it is too long. */
export function copySequence(text: string, env: Readonly<Record<string, string | undefined>>): string | null {
  const plain = `${ESC}]52;c;${Buffer.from(text).toString('base64')}\u0007`;
  if (plain.length > LONGEST) return null;
  if (env.TMUX !== undefined) return `${plain}${ESC}Ptmux;${plain.replaceAll(ESC, ESC + ESC)}${ESC}\\`;
  if (env.STY !== undefined) return `${ESC}P${plain}${ESC}\\`;
  return plain;
}

/** What copying comes to: the sequence to send, or why nothing is sent. */
export function copied(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): { readonly sequence: string; readonly said: null } | { readonly sequence: null; readonly said: string } {
  const sequence = copySequence(text, env);
  if (sequence !== null) return { sequence, said: null };
  return { sequence, said: `${text.length} characters are too much for the terminal's clipboard: nothing was copied; :export writes a file` };
}
