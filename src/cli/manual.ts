/** man/luo-inspect.1, made from the command table. */
import type { CommandLine, CommandModel } from './command-model.js';

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replaceAll('…', '...').replaceAll('’', '\\(aq').replace(/^\./, '\\&.');

type Terms = readonly (readonly [name: string, meaning: string])[];

const ENVIRONMENT: Terms = [
  ['NO_COLOR', 'Not empty: no colours.'],
  ['FORCE_COLOR', '0: no colours; anything else: colours where output is no terminal, too.'],
  ['LUO_INSPECT_THEME', 'dark, light, 16 or none: the colours of the terminal UI. Else they follow COLORFGBG, TERM and COLORTERM.'],
  ['TERM', 'dumb: text instead of the terminal UI.'],
  ['TMPDIR', 'Where compressed dumps are unpacked; the file is removed as soon as it is open.'],
  ['XDG_STATE_HOME, XDG_CACHE_HOME', 'Where the files below are kept.'],
  ['NODE_DISABLE_COMPILE_CACHE', 'Not empty: no compiled code is kept or used.'],
  ['LUO_INSPECT_DEBUG', 'Not empty: an internal error shows where it happened.'],
];

const FILES: Terms = [
  [
    '$XDG_STATE_HOME/luo-inspect/ (~/.local/state/luo-inspect/)',
    'What the terminal UI remembers of each dump or scenario: searches, marks, breakpoints, edits, theme. For the user alone; may be removed.',
  ],
  [
    '$XDG_CACHE_HOME/luo-inspect/ (~/.cache/luo-inspect/)',
    'With Node 20: code that V8 compiled, a file a command, used only where it is the user’s own; may be removed. Newer Node keeps its own, in the folder that NODE_COMPILE_CACHE names, or under the temporary one.',
  ],
  ['console.log beside a dump', 'Is read as the console log of the kernel in it; --no-log leaves it alone.'],
];

const terms = (list: Terms): string[] => list.flatMap(([name, meaning]) => ['.TP', `.B ${escaped(name)}`, escaped(meaning)]);

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
    out.push(`.SS ${escaped(`luo-inspect ${path} ${args}`.trimEnd())}`, `${escaped(description)}.`);
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
    ...terms(ENVIRONMENT),
    '.SH FILES',
    ...terms(FILES),
    '.SH EXAMPLES',
  );
  for (const [example, purpose] of firstExamples) out.push('.TP', `.B ${escaped(`luo-inspect ${example}`)}`, escaped(purpose));
  return `${out.join('\n')}\n`;
}
