/**
 * Random single damages, written into a real guest's memory at the jump: what `diagnose` foretells of the same bytes against what the real
 * next kernel then does. The first kernel runs once; each next one starts from where it was stopped.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDump } from '../../src/cli/load-dump.js';
import { overlayMemory } from '../../src/memory/overlay.js';
import type { DumpReport } from '../../src/report/dump-report.js';
import type { CaseResult, LabOptions } from './case.js';
import { damages } from './damage-targets.js';
import { judgeRun } from './foretold.js';
import { planLines, planned } from './plan.js';
import { Random } from '../random.js';
import { type ByteChange, runNext, takeSnapshot } from './snapshot.js';

const COMMAND_LINE = 'kho=on kho_scratch=80M,4M,4M liveupdate=on reserve_mem=2M:4096:labmem reserve_mem=512K:4096:trace';
/** MiB */
const MEMORY = 256;
/** A next kernel answers within seconds; what has not ended by then hangs. */
const SECONDS = 90;

/** Sessions of every shape: files with and without contents, of many pages, of a part of one; more sessions than a block holds. */
const PLAN = planLines([
  { name: 'vm-0', files: [planned('0x1', 262_144, 6, 77, 3, 64), planned('0x2', 20_491, 0, 0, 4, 6), planned('0xfeed', 0, 0, 0, 1, 0)] },
  {
    name: 'web',
    files: [
      planned('0x10', 4096, 14, 4096, 5, 1),
      planned('0x11', 1_228_800, 0, 0, 6, 300),
      planned('0x12', 65_536, 0, 5, 7, 16),
      planned('0x13', 8192, 1, 0, 8, 2),
    ],
  },
  ...Array.from({ length: 50 }, (_, index) => ({ name: `idle-${index}`, files: [] })),
  { name: 'last', files: [planned('0x7', 12_288, 0, 0, 9, 3)] },
]);

export async function damageCase(options: LabOptions): Promise<CaseResult> {
  const folder = mkdtempSync(join(options.memoryFolder ?? tmpdir(), 'luo-damage-'));
  try {
    const { kernel } = options;
    const plan = { kernel, next: kernel, plan: PLAN, commandLine: COMMAND_LINE, memory: MEMORY, folder, sources: join(options.project, 'tools/lab') };
    const snapshot = await takeSnapshot({ ...plan, seconds: options.seconds });
    const base = await runNext(snapshot, [], options.seconds);
    const loaded = await loadDump(snapshot.core, { log: false, cmdline: COMMAND_LINE });
    const [handover] = loaded.report.handovers;
    if (handover === undefined || base.ending !== 'off') throw new Error('the undamaged handover is not taken over; nothing can be compared');
    const undamaged = judgeRun(loaded.report, null, snapshot.answers, base, base);
    const lines = [`undamaged: foretold ${undamaged.foretold}, happened ${undamaged.happened}${undamaged.differences.map((line) => `; ${line}`).join('')}`];
    const random = new Random(options.seed);
    const choose = damages(loaded.opened.memory, handover, random);
    let agreed = 0;
    const kinds = new Map<string, number>();
    for (let number = 1; number <= options.count; number++) {
      const damage = choose.next().value;
      const changes = [{ address: damage.address, bytes: damage.bytes }];
      const report = await reportOf(snapshot.core, changes).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
      if (report instanceof Error) {
        lines.push(`damage ${number}: ${damage.text}: the tool fails: ${report.message}`);
        options.progress?.(lines.at(-1) ?? '');
        continue;
      }
      const run = await runNext(snapshot, changes, SECONDS);
      const judged = judgeRun(report, damage.group, snapshot.answers, base, run);
      kinds.set(judged.happened, (kinds.get(judged.happened) ?? 0) + 1);
      if (judged.agrees) agreed++;
      const found = report.findings.find(({ severity }) => severity !== 'info');
      const text = `${damage.text} at 0x${damage.address.toString(16)}: foretold ${judged.foretold}, happened ${judged.happened}${run.ending === 'hang' ? ' (hang)' : ''}`;
      options.progress?.(`damage ${number}: ${judged.agrees ? 'agrees' : 'DIFFERS'}: ${text}; ${found?.rule ?? 'nothing found'}`);
      if (!judged.agrees) lines.push(`damage ${number}: ${text}${judged.differences.map((line) => `; ${line}`).join('')}; the tool: ${report.verdict.text}`);
    }
    lines.push(`what happened: ${[...kinds].map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
    loaded.opened.close();
    return { lines, compared: options.count, agreed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a user of `diagnose` gets of the core with `changes` in it. @throws Error where the tool has a defect */
async function reportOf(core: string, changes: readonly ByteChange[]): Promise<DumpReport> {
  const { opened, report } = await loadDump(core, { log: false, cmdline: COMMAND_LINE }, (one) => ({ ...one, memory: overlayMemory(one.memory, changes) }));
  opened.close();
  return report;
}
