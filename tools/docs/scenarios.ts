/** docs/scenarios.md, made of the tables that the parser reads by. */
import { deviceKeys, handlerKeys, kernelKeys, machineKeys, reserveMemKeys } from '../../src/engine/scenario/document.js';
import { FAULTS } from '../../src/engine/scenario/faults.js';
import type { KeyTable } from '../../src/engine/scenario/keys.js';
import { scenarioKeys } from '../../src/engine/scenario/parse.js';
import { VERBS } from '../../src/engine/scenario/verbs.js';

const INTRODUCTION = `# Scenarios

A scenario is a YAML 1.2 file of plain data that \`luo-inspect sim\` carries out on the embedded engine. Unknown keys are errors, with line and
column; anchors, aliases and tags are refused. Integers are 64-bit, in decimal or \`0x…\`, quoted or not; sizes are \`n\`, \`nKiB\`, \`nMiB\`,
\`nGiB\`, \`nTiB\`; a name is text, or \`{ hex: … }\` for raw bytes. Editors check a file against \`samples/scenario.schema.json\`. The scenarios in
\`samples/scenarios\` show every verb.

A descriptor is named by the step that opens it (\`as\`) and lives until it is closed or the kernel is left. A step that fails opens nothing.

\`expect\` is 0 unless given: an errno's name, or \`{ ret, errno, same: <fd>, name }\`: the exact return value, an errno, another descriptor of the
same file, the name that get-name must answer.

## The content pattern

\`fill\` writes pages of the pattern that the captures in \`samples/\` were filled with. Page p of seed s: 512 little-endian u64, word i =
mix(s * 0x100000001B3 + 512 * p + i), all modulo 2^64; then bytes 0 to 31 are overwritten by the ASCII text \`LABPAGE \` + s as 8 hex digits + a
space + p as 12 hex digits, padded with NULs. mix(z): z += 0x9E3779B97F4A7C15; z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
z = (z ^ z >> 27) * 0x94D049BB133111EB; z ^ z >> 31. (With larger pages, so many words as a page holds in place of 512.)
`;

const cell = (text: string): string => text.replaceAll('|', '\\|');

function keyRows(keys: KeyTable): string[] {
  return Object.entries(keys).map(([name, key]) => {
    const fallback = key.required ? 'required' : key.shownDefault === '' ? '' : `\`${key.shownDefault}\``;
    return `| \`${name}\` | ${cell(key.type.label)} | ${cell(fallback)} | ${cell(key.doc)} |`;
  });
}

export const keyTable = (keys: KeyTable): string => ['| key | value | default | meaning |', '|---|---|---|---|', ...keyRows(keys)].join('\n');

/** The whole page, as Markdown. */
export function scenarioReference(): string {
  const parts = [INTRODUCTION, '## The file\n', `${keyTable(scenarioKeys)}\n`];
  for (const [title, keys] of [
    ['machine', machineKeys],
    ['kernels: a release, or', kernelKeys],
    ['devices', deviceKeys],
    ['handlers', handlerKeys],
    ['reserveMem', reserveMemKeys],
  ] as const)
    parts.push(`### ${title}\n`, `${keyTable(keys)}\n`);
  parts.push('## Steps\n', 'Every step has `do` and may have `expect`.\n');
  for (const [name, spec] of Object.entries(VERBS)) {
    parts.push(`### ${name}\n`, `${spec.summary}.\n`);
    if (Object.keys(spec.keys).length > 0) parts.push(`${keyTable(spec.keys)}\n`);
  }
  parts.push('## Faults\n', 'Every fault has `at` and may have `nth`: the nth time the point is reached in the whole run, from 1.\n');
  for (const spec of FAULTS) {
    parts.push(`### ${spec.at}\n`, `${spec.summary}.\n`);
    if (Object.keys(spec.keys).length > 0) parts.push(`${keyTable(spec.keys)}\n`);
  }
  return `${parts.join('\n').trimEnd()}\n`;
}
