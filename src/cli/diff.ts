/** `luo-inspect diff <before> <after>`: what a handover kept, lost or changed; exits with 1 where something was lost or changed, or a limit ended the comparison. */
import { type Command, Option } from 'commander';
import type { CompareModel } from '../tui/open.js';
import { type Opening, withOpening } from './opening.js';
import { layoutOptions } from './report.js';
import { escapeText } from '../report/escape.js';
import { withBudgetAgain } from '../codec/budget.js';
import { UserError } from '../codec/user-error.js';
import { atEnd } from '../codec/at-end.js';

interface Options {
  readonly btf?: string | boolean;
  readonly json?: boolean;
  /** of both dumps, or of the first and then of the second */
  readonly khoFdt?: readonly string[];
  readonly scan?: boolean;
  readonly tui?: boolean;
  /** false with --no-color */
  readonly color?: boolean;
}

export function registerDiff(program: Command): void {
  layoutOptions(program.command('diff <before> <after>'))
    .description('what a handover kept, lost or changed: the outgoing dump beside the incoming one')
    .option(
      '--kho-fdt <paddr>',
      'physical address of the root FDT; given twice: in the first dump, then in the second',
      (text, before: readonly string[] = []) => [...before, text],
    )
    .option('--scan', "search all memory for handovers, not only where the kernels' own objects name them")
    .option('--json', 'as JSON (schema luo-inspect.diff/1)')
    .addOption(new Option('--tui', 'opens both side by side in the terminal UI').conflicts(['json']))
    .option('--no-color', 'no colours')
    .action(runDiff);
}

async function runDiff(before: string, after: string, options: Options): Promise<void> {
  if (options.tui === true) {
    await showDiff(before, after, options);
    return;
  }
  await withBoth(before, after, options, null, async ({ comparison, paths }) => {
    const { writeJson, writeLines } = await import('./output.js');
    if (options.json === true) await writeJson((await import('../report/diff-text.js')).diffJson(comparison, paths));
    else {
      const [{ diffText }, { paintsOutput }] = await Promise.all([import('../report/diff-text.js'), import('./terminal.js')]);
      await writeLines(diffText(comparison, paths, paintsOutput(options)));
    }
    if (comparison.notRead.length > 0 || comparison.differences.some(({ change }) => change === 'lost' || change === 'changed')) process.exitCode = 1;
  });
}

async function showDiff(before: string, after: string, options: Options): Promise<void> {
  const { terminalFor, wantsColor } = await import('./terminal.js');
  const terminal = terminalFor(false);
  if (terminal === null) throw new UserError('--tui needs a terminal for input and output; without --tui the differences are printed');
  const color = wantsColor(options);
  await withOpening(
    [before, after],
    color,
    terminal,
    async (opening) => opening,
    async (opening, loading) =>
      await withBoth(before, after, options, opening, async (model) => {
        const { openComparison } = await import('../tui/open.js');
        await openComparison(model, { color, loading });
      }),
  );
}

/** Both dumps, open for as long as `use` takes. */
async function withBoth(before: string, after: string, options: Options, opening: Opening | null, use: (model: CompareModel) => Promise<void>): Promise<void> {
  const { khoFdt = [] } = options;
  if (khoFdt.length > 2) throw new UserError('--kho-fdt is given more than twice; give it once for both dumps, or once for each');
  const [{ loadDecoded }, { comparisonOf }, { showProgress }] = await Promise.all([
    import('./load-dump.js'),
    import('./comparison.js'),
    import('./progress.js'),
  ]);
  await opening?.stage(`decoding ${escapeText(before)}`);
  const first = await loadDecoded(before, { ...options, khoFdt: khoFdt[0] }, opening?.wrap ?? null);
  using _firstOpened = atEnd(() => first.opened.close());
  await opening?.stage(`decoding ${escapeText(after)}`);
  const second = await withBudgetAgain(() => loadDecoded(after, { ...options, khoFdt: khoFdt.at(-1) }, opening?.wrap ?? null));
  using _secondOpened = atEnd(() => second.opened.close());
  await opening?.stage('comparing');
  const endProgress = opening === null ? showProgress() : () => undefined;
  const openPages = second.objects.live?.openPages ?? null;
  const compared = comparisonOf({ path: before, decoded: first.decoded }, { path: after, decoded: second.decoded, openPages });
  endProgress();
  await use(compared);
}
