/** `luo-inspect <dump>`: the terminal UI; where standard output (or input) is no terminal, the text report. A kvm_run snapshot is shown as one. */
import { closeSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import type { LoadedDump } from './load-dump.js';
import { withOpening } from './opening.js';
import { onTerminal, terminalFor, wantsColor } from './terminal.js';
import { type DumpCommandOptions, dumpOptions, runReport } from './report.js';
import { withBudgetAgain } from '../codec/budget.js';
import { atEnd } from '../codec/at-end.js';

interface InspectOptions extends DumpCommandOptions {
  /** false with --no-color */
  readonly color?: boolean;
}

export function registerInspect(program: Command): void {
  dumpOptions(program.argument('<dump>', 'a dump, a kho folder, a KHO FDT, a kvm_run snapshot or a folder of them; - reads standard input'))
    .option('--no-color', 'no colours')
    .action(runInspect);
}

async function runInspect(path: string, options: InspectOptions): Promise<void> {
  if (await isKvmSnapshot(path)) {
    const { runKvm } = await import('./kvm.js');
    await runKvm(path, { tui: onTerminal(), ...(options.color === undefined ? {} : { color: options.color }) });
    return;
  }
  const terminal = terminalFor(path === '-');
  if (terminal === null) {
    await runReport(path, options);
    return;
  }
  const color = wantsColor(options);
  await withOpening<LoadedDump>(
    [path],
    color,
    terminal,
    async ({ stage, wrap }) => {
      const { loadDump } = await import('./load-dump.js');
      return await loadDump(path, { ...options, onStage: stage }, wrap);
    },
    async ({ report, opened }, loading) => {
      using _opened = atEnd(() => opened.close());
      const [{ inspectorModelOf }, { identityOf, openInspector }] = await Promise.all([import('../tui/inspector/from-report.js'), import('../tui/open.js')]);
      const { comparisonOf } = await import('./comparison.js');
      await openInspector(inspectorModelOf(report), {
        color,
        loading,
        identity: identityOf(path, 'inspector'),
        beside: async (other, show) => {
          const [{ loadDecoded }, { fileOrSample }] = await Promise.all([import('./load-dump.js'), import('./samples.js')]);
          const after = await withBudgetAgain(() => loadDecoded(fileOrSample(other), {}, (opened) => opened));
          using _afterOpened = atEnd(() => after.opened.close());
          const openPages = after.objects.live?.openPages ?? null;
          await show(comparisonOf({ path, decoded: report.decoded }, { path: other, decoded: after.decoded, openPages }));
        },
      });
    },
  );
}

async function isKvmSnapshot(path: string): Promise<boolean> {
  if (path === '-') return false;
  const names = namesIn(path);
  if (names !== null) return names.some((name) => SNAPSHOT.test(name)) && !names.some((name) => OTHER.test(name));
  const head = readHead(path);
  if (head === null) return false;
  const { looksLikeKvmRun } = await import('../kvm/recognise.js');
  return looksLikeKvmRun(head.bytes, head.size);
}

const SNAPSHOT = /\.kvm_run$/i;
/** In a folder beside snapshots: a copy of /sys/kernel/debug/kho, or a dump. */
const OTHER = /^(in|out|kho|debugfs|fdt|luo-capture)$|^vmcore|\.(elf|kdump|lime|raw)(\.|$)/;

/** null for what is no folder, or can't be read. */
function namesIn(path: string): readonly string[] | null {
  try {
    return statSync(path).isDirectory() ? readdirSync(path) : null;
  } catch {
    return null;
  }
}

/** The first page of a file; null where it is none, or can't be read (the dump loader then says why). */
function readHead(path: string): { readonly bytes: Uint8Array; readonly size: number } | null {
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size < 4096) return null;
    const fd = openSync(path, 'r');
    using _fd = atEnd(() => closeSync(fd));
    const bytes = new Uint8Array(4096);
    return { bytes: bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)), size: stat.size };
  } catch {
    return null;
  }
}
