/** `luo-inspect report <dump>`: everything decoded, with the findings. */
import type { Command } from 'commander';

export function registerReport(program: Command): void {
  program
    .command('report <dump>')
    .description('the whole decoded handover, with the findings')
    .option('--json', 'as JSON')
    .option('--kho-fdt <paddr>', 'physical address of the root FDT')
    .option('--verbose', 'how container, roles and versions were recognised')
    .action(async (path: string, options: { json?: boolean; khoFdt?: string; verbose?: boolean }) => {
      const { loadDump } = await import('./load-dump.js');
      const { reportJson } = await import('../report/report-json.js');
      const { opened, report } = await loadDump(path, options);
      try {
        process.stdout.write(`${JSON.stringify(reportJson(report), null, 2)}\n`);
      } finally {
        opened.close();
      }
    });
}
