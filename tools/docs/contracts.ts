/** docs/contracts.md: how to describe a version of one's own, from the tables that the parser of contract files reads by. */
import { readFileSync } from 'node:fs';
import { areaKeys, contractKeys, fileKeys, structKeys } from '../../src/contract-file/contract-file.js';
import { bitKeys, fieldKeys } from '../../src/contract-file/fields.js';
import { keyTable } from './scenarios.js';

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
export function contractReference(): string {
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
