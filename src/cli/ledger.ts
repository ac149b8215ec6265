/** `luo-inspect ledger <dump>…`: every preserved page by owner; over several dumps what grew and what leaked. */
import type { Command } from 'commander';
import { type SearchCommandOptions, searchOptions } from './report.js';
import type { LedgerOfDump } from '../report/ledger-model.js';

interface Options extends SearchCommandOptions {
  readonly json?: boolean;
  readonly symbols?: string;
  readonly vmlinux?: string;
}

export function registerLedger(program: Command): void {
  searchOptions(program.command('ledger <dump...>'))
    .description('every preserved page by owner; over several dumps, oldest first, what grew and what leaked')
    .option('--symbols <file>', 'System.map of the kernel in the dump, where the dump lacks its symbols')
    .option('--vmlinux <file>', 'vmlinux of the kernel in the dump: symbols and BTF, where the dump lacks them')
    .option('--json', 'as JSON (schema luo-inspect.ledger/1)')
    .action(runLedger);
}

async function runLedger(paths: readonly string[], options: Options): Promise<void> {
  const [{ loadDump }, { ledgerChain, ledgerOf }, { writeJson, writeLines }] = await Promise.all([
    import('./load-dump.js'),
    import('../report/ledger-model.js'),
    import('./output.js'),
  ]);
  const dumps: LedgerOfDump[] = [];
  const opened: { close(): void }[] = [];
  try {
    for (const path of paths) {
      const loaded = await loadDump(path, { ...options, log: false });
      opened.push(loaded.opened);
      dumps.push(ledgerOf(path, loaded.report.decoded));
    }
    const chain = ledgerChain(dumps);
    if (options.json === true) await writeJson((await import('../report/ledger-model.js')).ledgerJson(chain));
    else await writeLines((await import('../report/ledger-model.js')).ledgerText(chain));
  } finally {
    for (const each of opened) each.close();
  }
}
