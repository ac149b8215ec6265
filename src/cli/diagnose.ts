/** `luo-inspect diagnose <dump>`: the findings alone, as text, JSON or SARIF; exits with 1 where one is as bad as asked. */
import { type Command, Option } from 'commander';
import type { Suppressions } from '../compat/suppressions.js';
import type { Finding, Severity } from '../diagnosis/finding.js';
import { isFailure, type Verdict } from '../verdict/verdict.js';
import type { DumpReport } from '../report/dump-report.js';
import { tell, tellEvidence } from './messages.js';
import { type DumpCommandOptions, dumpOptions } from './report.js';
import { atEnd } from '../codec/at-end.js';

interface Options extends DumpCommandOptions {
  readonly sarif?: boolean;
  readonly short?: boolean;
  readonly failOn: Severity;
  readonly suppress?: string;
  /** false with --no-color */
  readonly color?: boolean;
}

export function registerDiagnose(program: Command): void {
  dumpOptions(program.command('diagnose <dump>').description('what is wrong with a handover, and what the next kernel does about it'))
    .addOption(new Option('--json', 'as JSON (schema luo-inspect.findings/1)').conflicts('sarif'))
    .option('--sarif', 'as SARIF 2.1.0')
    .addOption(new Option('--short', 'a line a session: files, what comes back, what fails, the first reason').conflicts(['json', 'sarif']))
    .addOption(new Option('--fail-on <severity>', 'exit with 1 from this severity on').choices(['error', 'warning', 'info']).default('error'))
    .option('--suppress <file>', 'findings that were accepted (YAML: schema: luo-inspect.suppress/1, suppress: [{rule, path?, at?, reason}])')
    .option('--no-color', 'no colours')
    .action(runDiagnose);
}

interface Sorted {
  readonly findings: readonly Finding[];
  readonly accepted: readonly { readonly finding: Finding; readonly reason: string }[];
}

/** Prints the findings of a dump. @throws UserError */
async function runDiagnose(path: string, options: Options): Promise<void> {
  const [{ loadDump }, { atLeast }, { NO_SUPPRESSIONS }] = await Promise.all([
    import('./load-dump.js'),
    import('../diagnosis/order.js'),
    import('../compat/suppressions.js'),
  ]);
  const suppressions = options.suppress === undefined ? NO_SUPPRESSIONS : (await import('../compat/suppress.js')).readSuppressions(options.suppress);
  const { opened, report } = await loadDump(path, options);
  using _opened = atEnd(() => opened.close());
  if (options.verbose === true) tellEvidence(report.evidence);
  const sorted = sortOut(report.findings, suppressions);
  for (const unused of suppressions.unused()) tell(`${options.suppress}: accepts nothing here: ${JSON.stringify(unused)}`);
  await print(report, sorted, options);
  if (fails(report.verdict, sorted) || sorted.findings.some((finding) => atLeast(finding.severity, options.failOn))) process.exitCode = 1;
}

/** A failure that the suppression file accepts is none: every finding that foretells it is accepted. */
function fails({ kind }: Verdict, { findings, accepted }: Sorted): boolean {
  const foretells = ({ reaction }: Finding): boolean => reaction?.kind === kind;
  return isFailure(kind) && (findings.some(foretells) || !accepted.some(({ finding }) => foretells(finding)));
}

function sortOut(all: readonly Finding[], suppressions: Suppressions): Sorted {
  const findings: Finding[] = [];
  const accepted: { finding: Finding; reason: string }[] = [];
  for (const finding of all) {
    const reason = suppressions.reasonFor(finding);
    if (reason === null) findings.push(finding);
    else accepted.push({ finding, reason });
  }
  return { findings, accepted };
}

async function print(report: DumpReport, { findings, accepted }: Sorted, options: Options): Promise<void> {
  const { writeJson, writeLines } = await import('./output.js');
  if (options.short === true) await writeLines((await import('../report/diagnose-text.js')).shortText(report));
  else if (options.json === true) await writeJson((await import('../report/diagnose-text.js')).findingsJson(report.verdict, findings));
  else if (options.sarif === true) {
    const [{ sarif }, { rules }, { ownVersion }] = await Promise.all([
      import('../report/sarif.js'),
      import('../diagnosis/rules/index.js'),
      import('./own-version.js'),
    ]);
    await writeJson(sarif({ source: report.source.path, version: await ownVersion(), findings, accepted, rules }));
  } else {
    const [{ diagnoseText }, { paintsOutput }] = await Promise.all([import('../report/diagnose-text.js'), import('./terminal.js')]);
    const color = paintsOutput(options);
    await writeLines(diagnoseText(report, findings, { width: process.stdout.columns ?? 120, color, accepted }));
  }
}
