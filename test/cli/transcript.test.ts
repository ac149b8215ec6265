/**
 * docs/first-handover.md: a handover that failed on a real kernel, solved step by step. The page is written by running the commands it
 * shows, so that it shows what they print.
 */
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { luoInspect } from './run.js';

const CASE = 'failed/seals/s2-at-kho_memory_init';

/** A command, its status, and which of its lines are shown: from the first that matches, so many. */
interface Shown {
  readonly args: readonly string[];
  readonly status: number;
  readonly lines: readonly (readonly [from: RegExp, count: number])[];
}

function block({ args, status, lines }: Shown): string {
  const run = luoInspect(args, { env: { COLUMNS: '110' } });
  expect(run, args.join(' ')).toMatchObject({ status, stderr: '' });
  const all = run.stdout
    .replaceAll(`${resolve('.')}/`, '')
    .trimEnd()
    .split('\n');
  const out: string[] = [];
  let shownTo = 0;
  for (const [from, count] of lines) {
    const at = all.findIndex((line, index) => index >= shownTo && from.test(line));
    expect(at, `${args.join(' ')}: ${from}`).toBeGreaterThanOrEqual(0);
    if (at > shownTo) out.push('…');
    out.push(...all.slice(at, at + count));
    shownTo = at + count;
  }
  if (shownTo < all.length) out.push('…');
  return ['```console', `$ luo-inspect ${args.join(' ')}`, ...out.map((line) => line.slice(0, 160).trimEnd()), `$ echo $?`, `${status}`, '```'].join('\n');
}

it('docs/first-handover.md is what the commands print', async () => {
  const page = [
    '# A handover that failed, step by step',
    '',
    'A virtual machine monitor preserved its memory in memfds and rebooted by live update. After it, one file did not come back. There is a dump of',
    'the next kernel, taken before it looked at what it was handed: it ships as a sample, captured from a real Linux 7.3.4. (In a clone, say',
    '`npx luo-inspect`.)',
    '',
    '**What happened?** The first paragraph is the answer: which file, which call, which error; the first finding is why.',
    '',
    block({
      args: ['diagnose', CASE],
      status: 1,
      lines: [
        [/takes over/, 2],
        [/error memfd/, 4],
      ],
    }),
    '',
    '**What does that mean?** Each finding has a rule, and each rule says what is behind it and how to make sure.',
    '',
    block({ args: ['rules', 'show', 'memfd/seals-unknown'], status: 0, lines: [[/^memfd/, 9]] }),
    '',
    '**What did the writer hand over?** The file beside its neighbours: the others have the seals that 7.3 knows.',
    '',
    block({
      args: ['report', CASE],
      status: 0,
      lines: [
        [/^ +session "web"/, 2],
        [/token 0x3/, 1],
      ],
    }),
    '',
    '**Is it the dump, or any next kernel of that release?** The embedded engine takes this very memory up, and retrieves every file.',
    '',
    block({
      args: ['step', CASE],
      status: luoInspect(['step', CASE]).status ?? 2,
      lines: [
        [/retrieve session=.* token=0x1 /, 1],
        [/retrieve session=.* token=0x2 /, 1],
      ],
    }),
    '',
    'On a terminal `step` opens the debugger there: `b` sets a breakpoint, and time runs backwards too.',
    '',
    '**Would an older kernel have been the better choice?** A pair of releases can be asked about before anything is rebooted:',
    '',
    block({
      args: ['abi', 'check', '--from', '7.3', '--to', '7.1'],
      status: 1,
      lines: [
        [/take over/, 1],
        [/^kho /, 3],
      ],
    }),
    '',
  ].join('\n');
  await expect(page).toMatchFileSnapshot('../../docs/first-handover.md');
});
