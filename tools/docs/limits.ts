/** docs/limits.md: the table of what one command may spend, made from the limits themselves. */
import { kernelLimits } from '../../src/kernel/limits.js';
import { limits } from '../../src/codec/limits.js';

export function limitsReference(): string {
  const rows = Object.entries(limits).map(([name, { allowed, unit, counts, past }]) => `| \`${name}\` | ${allowed} ${unit} | ${counts} | ${past} |`);
  return `${[
    '# Limits',
    '',
    'A dump says how much of everything there is, and a damaged or hostile one says anything. So each command has a budget, counted over all',
    'it reads: structures that many pointers lead to are decoded once, and past a limit it stops there, keeps what it has, and tells.',
    '',
    '`diagnose` and `report` then have a finding `limit/reached` (an error: status 1) that says which limit, where, and how much was left;',
    'where nothing useful can be had past it, the file is refused (status 2, one line). Either names the option that raises it:',
    '',
    '```sh',
    'luo-inspect diagnose dump.elf --limit check-items=33554432 --limit handovers=512',
    '```',
    '',
    'Every command takes `--limit`, as often as needed.',
    '',
    '| limit | unless raised | what is counted | past it |',
    '|---|---|---|---|',
    ...rows,
    '',
    '## In a kernel’s own memory',
    '',
    'Objects of a running kernel (docs/objects.md) are read within these; no option raises them. What one ends is told as damage of the objects',
    '(`live/damaged-objects`), and a list of sessions that was not followed to its end in the verdict.',
    '',
    '| most | of what |',
    '|---|---|',
    ...Object.values(kernelLimits).map(({ value, unit, counts }) => `| ${value} ${unit} | ${counts} |`),
  ].join('\n')}\n`;
}
