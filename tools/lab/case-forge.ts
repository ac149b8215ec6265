/**
 * The other direction: a handover that the engine made (`sim --until frozen --dump`) is written into a real guest's memory at the jump. Linux
 * takes it over, and the files come back. The first kernel never uses the memory of the engine's handover (memmap=).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDump } from '../../src/container/open.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import type { CaseResult, LabOptions } from './case.js';
import { fileLine, type PlannedSession, planLines, planned, planScenario } from './plan.js';
import { type ByteChange, runNext, takeSnapshot } from './snapshot.js';
import { atEnd } from '../../src/codec/at-end.js';

const COMMAND_LINE = 'kho=on kho_scratch=80M,4M,4M liveupdate=on';
/** MiB */
const MEMORY = 256;
const PAGE = 4096;
/** Where the engine's machine allocates from, and how much the first real kernel leaves alone there. */
const FROM = 1 << 20;
const TO = 16 << 20;

const SESSIONS: readonly PlannedSession[] = [
  {
    name: 'forged',
    files: [
      planned('0x1', 262_144, 6, 77, 3, 64),
      planned('0x2', 20_491, 0, 0, 4, 6),
      planned('0xfeed', 0, 0, 0, 1, 0),
      planned('0x4', 1_228_800, 0, 4096, 6, 300),
    ],
  },
  { name: 'empty', files: [] },
  ...Array.from({ length: 55 }, (_, index) => ({ name: `many-${index}`, files: index % 10 === 0 ? [planned('0x9', 8192, 0, 0, 20 + index, 2)] : [] })),
];

export async function forgeCase(options: LabOptions): Promise<CaseResult> {
  const folder = mkdtempSync(join(options.memoryFolder ?? tmpdir(), 'luo-forge-'));
  using _folder = atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const changes = await forged(folder, options);
  const snapshot = await takeSnapshot({
    kernel: options.kernel,
    next: options.kernel,
    plan: [],
    nextPlan: planLines(SESSIONS),
    commandLine: COMMAND_LINE,
    firstOnly: `memmap=${(TO - FROM) >> 20}M$0x${FROM.toString(16)}`,
    memory: MEMORY,
    folder,
    sources: join(options.project, 'tools/lab'),
    seconds: options.seconds,
  });
  const named = await nodeNaming(snapshot.core, join(folder, 'ram'), changes.fdt);
  const run = await runNext(snapshot, [changes.memory, ...named], options.seconds);
  const expected = ['O 0', ...SESSIONS.flatMap(({ name, files }) => [`S ${name} 0`, ...files.map((file) => fileLine(file)), `X ${name} 0`]), 'END'];
  const lines = expected.flatMap((line, index) => (run.answers[index] === line ? [] : [`expected "${line}", was "${run.answers[index] ?? 'nothing'}"`]));
  const files = SESSIONS.flatMap((session) => session.files);
  const back = files.filter((file) => run.answers.includes(fileLine(file))).length;
  const said = run.console.filter((line) => /KHO|luo:|exec from/.test(line));
  return {
    lines: [...lines.slice(0, 20), ...said, `${back} of ${files.length} files come back with their contents (${run.ending})`],
    compared: expected.length,
    agreed: expected.length - lines.length,
  };
}

/** The engine's memory as a user gets it, and where its root FDT is. */
async function forged(folder: string, options: LabOptions): Promise<{ readonly memory: ByteChange; readonly fdt: number }> {
  const scenario = join(folder, 'forge.yaml');
  const core = join(folder, 'forge.elf');
  writeFileSync(scenario, planScenario(SESSIONS, { memory: `${MEMORY}MiB` }, options.release));
  execFileSync(process.execPath, [join(options.project, 'dist/cli/bin.js'), 'sim', scenario, '--until', 'frozen', '--dump', core]);
  const opened = await openDump(core);
  using _opened = atEnd(() => opened.close());
  const fdt = decodeHandovers({ memory: opened.memory, runningRelease: null }).handovers[0]?.candidate.fdtAddress;
  if (fdt === undefined || fdt === null) throw new Error("the engine's dump holds no handover");
  // Pages of zeros as well: an empty file is handed over as one.
  const bytes = new Uint8Array(TO - FROM);
  opened.memory.readInto(FROM, bytes.length, bytes);
  return { memory: { address: FROM, bytes }, fdt };
}

/** The setup_data of the real image, wherever the kernel has a copy of it, naming the forged FDT in place of the kernel's own. */
async function nodeNaming(core: string, ram: string, fdt: number): Promise<readonly ByteChange[]> {
  const opened = await openDump(core);
  let own: number | null = null;
  try {
    own = decodeHandovers({ memory: opened.memory, runningRelease: null }).handovers[0]?.candidate.fdtAddress ?? null;
  } finally {
    opened.close();
  }
  if (own === null) throw new Error('the first kernel hands nothing over');
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return bytes;
  };
  // struct kho_data begins with the FDT's address and size.
  const wanted = Buffer.concat([word(own), word(PAGE)]);
  const memory = readFileSync(ram);
  const found: ByteChange[] = [];
  for (let at = memory.indexOf(wanted); at !== -1; at = memory.indexOf(wanted, at + 1)) found.push({ address: at, bytes: word(fdt) });
  if (found.length === 0) throw new Error('no setup_data node of the loaded image names its FDT');
  return found;
}
