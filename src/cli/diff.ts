/** `luo-inspect diff <before> <after>`: what a handover kept, lost or changed; exits with 1 where something was lost or changed. */
import type { Command } from 'commander';
import { layoutOptions } from './report.js';
import { UserError } from '../codec/user-error.js';
import type { Comparison } from '../handover/compare/compare.js';
import { hex } from '../tree/words.js';

interface Options {
  readonly btf?: string | boolean;
  readonly json?: boolean;
  /** of both dumps, or of the first and then of the second */
  readonly khoFdt?: readonly string[];
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
    .option('--json', 'as JSON (schema luo-inspect.diff/1)')
    .option('--no-color', 'no colours')
    .action(runDiff);
}

async function runDiff(before: string, after: string, options: Options): Promise<void> {
  const { khoFdt = [] } = options;
  if (khoFdt.length > 2) throw new UserError('--kho-fdt is given more than twice; give it once for both dumps, or once for each');
  const [{ loadDecoded }, { compareDumps }, { writeJson, writeLines }, { showProgress }] = await Promise.all([
    import('./load-dump.js'),
    import('../handover/compare/compare.js'),
    import('./output.js'),
    import('./progress.js'),
  ]);
  const first = await loadDecoded(before, { khoFdt: khoFdt[0], btf: options.btf });
  try {
    const second = await loadDecoded(after, { khoFdt: khoFdt.at(-1), btf: options.btf });
    try {
      const endProgress = showProgress();
      const comparison = compareDumps(first.decoded, second.decoded, second.objects.live?.openPages ?? null);
      endProgress();
      if (comparison === null) throw new UserError(`${before}: no handover found to compare; \`luo-inspect report\` says what was searched`);
      if (isReversed(comparison))
        throw new UserError(
          `${before} was taken after ${after}: the handover at ${hex(comparison.before.candidate.fdtAddress ?? 0)} came in there, and is still to go out here; try \`luo-inspect diff ${after} ${before}\``,
        );
      const paths = { before, after };
      if (options.json === true) await writeJson((await import('../report/diff-json.js')).diffJson(comparison, paths));
      else {
        const [{ diffText }, { paintsOutput }] = await Promise.all([import('../report/diff-text.js'), import('./terminal.js')]);
        await writeLines(diffText(comparison, paths, paintsOutput(options)));
      }
      if (comparison.differences.some(({ change }) => change === 'lost' || change === 'changed')) process.exitCode = 1;
    } finally {
      second.opened.close();
    }
  } finally {
    first.opened.close();
  }
}

/** One FDT that came in with the first dump and goes out with the second: the dumps are the other way round. */
const isReversed = ({ before, after }: Comparison): boolean =>
  before.role === 'incoming' &&
  after?.role === 'outgoing' &&
  before.candidate.fdtAddress !== null &&
  before.candidate.fdtAddress === after.candidate.fdtAddress;
