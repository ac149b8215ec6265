/** Snapshots decoded per second from one file of 100,000 pages, beside reading the same file. Makes its file itself. */
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSnapshotFiles } from '../../src/kvm/snapshot-files.js';
import { Timeline } from '../../src/kvm/timeline.js';
import { atEnd } from '../../src/codec/at-end.js';

const PAGE = 4096;
const PAGES = 100_000;
const CHUNK = 1 << 20;
const SAMPLES = ['01-io-out-1', '08-mmio-read', '16-hypercall-32', '44-fault-private-read', '14-internal-error', '00-hlt', '28-novma-read', '25-rdmsr-user'];

/** `npm run bench` runs in the package's folder. */
const samples = (): string => 'samples/kvm';

export async function run(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-bench-'));
  using _folder = atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'pages');
  writePages(file);
  read(file);
  const reading = seconds(() => read(file));
  const decoding = seconds(() => decode(file));
  const perSecond = Math.round(PAGES / decoding);
  return [
    `kvm: ${PAGES} snapshots in ${decoding.toFixed(2)} s, ${perSecond} a second, peak ${Math.round(process.memoryUsage.rss() / 1048576)} MiB resident`,
    `kvm: reading the same ${Math.round((PAGES * PAGE) / 1048576)} MiB takes ${reading.toFixed(2)} s; decoding takes ${(decoding / reading).toFixed(1)} times that`,
  ];
}

function writePages(file: string): void {
  const pages = SAMPLES.map((name) => readFileSync(join(samples(), `${name}.kvm_run`)).subarray(0, PAGE));
  const fd = openSync(file, 'w');
  using _fd = atEnd(() => closeSync(fd));
  const block = Buffer.concat(pages);
  for (let page = 0; page < PAGES; page += pages.length) writeSync(fd, block, 0, Math.min(pages.length, PAGES - page) * PAGE);
}

function read(file: string): void {
  const fd = openSync(file, 'r');
  using _fd = atEnd(() => closeSync(fd));
  const chunk = new Uint8Array(CHUNK);
  while (readSync(fd, chunk, 0, CHUNK, null) > 0);
}

function decode(file: string): void {
  const timeline = new Timeline();
  for (const entry of openSnapshotFiles(file).entries()) timeline.add(entry);
  const { count } = timeline.finish();
  if (count !== PAGES) throw new Error(`${count} snapshots decoded, ${PAGES} written`);
}

function seconds(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}
