/**
 * The terminal UI as it runs: keys are written to the input that Ink reads, frames leave by the painter; on a small sample and on a
 * million folios. CPU and bytes from a key to its frame, the first frame beside a Node that does nothing, and memory over 10,000 keys.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadDecoded, loadDump } from '../../src/cli/load-dump.js';
import type { DumpReport } from '../../src/report/dump-report.js';
import { EngineClient } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import { inspectorModelOf } from '../../src/tui/inspector/from-report.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import type { Program } from '../../src/tui/model/program.js';
import type { Size } from '../../src/tui/model/screen.js';
import type { TerminalStreams } from '../../src/tui/terminal/alternate-screen.js';
import { Loading } from '../../src/tui/terminal/loading.js';
import { runProgram } from '../../src/tui/terminal/run.js';
import { writeHugeDump } from './huge-dump.js';

const SAMPLE = 'samples/failed/pfn/s1-frozen.sparse.elf.xz';
const FOLIOS = 1_000_000;
/** Down the tree, into it, back, through the bytes, the findings, the map: as a terminal sends them. */
const KEYS = ['j', 'j', 'j', 'l', 'j', 'l', 'j', 'h', 'k', ']', '3', 'j', 'l', '\u0004', '\u0015', '6', 'l', 'j', '1', 'G', 'g'];
const SCENARIO = 'samples/scenarios/freeze-fails.yaml';
/** Through a run and back, call by call, into state and memory. */
const STEPS = ['s', 's', 's', 'n', 'a', 's', 'o', '5', 'j', 'j', '6', 'S', 'N', 'A', '2', 'j', 'k', 'F', 'g', '\r'];
/** Milliseconds of CPU that a key may take, and bytes that a key sent before frames were made of changed cells. */
const SIZES: readonly { readonly size: Size; readonly most: number; readonly bytesBefore: number }[] = [
  { size: { columns: 80, rows: 24 }, most: 4, bytesBefore: 2_549 },
  { size: { columns: 200, rows: 60 }, most: 8, bytesBefore: 6_331 },
];
const ROUNDS = 5;
const MANY = 10_000;
/** A key that changes nothing on the screen has no frame to wait for. */
const NO_FRAME_MS = 40;

/** A terminal that nobody looks at: what is written to it is counted. */
class CountedTerminal {
  readonly streams: TerminalStreams;
  readonly #input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined, ref: () => undefined, unref: () => undefined });
  readonly #output: PassThrough;
  bytes = 0;
  #drawn: () => void = () => undefined;

  constructor(size: Size) {
    this.#output = Object.assign(new PassThrough(), { isTTY: true, ...size });
    this.#output.on('data', (data: Buffer) => {
      this.bytes += data.length;
      this.#drawn();
    });
    const streams: unknown = { stdin: this.#input, stdout: this.#output };
    if (!isStreams(streams)) throw new Error('the bench made no terminal');
    this.streams = streams;
  }

  /** One key, and the frame that comes of it. */
  async press(key: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, NO_FRAME_MS);
      this.#drawn = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#input.write(key);
    });
  }
}

const isStreams = (value: unknown): value is TerminalStreams => typeof value === 'object' && value !== null && 'stdin' in value && 'stdout' in value;

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

