/** `luo-inspect abi check`: can one kernel take over from another? */
import { type Command, Option } from 'commander';
import type { BtfOption } from './dump-contracts.js';
import { tell } from './messages.js';
import { layoutOptions } from './report.js';
import { paintsOutput } from './terminal.js';

interface Options extends BtfOption {
  readonly from: string;
  readonly to: string;
  readonly json?: boolean;
  readonly suppress?: string;
  readonly failOn: 'error' | 'warning' | 'info';
  readonly verbose?: boolean;
  readonly color?: boolean;
}

export function registerAbiCheck(abi: Command): void {
  layoutOptions(abi.command('check'))
    .description('can a kernel take over from another? Each: a release (7.1), a BTF file, vmlinux or vmlinuz, or a dump')
    .requiredOption('--from <x>', 'the kernel that hands over, or a dump of what it wrote')
    .requiredOption('--to <y>', 'the kernel that is to take over')
    .option('--json', 'as JSON (schema luo-inspect.compat/1)')
    .option('--suppress <file>', 'findings that were accepted (YAML: schema: luo-inspect.suppress/1, suppress: [{rule, path?, at?, reason}])')
    .addOption(new Option('--fail-on <severity>', 'exit with 1 from this severity on').choices(['error', 'warning', 'info']).default('error'))
    .option('--verbose', 'say how both sides are known')
    .option('--no-color', 'no colours')
    .action(runCheck);
}

async function runCheck(options: Options): Promise<void> {
  const [{ openSide }, { checkCompat }, { accept, fails, NO_SUPPRESSIONS }, { writeJson, writeLines }] = await Promise.all([
    import('./compat-side.js'),
    import('../compat/check.js'),
    import('../compat/suppressions.js'),
    import('./output.js'),
  ]);
  const suppressions = options.suppress === undefined ? NO_SUPPRESSIONS : (await import('../compat/suppress.js')).readSuppressions(options.suppress);
  const [from, to] = [await openSide(options.from, 'from', options), await openSide(options.to, 'to', options)];
  const result = accept(checkCompat(from, to), suppressions);
  for (const unused of suppressions.unused()) tell(`${options.suppress}: accepts nothing here: ${JSON.stringify(unused)}`);
  if (options.json === true) await writeJson((await import('../report/compat-text.js')).compatJson(result));
  else {
    const { compatText } = await import('../report/compat-text.js');
    const color = paintsOutput(options);
    await writeLines(compatText(result, { width: process.stdout.columns ?? 120, color, verbose: options.verbose === true }));
  }
  if (fails(result, options.failOn)) process.exitCode = 1;
}
