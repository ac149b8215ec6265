/** `abi show`: a structure field by field, or a contract with its nodes, areas and notes. */
import type { Command } from 'commander';
import { parsePageSize } from './numbers.js';

interface Options {
  readonly json?: boolean;
  readonly pageSize?: number;
}

export function registerAbiShow(abi: Command): void {
  abi
    .command('show')
    .description('a structure with offsets, sizes, types, holes and meaning; or a contract')
    .argument('<struct[@compatible]>', 'a structure, in one version or all; a contract, by compatible string or id; KVM_CAP_… or KVM_EXIT_…')
    .option('--json', 'as JSON')
    .option('--page-size <bytes>', 'page size it is laid out for: 4096, 16384 or 65536', parsePageSize)
    .action(async (wanted: string, options: Options) => {
      const { contractsNamed, structsNamed } = await import('../report/abi-show.js');
      const { contractJson, contractText, structJson, structText } = await import('../report/abi-show.js');
      const { DEFAULT_PAGE_SIZE } = await import('../codec/layout-table.js');
      const { writeJson, writeLines } = await import('./output.js');
      const pageSize = options.pageSize ?? DEFAULT_PAGE_SIZE;
      const contracts = contractsNamed(wanted);
      const { kvmNumberJson, kvmNumbers, kvmNumberText } = await import('../report/abi-show.js');
      const numbers = contracts.length === 0 ? kvmNumbers(wanted) : [];
      const payloads = numbers.length === 1 ? numbers.flatMap(({ payload }) => (payload === null ? [] : structsNamed(`kvm_run.${payload}`))) : [];
      const structs = contracts.length > 0 ? [] : numbers.length > 0 ? payloads : structsNamed(wanted);
      if (options.json === true) {
        const json = {
          schema: 'luo-inspect.abi-show/1',
          pageSize,
          structs: structs.map((found) => structJson(found, pageSize)),
          contracts: contracts.map((contract) => contractJson(contract, pageSize)),
          ...(numbers.length === 0 ? {} : { numbers: numbers.map(kvmNumberJson) }),
        };
        await writeJson(json);
        return;
      }
      const parts = [
        ...(numbers.length === 0 ? [] : [numbers.map(kvmNumberText)]),
        ...contracts.map((contract) => contractText(contract, pageSize)),
        ...structs.map((found) => structText(found, pageSize)),
      ];
      await writeLines(parts.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines])));
    });
}