const heapMiB = (): number => {
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

interface Measured {
  /** milliseconds of CPU a key, of the whole process: React, Ink, the view, the painter */
  readonly cpu: number;
  readonly bytes: number;
  /** MiB that the heap grew by over many keys */
  readonly grown: number;
}

async function measure<S>(program: Program<S>, keys: readonly string[], size: Size): Promise<Measured> {
  const terminal = new CountedTerminal(size);
  const loading = new Loading('bench', true, terminal.streams);
  const running = runProgram(program, { color: true }, loading);
  const round = async (): Promise<void> => {
    for (const key of keys) await terminal.press(key);
  };
  for (let warm = 0; warm < 3; warm++) await round();
  terminal.bytes = 0;
  const before = process.cpuUsage();
  for (let count = 0; count < ROUNDS; count++) await round();
  const { user, system } = process.cpuUsage(before);
  const pressed = ROUNDS * keys.length;
  const cpu = (user + system) / 1000 / pressed;
  const bytes = terminal.bytes / pressed;
  const many = async (most: number): Promise<void> => {
    for (let count = 0; count < most; count++) {
      terminal.streams.stdin.push(keys[count % keys.length]);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  // what is made when it is first asked for (a trace, an index) is there before it is measured
  await many(MANY / 2);
  const heap = heapMiB();
  await many(MANY);
  const grown = heapMiB() - heap;
  await terminal.press('q');
  terminal.streams.stdin.push('q');
  await running;
  return { cpu, bytes, grown };
}

/** Lines to print. */
export async function run(): Promise<string[]> {
  const lines: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-bench-'));
  try {
    const huge = join(folder, 'huge');
    writeHugeDump(huge, { sessions: 2, memfds: 4, folios: FOLIOS, memory: 2 ** 33 });
    const small = await loadDump(SAMPLE);
    const large = await loadDecoded(huge);
    const unjudged: DumpReport = {
      ...small.report,
      source: { ...small.report.source, path: huge },
      handovers: large.decoded.handovers,
      decoded: large.decoded,
      findings: [],
    };
    try {
      const stepped = async () => debuggerProgram(EngineClient.ofScenario(await readScenario(SCENARIO), { logReads: true }));
      const programs: readonly (readonly [string, (size: Size) => Promise<Measured>])[] = [
        ['a small sample', (size) => measure(inspectorProgram(inspectorModelOf(small.report)), KEYS, size)],
        [`${FOLIOS} folios`, (size) => measure(inspectorProgram(inspectorModelOf(unjudged)), KEYS, size)],
        ['the debugger', async (size) => await measure(await stepped(), STEPS, size)],
      ];
      for (const [what, measured] of programs)
        for (const { size, most, bytesBefore } of SIZES) {
          const { cpu, bytes, grown } = await measured(size);
          lines.push(
            `tui ${size.columns}x${size.rows}, ${what}: ${cpu.toFixed(2)} ms of CPU a key (at most ${most}); ${Math.round(bytes)} bytes a key, ${(bytes / bytesBefore).toFixed(2)} of before (at most 0.5); heap after ${MANY} keys ${grown >= 0 ? '+' : ''}${grown.toFixed(1)} MiB`,
          );
        }
    } finally {
      small.opened.close();
      large.opened.close();
    }
    lines.push(...(await firstFrames()));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return lines;
}

/** Runs for the mean; the kernel counts CPU of a process in steps of 10 ms. */
const STARTS = 7;
/** Milliseconds in which a Node that does nothing has settled. */
const SETTLED_MS = 400;

/** Milliseconds of CPU that a process and its threads have taken so far. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The first frame, which says what is being done, and the first of the view: CPU until each, beside a Node that does nothing. */
async function firstFrames(): Promise<string[]> {
  const pty = await import('@lydell/node-pty');
  const started = async (args: readonly string[], texts: readonly string[]): Promise<number[]> => {
    const child = pty.spawn(process.execPath, [...args], { cols: 80, rows: 24, env: { ...process.env, TERM: 'xterm-256color', XDG_STATE_HOME: tmpdir() } });
    let output = '';
    const found: number[] = [];
    try {
      await new Promise<void>((resolve) => {
        if (texts.length === 0)
          setTimeout(() => {
            found.push(cpuOf(child.pid));
            resolve();
          }, SETTLED_MS);
        child.onData((data) => {
          output += data;
          while (found.length < texts.length && output.includes(texts[found.length] ?? '')) found.push(cpuOf(child.pid));
          if (texts.length > 0 && found.length === texts.length) resolve();
        });
        child.onExit(() => resolve());
      });
    } finally {
      child.kill('SIGKILL');
    }
    return found;
  };
  const sums = { bare: 0, loading: 0, view: 0 };
  for (let run = 0; run < STARTS; run++) {
    sums.bare += (await started(['-e', 'setTimeout(() => 0, 5000)'], []))[0] ?? 0;
    const [loading = 0, view = 0] = await started(['dist/cli/bin.js', SAMPLE], ['Esc gives up', '1 tree']);
    sums.loading += loading;
    sums.view += view;
  }
  const mean = (sum: number): string => `${Math.round(sum / STARTS)} ms of CPU`;
  return [
    `tui: first frame after ${mean(sums.loading)}, a bare Node ${mean(sums.bare)}: ${(sums.loading / sums.bare).toFixed(1)} times that (at most 5)`,
    `tui: the view of a small dump, decoded and checked, after ${mean(sums.view)}: ${(sums.view / sums.bare).toFixed(1)} times that`,
  ];
}
