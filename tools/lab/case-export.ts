/**
 * `step --export` in the lab: a damaged dump becomes a scenario; its sessions and files are made anew on a real kernel, its damage is written
 * there at the jump, and the next kernel is to answer what the scenario expects.
 */
import { sealBits } from '../../src/engine/fs/shmem.js';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoName } from '../../abi/errno.js';
import { loadDump } from '../../src/cli/load-dump.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import type { Scenario } from '../../src/engine/scenario/types.js';
import type { Handover } from '../../src/handover/decode.js';
import { overlayMemory } from '../../src/memory/overlay.js';
import { reproduce } from '../../src/reproduce/reproduce.js';
import { type TreeNode, walk } from '../../src/tree/tree.js';
import type { CaseResult, LabOptions } from './case.js';
import { type PlannedFile, type PlannedSession, planLines, planned } from './plan.js';
import { type ByteChange, runNext, type Snapshot, takeSnapshot } from './snapshot.js';
import { atEnd } from '../../src/codec/at-end.js';

const COMMAND_LINE = 'kho=on kho_scratch=80M,4M,4M liveupdate=on';
/** MiB */
const MEMORY = 256;

const SESSIONS: readonly PlannedSession[] = [
  { name: 'vm-0', files: [planned('0x1', 65_536, 6, 77, 3, 16), planned('0x2', 20_491, 0, 0, 4, 6)] },
  { name: 'web', files: [planned('0x7', 12_288, 0, 0, 9, 3)] },
];

/** Damages that each end differently: by the field's path below the handover, and the bytes. */
const DAMAGES: readonly (readonly [string, readonly number[]])[] = [
  ['luo/sessions/vm-0/files/0x1/memfd_luo_ser/seals', [0x46, 0, 0, 0]],
  ['luo/sessions/vm-0/file_set_ser/count', [3, 0, 0, 0, 0, 0, 0, 0]],
  ['luo/sessions/web/files/0x7/memfd_luo_ser/nr_folios', [9, 0, 0, 0, 0, 0, 0, 0]],
  ['luo/luo_ser/compatible', [0x6c, 0x75, 0x6f, 0x2d, 0x76, 0x34, 0, 0]],
];

export async function exportCase(options: LabOptions): Promise<CaseResult> {
  const folder = mkdtempSync(join(options.memoryFolder ?? tmpdir(), 'luo-export-'));
  const boot = (name: string, sessions: readonly PlannedSession[]): Promise<Snapshot> => {
    const own = join(folder, name);
    mkdirSync(own);
    const kernels = { kernel: options.kernel, next: options.kernel, commandLine: COMMAND_LINE, sources: join(options.project, 'tools/lab') };
    return takeSnapshot({ ...kernels, plan: planLines(sessions), memory: MEMORY, folder: own, seconds: options.seconds });
  };
  using _folder = atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const first = await boot('first', SESSIONS);
  const made = await Promise.all(DAMAGES.map(([path, bytes]) => exported(first.core, path, Uint8Array.from(bytes), options.release)));
  // The sessions are those of the scenario, not of the plan: all four scenarios make the same ones.
  const second = await boot('second', sessionsOf(made[0]?.scenario));
  const { opened, report } = await loadDump(second.core, { log: false });
  const [handover] = report.handovers;
  const lines: string[] = [];
  let agreed = 0;
  for (const { scenario, damages } of made) {
    const changes = handover === undefined ? [] : damages.flatMap(({ path, bytes }) => placed(handover, path, bytes));
    const run = await runNext(second, changes, options.seconds);
    const expected = expectedOf(scenario);
    const got = run.answers.filter((line) => /^[OSFX] /.test(line)).map((line) => answerOf(line));
    const same =
      changes.length === damages.length && expected.every((one, index) => got[index] === one) && (scenario.end === 'panic') === (run.ending !== 'off');
    if (same) agreed++;
    lines.push(
      `${damages.map(({ path }) => path).join(', ')}: ${same ? 'the real kernel answers what the scenario expects' : `expected ${expected.join('; ')}; got ${got.join('; ')} (${run.ending})`}`,
    );
  }
  opened.close();
  return { lines, compared: made.length, agreed };
}

interface Exported {
  readonly scenario: Scenario;
  readonly damages: readonly { readonly path: string; readonly bytes: Uint8Array }[];
}

/** @throws Error where the scenario does not end as the dump's kernel is foretold to */
async function exported(core: string, path: string, bytes: Uint8Array, release: string): Promise<Exported> {
  const whole = await loadDump(core, { log: false });
  const [healthy] = whole.report.handovers;
  const changes = healthy === undefined ? [] : placed(healthy, `${healthy.path}/${path}`, bytes);
  whole.opened.close();
  const { opened, report } = await loadDump(core, { log: false }, (one) => ({ ...one, memory: overlayMemory(one.memory, changes) }));
  const [handover] = report.handovers;
  if (handover === undefined || changes.length === 0) throw new Error(`${path}: no such field`);
  const made = reproduce({
    ...{ name: path, memory: report.decoded.memory, handover, verdict: report.verdict, arch: 'x86_64' },
    ...{ writer: release, next: release, kho: true, liveupdate: true },
  });
  opened.close();
  if (made === null || made.endsOtherwise !== null) throw new Error(`${path}: the exported scenario ends otherwise: ${made?.endsOtherwise ?? 'too large'}`);
  const scenario = parseScenario(made.text, 'exported.yaml');
  return { scenario, damages: made.damages };
}

/** The bytes at the field's place in another handover. */
function placed(handover: Handover, path: string, bytes: Uint8Array): readonly ByteChange[] {
  let found: number | null = null;
  walk(handover.node, (node: TreeNode) => {
    if (node.path === path) found = node.address;
    return found === null;
  });
  return found === null ? [] : [{ address: found, bytes }];
}

/** What the scenario makes before the jump, as a plan. Contents are not handed on: the files are empty pages. */
function sessionsOf(scenario: Scenario | undefined): readonly PlannedSession[] {
  const sessions = new Map<string, { name: string; files: PlannedFile[] }>();
  const files = new Map<string, Omit<PlannedFile, 'token'>>();
  for (const step of scenario?.steps ?? []) {
    if (step.do === 'kexec') break;
    if (step.do === 'create-session' && step.as !== null) sessions.set(step.as, { name: new TextDecoder().decode(step.name), files: [] });
    else if (step.do === 'memfd' && step.as !== null)
      files.set(step.as, { size: step.size, seals: sealBits(step.seals), position: Number(step.pos), seed: 1, pages: 0 });
    else if (step.do === 'preserve') {
      const file = files.get(String(step.fd));
      if (file !== undefined) sessions.get(String(step.session))?.files.push({ ...file, token: `0x${step.token.toString(16)}` });
    }
  }
  return [...sessions.values()];
}

/** The answers after the kexec, in the agent's order: open, then session by session. */
function expectedOf(scenario: Scenario): readonly string[] {
  const after = scenario.steps.slice(scenario.steps.findIndex((step) => step.do === 'kexec') + 1);
  const asked = scenario.end === 'panic' && after.length === 1 ? [] : after;
  return asked.map((step) => `${step.do} ${step.expect.errno ?? '0'}`);
}

const VERBS: Readonly<Record<string, string>> = { O: 'open', S: 'retrieve-session', F: 'retrieve', X: 'finish' };

function answerOf(line: string): string {
  const [letter = '', what = '', errno = ''] = line.split(' ');
  const number = letter === 'O' ? what : errno;
  return `${VERBS[letter] ?? letter} ${number === '0' ? '0' : (errnoName(Number(number)) ?? number)}`;
}
