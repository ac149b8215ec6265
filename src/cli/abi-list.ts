/** `abi list`: every contract, and which release speaks it. */
import { type Command, Option } from 'commander';
import type { Status } from '../../abi/contract.js';
import { parsePageSize } from './numbers.js';

interface Options {
  readonly json?: boolean;
  readonly status?: Status;
  readonly pageSize?: number;
}

export function registerAbiList(abi: Command): void {
  abi
    .command('list')
    .description('every contract and layout known, by kernel release')
    .addOption(
      new Option('--status <status>', 'only contracts that have come so far').choices([
        'released',
        'window',
        'queued',
        'review',
        'rfc',
        'superseded',
        'test',
        'user-space',
      ]),
    )
    .option('--json', 'as JSON')
    .option('--page-size <bytes>', 'page size that capacities are told for: 4096, 16384 or 65536', parsePageSize)
    .action(async (options: Options) => {
      const { listJson, listText } = await import('../report/abi-list.js');
      const { DEFAULT_PAGE_SIZE } = await import('../codec/layout-table.js');
      const { writeJson, writeLines } = await import('./output.js');
      if (options.json === true) await writeJson(listJson(options.pageSize ?? DEFAULT_PAGE_SIZE, options.status ?? null));
      else await writeLines(listText(options.status ?? null));
    });
}
