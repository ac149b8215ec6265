/** `luo-inspect live` on a real kernel, through a real jump: every step against the engine's. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMAND_LINE, type CaseResult, type LabOptions, liveCommand, MEMORY, withShare } from './case.js';
import { setProgram } from './guest.js';
import { runGuest } from './qemu.js';
import { execFileSync, spawnSync } from 'node:child_process';

interface End {
  readonly end: true;
  readonly outcome: string;
  readonly expectationsMet: boolean;
  readonly notAsked: number;
  readonly differences: readonly { readonly index: number; readonly live: string; readonly simulated: string }[];
}

/** The last line of `live --json` on a console; null where the guest did not come so far. */
export function endOf(lines: readonly string[]): End | null {
  for (const line of lines.toReversed()) {
    if (!line.startsWith('{"end":true')) continue;
    const end: End = JSON.parse(line);
    return end;
  }
  return null;
}

export const liveCase = (options: LabOptions): Promise<CaseResult> =>
  withShare(options, async (share) => {
    copyFileSync(join(options.project, 'samples/scenarios/live-memfds.yaml'), join(share.path, 'live.yaml'));
    setProgram(share, [liveCommand('live.yaml')]);
    const run = await runGuest(share, { kernel: options.kernel, memory: MEMORY, append: COMMAND_LINE, seconds: options.seconds });
    const steps = run.lines.filter((line) => line.startsWith('{"step":')).length;
    const end = endOf(run.lines);
    if (end === null) return { lines: ['the guest did not come to the end of the scenario', ...run.lines.slice(-20)], compared: 1, agreed: 0 };
    const differing = end.differences.map(({ index, live, simulated }) => `step ${index + 1}: the kernel ${live}, the engine ${simulated}`);
    return { lines: [...differing, `${end.outcome}; ${steps} steps reported`], compared: steps, agreed: end.expectationsMet ? steps - differing.length : 0 };
  });

const DUMP = '<dump>';

/** What is asked of each archive; the log is a file of the archive, cut at another line by each. */
const COMMANDS: readonly (readonly [what: string, args: readonly string[]])[] = [
  ['report', ['report', DUMP, '--json', '--no-log']],
  ['diagnose', ['diagnose', DUMP, '--json', '--no-log']],
  ['abi check', ['abi', 'check', '--from', DUMP, '--to', '7.3', '--json']],
];

/** The archive's own name and size are no part of the answer. */
const withoutName = (text: string, archive: string): string => text.replaceAll(archive, DUMP).replaceAll(/"bytes": ?\d+/g, '"bytes":0');

export const captureCase = (options: LabOptions): Promise<CaseResult> =>
  withShare(options, async (share) => {
    const tool = (args: readonly string[]): string => execFileSync(process.execPath, [join(options.project, 'dist/cli/bin.js'), ...args], { encoding: 'utf8' });
    writeFileSync(join(share.path, 'capture.sh'), tool(['capture', '--script']));
    copyFileSync(join(options.project, 'samples/scenarios/live-memfds.yaml'), join(share.path, 'live.yaml'));
    setProgram(share, [
      'moment=before; [ -f /host/live.state ] && moment=after',
      '/host/luo-inspect capture -o /host/tool-$moment.tar 2>/dev/null',
      'sh /host/capture.sh /host/script-$moment.tar 2>/dev/null',
      liveCommand('live.yaml'),
    ]);
    const run = await runGuest(share, { kernel: options.kernel, memory: MEMORY, append: COMMAND_LINE, seconds: options.seconds });
    if (run.status === null) return { lines: ['the guest did not come to its end', ...run.lines.slice(-20)], compared: 1, agreed: 0 };
    const lines: string[] = [];
    let agreed = 0;
    const moments = ['before', 'after'] as const;
    for (const moment of moments)
      for (const [what, args] of COMMANDS) {
        const [first = '', second] = ['tool', 'script'].map((by) => {
          const archive = `${by}-${moment}.tar`;
          const run = spawnSync(process.execPath, [join(options.project, 'dist/cli/bin.js'), ...args.map((arg) => (arg === DUMP ? archive : arg))], {
            encoding: 'utf8',
            cwd: share.path,
          });
          return `${run.status} ${run.stderr}${withoutName(run.stdout, archive)}`;
        });
        const same = first === second && !first.startsWith('2 ');
        if (same) agreed++;
        lines.push(`${moment} the jump, ${what}: the script's archive ${same ? 'gives the same' : 'gives another answer'} (${first.length} characters)`);
        if (!same) lines.push(first.slice(0, 400), (second ?? '').slice(0, 400));
      }
    return { lines, compared: moments.length * COMMANDS.length, agreed };
  });
