/** `luo-inspect abi diff`: two releases, contracts, structures, dumps or kernels side by side, field by field. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { DiffOperand } from '../compat/diff.js';
import type { BtfOption } from './dump-contracts.js';
import { layoutOptions } from './report.js';
import { paintsOutput } from './terminal.js';

interface Options extends BtfOption {
  readonly json?: boolean;
  readonly struct?: string;
  readonly color?: boolean;
}

export function registerAbiDiff(abi: Command): void {
  layoutOptions(abi.command('diff'))
    .description('two releases, compatibles, structures, dumps, BTF or kernel files side by side, field by field')
    .argument('<a>', 'a release (7.1), a compatible string (memfd-v1), struct@compatible, a dump, a BTF file, vmlinux or vmlinuz')
    .argument('<b>', 'the other one')
    .option('--json', 'as JSON (schema luo-inspect.abi-diff/1)')
    .option('--struct <name>', 'only this structure; of a kernel or BTF file, any of its structures')
    .option('--no-color', 'no colours')
    .action(runDiff);
}

async function runDiff(a: string, b: string, options: Options): Promise<void> {
  const [{ diffAbi }, { diffJson, diffText }, { writeJson, writeLines }] = await Promise.all([
    import('../compat/diff.js'),
    import('../report/compat-text.js'),
    import('./output.js'),
  ]);
  const only = options.struct ?? (structOf(a) || structOf(b) || null);
  const diff = diffAbi(await operand(a, only, options), await operand(b, only, options));
  if (options.json === true) return writeJson(diffJson(diff));
  const color = paintsOutput(options);
  await writeLines(diffText(diff, { width: process.stdout.columns ?? 120, color }));
}

/** The structure that `struct@compatible` names; '' where it is something else. */
function structOf(text: string): string {
  const at = text.indexOf('@');
  return at === -1 || existsSync(text) ? '' : text.slice(0, at).replace(/^struct\s+/, '');
}

async function operand(text: string, only: string | null, layouts: BtfOption): Promise<DiffOperand> {
  const [{ contractsNamed, structsNamed }, { operandOfContracts, operandOfSide }, { looksLikeRelease }, { openSide }] = await Promise.all([
    import('../report/abi-show.js'),
    import('../compat/diff.js'),
    import('../compat/release-side.js'),
    import('./compat-side.js'),
  ]);
  if (!existsSync(text) && !looksLikeRelease(text)) {
    const contracts = contractsNamed(text);
    if (contracts.length > 0) return operandOfContracts(text, contracts, only);
    if (structOf(text) !== '' || !/[/.]/.test(text)) {
      const found = structsNamed(text);
      const holders = found.slice(0, 1).flatMap((layout) => layout.contracts.slice(0, 1));
      return operandOfContracts(text, holders, only ?? found[0]?.struct.name ?? null);
    }
  }
  if (only !== null && existsSync(text)) {
    const { structOperand } = await import('./compat-file.js');
    const operandOfFile = await structOperand(text, only);
    if (operandOfFile !== null) return operandOfFile;
  }
  return { ...operandOfSide(await openSide(text, 'from', layouts)), only };
}
