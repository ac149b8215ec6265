/** `luo-inspect log <dump>`: the printk ring of the kernel in the dump, KHO's and LUO's lines tied to what they speak of. */
import type { Command } from 'commander';
import { UserError } from '../codec/user-error.js';
import type { BtfOption } from './dump-contracts.js';
import { layoutOptions } from './report.js';
import { atEnd } from '../codec/at-end.js';

interface Options extends BtfOption {
  readonly json?: boolean;
  /** false with --no-color */
  readonly color?: boolean;
  readonly symbols?: string;
  readonly vmlinux?: string;
}

export function registerLog(program: Command): void {
  layoutOptions(program.command('log <dump>'))
    .description("the printk ring of the kernel in the dump, KHO's and LUO's lines tied to their objects")
    .option('--symbols <file>', 'System.map of the kernel in the dump, where the dump lacks its symbols')
    .option('--vmlinux <file>', 'its vmlinux: symbols and BTF')
    .option('--json', 'as JSON (schema luo-inspect.log/1)')
    .option('--no-color', 'no colours')
    .action(runLog);
}

async function runLog(path: string, options: Options): Promise<void> {
  const [
    { openDump },
    { decodeDumpByBtf },
    { loadObjects },
    { kernelRecords },
    { panicIn },
    { tiedLine },
    report,
    { writeJson, writeLines },
    { paintsOutput },
  ] = await Promise.all([
    import('../container/open.js'),
    import('./decode-dump.js'),
    import('./load-objects.js'),
    import('../kernel/log.js'),
    import('../kernel/panic.js'),
    import('../diagnosis/log/tied-lines.js'),
    import('../report/log-report.js'),
    import('./output.js'),
    import('./terminal.js'),
  ]);
  const opened = await openDump(path);
  using _opened = atEnd(() => opened.close());
  const read = await decodeDumpByBtf(opened, null, options);
  const { decoded } = await loadObjects(read.opened, read.decoded, { ...options, types: read.btf });
  const records = kernelRecords(read.opened.memory, read.opened.vmcoreinfo);
  if (records === null) {
    const why =
      read.opened.vmcoreinfo === null ? 'nothing in it tells where its kernel is: it has no VMCOREINFO' : 'the pages of its printk buffer are not in it';
    throw new UserError(`${path}: the kernel's log can't be read: ${why}; take a dump with kernel data (makedumpfile -d 31 has it)`);
  }
  const lines = records.map((record) => ({ record, ...tiedLine(decoded, record.text) }));
  const log = { path, release: read.kernel?.release ?? null, lines, panic: panicIn(records.map(({ text }) => text)) };
  if (options.json === true) await writeJson(report.logJson(log));
  else await writeLines(report.logText(log, paintsOutput(options)));
}
