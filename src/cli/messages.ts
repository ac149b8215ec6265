/** What commands say beside their output: on standard error, a line each, in one voice. */
import { oneLine } from '../report/escape.js';

/** A message, in one line whatever it quotes. */
export const tell = (text: string): void => void process.stderr.write(`luo-inspect: ${oneLine(text)}\n`);

/** The lines of --verbose. */
export const tellEvidence = (lines: readonly string[]): void => {
  for (const line of lines) process.stderr.write(`${oneLine(line)}\n`);
};
