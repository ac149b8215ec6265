/** man/luo-inspect.1, made from the command table. */
import type { CommandLine, CommandModel } from './command-model.js';

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replaceAll('…', '...').replaceAll('’', '\\(aq').replace(/^\./, '\\&.');

/** @param firstExamples what a newcomer may try first */
export function manualPage(line: CommandLine, firstExamples: CommandModel['examples']): string {
  const out = [
    '.TH LUO\\-INSPECT 1',
    '.SH NAME',
    `luo\\-inspect \\- ${escaped(line.description)}`,
    '.SH SYNOPSIS',
    '.B luo\\-inspect',
    '.I dump',
    '.br',
    '.B luo\\-inspect',
    '.I command',
    '[options]',
    '.SH DESCRIPTION',
    'A dump is an ELF core, a kdump\\-compressed file, raw physical memory, LiME, a copy of /sys/kernel/debug/kho, or a bare KHO FDT;',
    'each also compressed with gzip, xz or zstd. It is recognised by its content. \\- is standard input.',
    'Where no such file is there, the name of a sample or scenario that ships stands for it.',
    '.SH COMMANDS',
  ];
  for (const { path, args, description, options, examples } of line.commands) {
    out.push('.SS ' + escaped(`luo-inspect ${path}${args === '' ? '' : ` ${args}`}`), escaped(description) + '.');
    for (const option of options) {
      if (option.names.includes('--limit')) continue;
      out.push('.TP', `.B ${escaped(option.names.join(', '))} ${escaped(option.value)}`.trimEnd());
      out.push(escaped(`${option.description}${option.choices.length > 0 ? ` (${option.choices.join(', ')})` : ''}`));
    }
    for (const [example, purpose] of examples) out.push('.PP', escaped(`${purpose}:`), '.RS', '.nf', escaped(`luo-inspect ${example}`), '.fi', '.RE');
  }
  out.push(
    '.SH LIMITS',
    'Every command takes',
    '.B \\-\\-limit',
    '.IR name = n :',
    'what a dump says is read within limits of time and memory; docs/limits.md lists them.',
    '.SH EXIT STATUS',
    '0: nothing wrong. 1: findings at or above \\-\\-fail\\-on, an incompatible pair, or a failed expectation. 2: the input could not be read, the output not written, or the command was misused.',
    '.SH ENVIRONMENT',
    '.TP',
    '.B NO_COLOR',
    'no colours.',
    '.TP',
    '.B TMPDIR',
    'where compressed dumps are unpacked.',
    '.SH EXAMPLES',
  );
  for (const [example, purpose] of firstExamples) out.push('.TP', `.B ${escaped(`luo-inspect ${example}`)}`, escaped(purpose));
  return `${out.join('\n')}\n`;
}
