/** `preflight` in the guest, and then the jump: what it foretold against what happened. */
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { COMMAND_LINE, type CaseResult, type LabOptions, liveCommand, MEMORY, withShare } from './case.js';
import { endOf } from './case-live.js';
import { setProgram, type Share } from './guest.js';
import { runGuest } from './qemu.js';

interface Situation {
  readonly name: string;
  /** command line of the first kernel */
  readonly first: string;
  /** command line of the next one */
  readonly next: string;
  readonly nextKernel: 'vmlinuz' | 'vmlinuz-other';
}

const situation = (name: string, changes: Partial<Situation> = {}): Situation => ({
  name,
  first: COMMAND_LINE,
  next: COMMAND_LINE,
  nextKernel: 'vmlinuz',
  ...changes,
});

const situations: readonly Situation[] = [
  situation('good'),
  situation('good, by numbers', { first: 'kho=1 kho_scratch=160M,4M,4M liveupdate=1', next: 'kho=1 kho_scratch=160M,4M,4M liveupdate=1' }),
  situation('kho=off in the next command line', { next: 'kho=off liveupdate=on' }),
  situation('liveupdate=off in the next command line', { next: 'kho=on kho_scratch=160M,4M,4M liveupdate=off' }),
  situation('no liveupdate= in the next command line', { next: 'kho=on kho_scratch=160M,4M,4M' }),
  situation('no memory: scratch is too small for the next kernel', { first: 'kho=on kho_scratch=8M,4M,4M liveupdate=on' }),
  situation('kho=off now', { first: 'kho=off liveupdate=on' }),
  situation('liveupdate=off now', { first: 'kho=on kho_scratch=160M,4M,4M liveupdate=off' }),
  situation('another release next', { nextKernel: 'vmlinuz-other' }),
  situation('the last kho= counts', { next: 'kho=off kho=on kho_scratch=160M,4M,4M liveupdate=on' }),
];

export const preflightCase = (options: LabOptions): Promise<CaseResult> =>
  withShare(options, async (share) => {
    copyFileSync(join(options.project, 'samples/scenarios/live-memfds.yaml'), join(share.path, 'live.yaml'));
    const lines: string[] = [];
    let compared = 0;
    let agreed = 0;
    for (const each of situations.slice(0, options.count)) {
      if (each.nextKernel === 'vmlinuz-other' && options.other === null) {
        lines.push(`${each.name}: not run (--other <bzImage>)`);
        continue;
      }
      const { foretold, happened, why } = await runSituation(share, options, each);
      compared++;
      if (foretold === happened) agreed++;
      lines.push(`${each.name}: foretold ${foretold}${why === '' ? '' : ` (${why})`}, happened ${happened}`);
    }
    return { lines, compared, agreed };
  });

interface Outcome {
  readonly foretold: string;
  readonly happened: string;
  /** the checks that blocked */
  readonly why: string;
}

async function runSituation(share: Share, options: LabOptions, each: Situation): Promise<Outcome> {
  const answer = join(share.path, 'preflight.json');
  rmSync(answer, { force: true });
  rmSync(join(share.path, 'live.state'), { force: true });
  setProgram(share, [
    // The next kernel runs this as well: preflight speaks once.
    `[ -f /host/preflight.json ] || /host/luo-inspect preflight --next /host/${each.nextKernel} --cmdline "${each.next}" --json >/host/preflight.json`,
    liveCommand('live.yaml', each.nextKernel, `console=ttyS0 panic=-1 ${each.next}`),
  ]);
  const run = await runGuest(share, { kernel: options.kernel, memory: MEMORY, append: each.first, seconds: options.seconds });
  const end = endOf(run.lines);
  const result: { verdict: string; lines: { check: string; state: string }[] } = JSON.parse(readFileSync(answer, 'utf8'));
  const why = result.lines.filter(({ state }) => state === 'blocks').map(({ check }) => check);
  return { foretold: result.verdict, happened: end?.outcome === 'finished' && end.expectationsMet ? 'works' : 'blocks', why: why.join(', ') };
}
