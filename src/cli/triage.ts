/** `luo-inspect triage <files>`: many dumps, a line each with its failure signature, and which of them failed alike. */
import { Option, type Command } from 'commander';
import { parseCount } from './numbers.js';
import { layoutOptions } from './report.js';
import type { TriageOptions } from './triage-run.js';

export function registerTriage(program: Command): void {
  layoutOptions(program.command('triage [dumps...]'))
    .description('many dumps: one line a dump with its failure signature, and clusters; - reads a list from standard input')
    .option('--jobs <n>', 'so many at once', parseCount, 1)
    .option('--ndjson', 'one JSON object a line (schema luo-inspect.triage/1), clusters last')
    .option('--resume <file>', 'NDJSON of an earlier run: dumps that it has are not opened again, unless they changed')
    .option('--timeout <seconds>', 'a dump that takes longer is given up', parseCount, 300)
    .addOption(new Option('--fail-on <severity>', 'exit with 1 from this severity on').choices(['error', 'warning', 'info', 'never']).default('error'))
    .action(async (dumps: readonly string[], options: TriageOptions) => {
      const { runTriage } = await import('./triage-run.js');
      await runTriage(dumps, options);
    });
}
