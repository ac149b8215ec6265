/**
 * The report of a dump of a running kernel, from open on, beside that of what is serialised alone: with kernel, symbols, types and LUO's own
 * objects, and without. `LUO_INSPECT_BENCH_DUMPS` names dumps (folders of `*.elf.xz`, `*.elf.zst`, `*.elf`); else the small ones of the tests are taken.
 * Beside drgn: docs/peers.md.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { loadDump } from '../../src/cli/load-dump.js';
import { openDump } from '../../src/container/open.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { judge } from '../../src/verdict/judge.js';
import { reportJson } from '../../src/report/report-json.js';
import { milliseconds, paired, timesThat, tool } from './measure.js';
import { atEnd } from '../../src/codec/at-end.js';

const SMALL = 'test/fixtures/objects';
const RUNS = 7;
const WARM_UP = 2;
const UNPACK: readonly (readonly [RegExp, string])[] = [
  [/\.xz$/, 'xz'],
  [/\.zst$/, 'zstd'],
];

export async function run(): Promise<string[]> {
  const given = process.env.LUO_INSPECT_BENCH_DUMPS;
  const lines: string[] = [];
  const work = mkdtempSync(join(tmpdir(), 'luo-inspect-bench-'));
  using _work = atEnd(() => rmSync(work, { recursive: true, force: true }));
  for (const packed of dumpsOf(given ?? SMALL)) {
    const core = unpacked(packed, work);
    for (let round = 0; round < WARM_UP; round++) await whole(core);
    const { baseline, works } = await paired(RUNS, () => serialisedOnly(core), [() => whole(core)]);
    const [own] = works;
    lines.push(
      `objects: ${basename(packed)}: ${milliseconds(own?.time ?? 0)}, of what is serialised alone ${milliseconds(baseline)}: ${timesThat(own?.ratio ?? 0)}; peak ${Math.round(tool('report', core, '--json').peak)} MiB (below 150)`,
    );
    rmSync(core);
  }
  return lines.length === 0 ? [`objects: no dumps in ${given ?? SMALL}`] : lines;
}

const dumpsOf = (path: string): readonly string[] =>
  !statSync(path).isDirectory()
    ? [path]
    : readdirSync(path)
        .filter((name) => /\.elf(\.xz|\.zst)?$/.test(name))
        .sort()
        .map((name) => join(path, name));

/** Unpacking is no part of what is measured. */
function unpacked(path: string, work: string): string {
  const tool = UNPACK.find(([pattern]) => pattern.test(path))?.[1] ?? 'cat';
  const core = join(work, 'core');
  const file = openSync(core, 'w');
  const { status } = spawnSync(tool, tool === 'cat' ? [path] : ['-dc', path], { stdio: ['ignore', file, 'inherit'] });
  closeSync(file);
  if (status !== 0) throw new Error(`${tool} ${path} exited with ${status}`);
  return core;
}

async function whole(path: string): Promise<void> {
  const { opened, report } = await loadDump(path, { log: false });
  JSON.stringify(reportJson(report));
  opened.close();
}

async function serialisedOnly(path: string): Promise<void> {
  const opened = await openDump(path);
  const { memory, arch } = opened;
  const decoded = decodeHandovers({ memory, runningRelease: opened.vmcoreinfo?.get('OSRELEASE') ?? null });
  const findings = diagnose(decoded, { log: null });
  const judged = judge({ facts: { path, memory, arch, release: null }, decoded, findings, log: null, options: {} });
  const { container, bytes } = opened;
  JSON.stringify(
    reportJson({
      source: { path, container, bytes, arch, pageSize: memory.pageSize },
      kernel: null,
      handovers: decoded.handovers,
      evidence: [],
      decoded,
      log: null,
      ...judged,
    }),
  );
  opened.close();
}
