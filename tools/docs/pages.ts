/** Every file of the repository that is made of tables in the code, and what it must hold. */
import { commandLine, firstExamples } from '../../src/cli/commands.js';
import { manualPage } from '../../src/cli/manual.js';
import { contractJsonSchema, areaKeys, contractKeys, fileKeys, structKeys } from '../../src/contract-file/contract-file.js';
import { rules } from '../../src/diagnosis/rules/index.js';
import { scenarioJsonSchema } from '../../src/engine/scenario/parse.js';
import { rulesDocument } from '../../src/report/rules-text.js';
import { KEY_PAGES } from '../../src/tui/key-pages.js';
import { keysMarkdown } from '../../src/tui/model/keys.js';
import { abiDocument } from './abi.js';
import { dependenciesDocument } from './dependencies.js';
import { FIRST_MINUTES, firstMinutes } from './first-minutes.js';
import { peersDocument } from '../peers/results.js';
import { scenarioReference, keyTable } from './scenarios.js';
import { kernelLimits } from '../../src/kernel/limits.js';
import { limits } from '../../src/codec/limits.js';
import { MEMORY_LIMIT, SPARE_DISK } from '../../src/container/spool.js';
import { readFileSync } from 'node:fs';
import { bitKeys, fieldKeys } from '../../src/contract-file/fields.js';

const json = (schema: unknown): string => `${JSON.stringify(schema, null, 1)}\n`;

/** By path from the repository's root. */
export const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  'docs/abi.md': abiDocument,
  'docs/contracts.md': contractReference,
  'docs/dependencies.md': dependenciesDocument,
  'docs/keys.md': () => keysMarkdown(KEY_PAGES),
  'docs/limits.md': limitsReference,
  'docs/peers.md': peersDocument,
  'docs/rules.md': () => rulesDocument(rules),
  'docs/scenarios.md': scenarioReference,
  'man/luo-inspect.1': async () => manualPage(await commandLine(), firstExamples),
  ...Object.fromEntries(FIRST_MINUTES.map((path) => [path, firstMinutes(path)])),
  'samples/contract.schema.json': () => json(contractJsonSchema()),
  'samples/scenario.schema.json': () => json(scenarioJsonSchema()),
};

function limitsReference(): string {
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
    '## Where a compressed dump is unpacked',
    '',
    'A `.gz`, `.xz` or `.zst` dump, and one that comes through a pipe, is read from its start to its end once; what is in it is then asked for in no',
    `order. Up to ${MEMORY_LIMIT >> 20} MiB of it that are no zeros are held in memory, whatever the size with them. Past that all of it goes to a temporary file, in`,
    '`$TMPDIR` or `/tmp`, readable by its owner alone: as large as the dump unpacked, its runs of zeros holes. The file has no name from the moment it',
    'is open, so that nothing is left of it however the command ends, by a signal or a crash as well. Where the disk fills up, or has less than',
    `${SPARE_DISK >> 20} MiB left, the dump is refused, in one line, status 2.`,
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

const INTRODUCTION = `# Contracts of your own

A kernel that hands over a version nobody described is read by its own BTF (\`--btf\`, or a \`vmlinux\`, \`vmlinux.BTF\` or \`BTF\` beside the dump).
Where there is no BTF, or more is to be said than it holds, describe the version in a file and name it with \`--contract <file>\`: every command
takes the option, and takes it more than once. A string that is described here as well is read as the file says.

The file is plain YAML 1.2 data. Unknown keys and layouts that cannot be are errors, with line and column; editors check it against
\`samples/contract.schema.json\`. Structures may name others of the same contract, or any that \`luo-inspect abi list\` knows.

Nothing is claimed of how kernels behave that speak such a version: the verdict is \`unknown\` unless \`--next\` names a release. A handler with
no structure is known by its string alone: its files are no finding, and are not decoded. The same file serves a scenario's own handlers.

What a reader needs of the structures it follows, by the kernel's names: of \`luo_session_ser\` \`name\` and \`files\`; of \`luo_file_ser\`
\`compatible\`, \`data\` and \`token\`; of \`luo_flb_ser\` \`name\`, \`data\` and \`count\`; of a block's header \`next\` and \`count\`; of \`memfd_luo_ser\` \`size\`
and \`folios\`; of its folios \`pfn\` and \`index\`. Everything else may come, go, move and change its size. Of \`kho\` the structures alone can be described
(\`kho_vmalloc\`, \`kho_vmalloc_chunk\`, …): its root FDT and its map are taken to be those of the newest version known. A contract may name the structures
of those above it in the file.
`;

/** The whole page, as Markdown. */
function contractReference(): string {
  const parts = [INTRODUCTION];
  for (const [title, keys] of [
    ['The file', fileKeys],
    ['contracts', contractKeys],
    ['structs', structKeys],
    ['fields', fieldKeys],
    ['bits', bitKeys],
    ['areas', areaKeys],
  ] as const)
    parts.push(`## ${title}\n`, `${keyTable(keys)}\n`);
  parts.push(
    '## An example\n',
    'In its short form a field is its type: `u8` to `u64`, `s32`, `s64`, `phys` (a physical address), `char[n]` (text), `bytes[n]`, a structure,',
    'and any of these with `[n]`.\n',
    '```yaml',
    readFileSync('samples/contracts/next-kernel.yaml', 'utf8').trimEnd(),
    '```',
  );
  return `${parts.join('\n').trimEnd()}\n`;
}
