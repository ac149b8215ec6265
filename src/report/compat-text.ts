/** `abi check` for people: the answer first, then what happens layer by layer, in the order in which the next kernel meets them. */
import type { CompatResult, CompatSeverity, LayerVerdict } from '../compat/verdict.js';
import { escapeText } from './escape.js';

interface CompatTextOptions {
  /** columns of the terminal */
  readonly width: number;
  readonly color: boolean;
  readonly verbose: boolean;
}

const answers: Readonly<Record<CompatResult['verdict'], string>> = {
  compatible: 'yes',
  incompatible: 'no',
  unknown: 'cannot be told',
};

const colors: Readonly<Record<CompatSeverity | 'good', string>> = { error: '31', warning: '33', info: '2', good: '32' };

export function compatText(result: CompatResult, options: CompatTextOptions): readonly string[] {
  const paint = (text: string, color: keyof typeof colors): string => (options.color ? `\u001b[${colors[color]}m${text}\u001b[0m` : text);
  const answer = paint(answers[result.verdict], result.verdict === 'compatible' ? 'good' : result.verdict === 'unknown' ? 'warning' : 'error');
  const lines = [`Can ${escapeText(result.to)} take over from ${escapeText(result.from)}? ${answer}`, ''];
  const cells = result.layers.map((row) => [row.layer, row.from ?? '-', row.to ?? '-', outcomeText(row)].map(escapeText));
  const head = ['layer', 'written', 'spoken', 'outcome'];
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  const indent = widths.reduce((sum, width) => sum + width + 2, 0);
  lines.push(`${line(head)}  what happens`);
  result.layers.forEach((row, index) => {
    const accepted = row.suppressed === null ? '' : ` [accepted: ${row.suppressed}]`;
    const text = wrap(escapeText(row.text + accepted), Math.max(30, options.width - indent));
    const shown = line(cells[index] ?? []);
    const painted = row.suppressed !== null ? paint(shown, 'info') : row.outcome === 'taken-over' ? paint(shown, 'good') : paint(shown, row.severity);
    lines.push(`${painted}  ${text[0] ?? ''}`.trimEnd(), ...text.slice(1).map((rest) => ' '.repeat(indent) + rest));
  });
  for (const remark of result.remarks) {
    const accepted = remark.suppressed === null ? '' : ` [accepted: ${remark.suppressed}]`;
    lines.push('', ...wrap(`${remark.severity} ${remark.rule}: ${escapeText(remark.message + accepted)}`, options.width));
  }
  for (const note of result.notes) lines.push('', ...wrap(`note: ${escapeText(note)}`, options.width));
  if (options.verbose) lines.push('', ...result.evidence.flatMap((text) => wrap(escapeText(text), options.width)));
  return lines;
}

const outcomeText = (row: LayerVerdict): string => `${row.outcome}${row.errno === null ? '' : ` (${row.errno})`}`;

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
