/** The report of a 256 MiB core beside reading the same file once, its memory, and the time from start to report. Makes its file itself. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDump } from '../../src/container/open.js';
import { writeElfCore } from '../../src/container/elf-writer.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { reportJson } from '../../src/report/report-json.js';
import { judge } from '../../src/verdict/judge.js';
import { median, milliseconds, paired, timesThat, tool } from './measure.js';
import { atEnd } from '../../src/codec/at-end.js';

const SAMPLE = 'samples/handover-7.3/s1-frozen.sparse.elf.xz';
const MEMORY = 256 << 20;
const RUNS = 11;
const WARM_UP = 20;

export async function run(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-bench-'));
  using _folder = atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'core');
  const fdtAddress = await writeFullCore(file);
  // Modules loaded, code compiled, the file in the page cache: what is measured is the work, not the start.
  for (let run = 0; run < WARM_UP; run++) await report(file, run % 2 === 0 ? fdtAddress : null, false);
  const { baseline, works } = await paired(RUNS, () => readOnce(file), [
    () => report(file, null, false),
    () => report(file, fdtAddress, true),
    () => report(file, null, true),
  ]);
  const figures = works.map(({ time, ratio }) => `${milliseconds(time)}, ${timesThat(ratio)}`);
  return [
    `report: reading a core of ${MEMORY >> 20} MiB once in pieces of 1 MiB takes ${milliseconds(baseline)}`,
    `report: with an FDT scan             ${figures[0]} (at most 1.5)`,
    `report: with --kho-fdt               ${figures[1]} (at most 0.5)`,
    `report: with a search for setup_data ${figures[2]}`,
    `report: peak memory on that core ${Math.round(tool('report', file, '--json').peak)} MiB (below 120)`,
    ...(await startLines()),
  ];
}

/** The sample's pages in a machine whose other pages hold noise, so that nothing is won by zeros. */
async function writeFullCore(path: string): Promise<number> {
  const opened = await openDump(SAMPLE);
  using _opened = atEnd(() => opened.close());
  const { memory, vmcoreinfo } = opened;
  const noise = new Uint32Array(1 << 18);
  let seed = 1;
  for (let index = 0; index < noise.length; index++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    noise[index] = seed | 1;
  }
  const filler = new Uint8Array(noise.buffer);
  await writeElfCore(path, { memory: filled(memory, filler), arch: 'x86_64', vmcoreinfo: vmcoreinfo ?? new Map() });
  const [handover] = decodeHandovers({ memory }).handovers;
  return handover?.candidate.fdtAddress ?? 0;
}

function filled(sparse: PhysicalMemory, filler: Uint8Array): PhysicalMemory {
  return {
    pageSize: sparse.pageSize,
    readable: [{ start: 0, end: MEMORY }],
    stateOf: (address) => (address < MEMORY ? 'present' : 'out-of-range'),
    readInto(address, length, target, targetOffset = 0) {
      const end = Math.min(address + length, MEMORY);
      for (let at = address; at < end; ) {
        const part = Math.min(sparse.pageSize - (at % sparse.pageSize), end - at);
        const into = targetOffset + at - address;
        if (sparse.readInto(at, part, target, into) < part) target.set(filler.subarray(at % filler.length, (at % filler.length) + part), into);
        at += part;
      }
      return end - address;
    },
  };
}

function readOnce(path: string): void {
  const buffer = new Uint8Array(1 << 20);
  const fd = openSync(path, 'r');
  for (let position = 0; ; ) {
    const got = readSync(fd, buffer, 0, buffer.length, position);
    if (got === 0) break;
    position += got;
  }
  closeSync(fd);
}

async function report(path: string, khoFdt: number | null, searchSetupData: boolean): Promise<void> {
  const opened = await openDump(path);
  using _opened = atEnd(() => opened.close());
  const decoded = decodeHandovers({ memory: opened.memory, files: opened.handoverFiles, khoFdt, searchSetupData });
  if (decoded.handovers.length === 0) throw new Error('the bench lost its handover');
  const source = { path, container: opened.container, bytes: opened.bytes, arch: opened.arch, pageSize: opened.memory.pageSize };
  const facts = { path, memory: opened.memory, arch: opened.arch, release: null };
  const judged = judge({ facts, decoded, findings: diagnose(decoded), log: null, options: {} });
  JSON.stringify(reportJson({ source, kernel: null, handovers: decoded.handovers, ...judged, decoded, evidence: [] }));
}

/** From start to report on a small sample, beside a Node that does nothing. */
async function startLines(): Promise<readonly string[]> {
  const bin = 'dist/cli/bin.js';
  const start = (args: readonly string[]): void => {
    const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
    if (status !== 0) throw new Error(`node ${args.join(' ')} exited with ${status}`);
  };
  const nothing = await median(11, () => start(['-e', '0']));
  const small = await median(11, () => start([bin, 'report', SAMPLE]));
  return [`start: 'report' of a small sample ${milliseconds(small)}, node -e 0 ${milliseconds(nothing)}: ${timesThat(small / nothing)} (at most 4)`];
}
