/** `luo-inspect live` on a real kernel, through a real jump: every step against the engine's. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMAND_LINE, type CaseResult, type LabOptions, liveCommand, MEMORY, withShare } from './case.js';
import { setProgram } from './guest.js';
import { runGuest } from './qemu.js';

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
