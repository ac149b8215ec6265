/** `capture` and its shell script in the guest, before and after the jump: each opens, and both hold the same handover. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMAND_LINE, type CaseResult, type LabOptions, liveCommand, MEMORY, withShare } from './case.js';
import { setProgram } from './guest.js';
import { runGuest } from './qemu.js';

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
    for (const moment of moments) {
      const handovers = ['tool', 'script'].map((by) => {
        const report: { handovers: unknown; kernel: { release: string } } = JSON.parse(
          tool(['report', join(share.path, `${by}-${moment}.tar`), '--json', '--no-log']),
        );
        return JSON.stringify([report.kernel, report.handovers]);
      });
      const same = handovers[0] === handovers[1];
      if (same) agreed++;
      lines.push(
        `${moment} the jump: the script's archive ${same ? 'gives the same report' : 'gives another report'} (${handovers[0]?.length ?? 0} characters)`,
      );
    }
    return { lines, compared: moments.length, agreed };
  });
