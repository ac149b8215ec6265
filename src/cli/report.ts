/** `luo-inspect report <dump>`: everything decoded, with the findings. */
import type { Command } from 'commander';
import { tellEvidence } from './messages.js';
import { atEnd } from '../codec/at-end.js';

/** What `searchOptions` gives. */
export interface SearchCommandOptions {
  /** false with --no-btf */
  readonly btf?: string | boolean;
  readonly khoFdt?: string;
  readonly scan?: boolean;
}

/** What `dumpOptions` gives, and the forms of output. */
export interface DumpCommandOptions extends SearchCommandOptions {
  readonly json?: boolean;
  readonly ndjson?: boolean;
  readonly iomem?: string;
  readonly symbols?: string;
  readonly vmlinux?: string;
  readonly verbose?: boolean;
  readonly log?: string | boolean;
  /** a release, or a vmlinux */
  readonly next?: string;
  readonly cmdline?: string;
  /** false with --no-verdict */
  readonly verdict?: boolean;
}

/** What tells the layouts of a kernel that no contract describes. */
export const layoutOptions = (command: Command): Command =>
  command
    .option('--btf <file>', 'BTF, vmlinux or vmlinuz of the kernel that wrote the dump: layouts of versions that no contract describes')
    .option('--no-btf', "don't use a vmlinux, vmlinux.BTF or BTF in the dump's folder");

/** Where handovers are found. */
export const searchOptions = (command: Command): Command =>
  layoutOptions(command)
    .option('--kho-fdt <paddr>', 'physical address of the root FDT, where it is not found by itself')
    .option('--scan', "search all memory for handovers, not only where the kernel's own objects name them");

/** The options every command that takes a dump has. */
export const dumpOptions = (command: Command): Command =>
  searchOptions(command)
    .option('--iomem <file>', "a copy of the machine's /proc/iomem: where memory is in a raw dump")
    .option('--symbols <file>', 'System.map of the kernel in the dump, where the dump lacks its symbols')
    .option('--vmlinux <file>', 'vmlinux of the kernel in the dump: symbols and BTF, where the dump lacks them')
    .option('--log <file>', 'a console log beside the dump')
    .option('--no-log', "don't look for a console.log in the dump's folder")
    .option('--next <release|vmlinux>', 'the kernel that takes over; by default as the log, the dump or the handover tells')
    .option('--cmdline <text>', "that kernel's command line (kho=, liveupdate=)")
    .option('--verbose', 'say how container, roles and versions were recognised');

export function registerReport(program: Command): void {
  dumpOptions(program.command('report <dump>').description('the whole decoded handover, with the findings'))
    .option('--no-verdict', "don't run the next kernel on the dump: faster, and the verdict is that of the rules alone")
    .option('--json', 'as JSON (schema luo-inspect.report/1)')
    .option('--ndjson', 'as JSON, a line each: source, verdict, handover, session, file, run of folios, finding; for what is too large to hold')
    .action(runReport);
}

/** Prints the report of a dump. @throws UserError */
export async function runReport(path: string, options: DumpCommandOptions): Promise<void> {
  const [{ loadDump }, { writeJson, writeLines }] = await Promise.all([import('./load-dump.js'), import('./output.js')]);
  const { opened, report } = await loadDump(path, options);
  using _opened = atEnd(() => opened.close());
  if (options.verbose === true) tellEvidence(report.evidence);
  if (options.ndjson === true) await writeLines((await import('../report/report-json.js')).reportNdjson(report));
  else if (options.json === true) await writeJson((await import('../report/report-json.js')).reportJson(report));
  else await writeLines((await import('../report/report-text.js')).reportText(report));
}
