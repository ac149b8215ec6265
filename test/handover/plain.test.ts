/**
 * The bulk check of sessions against decoding every one: the same findings, verdict and sessions, whatever is damaged. The dumps are the
 * generator's; each damage is a word of the structures that is changed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeHugeDump } from '../../tools/bench/huge-dump.js';
import { Budget, withBudget } from '../../src/codec/budget.js';
import { openDump } from '../../src/container/open.js';
import type { OpenedDump } from '../../src/container/opened-dump.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { plainIn } from '../../src/handover/luo.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { overlayMemory } from '../../src/memory/overlay.js';
import { sourceJson } from '../../src/report/report-json.js';
import { judge } from '../../src/verdict/judge.js';
import { ALL, extent } from '../extent.js';

const PAGE = 4096;
const FIRST = 16 << 20;
const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-plain-'));
let opened: OpenedDump;
let fdt = 0;

beforeAll(async () => {
  const path = join(folder, 'dump');
  fdt = writeHugeDump(path, { sessions: 154, memfds: 160, folios: 320, memory: 64 << 20 }).fdt;
  opened = await openDump(path);
});

afterAll(() => {
  opened.close();
  rmSync(folder, { recursive: true });
});

/** Everything that is said of the dump, and how many sessions were checked in bulk. */
function said(memory: PhysicalMemory, bulkFrom: number, replay = true): { readonly text: string; readonly plain: number } {
  return withBudget(new Budget(), () => {
    const decoded = decodeHandovers({ memory, khoFdt: fdt, bulkFrom, runningRelease: '7.3.4' });
    const facts = { path: 'dump', memory, arch: 'x86_64', release: '7.3.4' };
    const { findings, verdict } = judge({ facts, decoded, findings: diagnose(decoded), log: null, options: {}, replay });
    const [handover] = decoded.handovers;
    const sessions = (handover?.luo?.sessions ?? []).map(({ path, count, files }) => ({
      path,
      count,
      files: files.map((file) => [file.path, file.decoded?.kind === 'memfd' ? [...file.decoded.runs()] : null]),
    }));
    const source = sourceJson({ source: { path: 'dump', container: 'elf-core', bytes: 0, arch: null, pageSize: PAGE }, handovers: decoded.handovers, decoded });
    const all = { source, findings, verdict: { ...verdict, sessions: [...verdict.sessions] }, sessions };
    return {
      text: JSON.stringify(all, (_, value) => (typeof value === 'bigint' ? `${value}` : value), 1),
      plain: plainIn(handover?.luo ?? null)?.sessions ?? 0,
    };
  });
}

test('nothing is wrong: all but the first and the last block are checked in bulk, and everything is said as if none were', () => {
  const bulk = said(opened.memory, 0);
  expect(bulk.plain).toBe(2 * 51);
  expect(bulk.text).toBe(said(opened.memory, Number.POSITIVE_INFINITY).text);
});

test('a word is changed: the same is said', { timeout: 600_000 }, () => {
  const places = (fdt - FIRST) / 8;
  let seed = 20_261_121;
  const below = (end: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * end);
  };
  const word = (address: number): bigint => {
    const bytes = new Uint8Array(8);
    opened.memory.readInto(address, 8, bytes);
    return new DataView(bytes.buffer).getBigUint64(0, true);
  };
  for (let left = extent(2, 300); left > 0; ) {
    const address = FIRST + below(places) * 8;
    const before = word(address);
    if (before === 0n) continue;
    const after = [before ^ (1n << BigInt(below(48))), 0n, word(FIRST + below(places) * 8), BigInt(FIRST + below(places / 512) * PAGE)][below(4)] ?? 0n;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, after, true);
    const memory = overlayMemory(opened.memory, [{ address, bytes }]);
    expect(said(memory, 0, ALL).text, `${address.toString(16)}: ${after.toString(16)}`).toBe(said(memory, Number.POSITIVE_INFINITY, ALL).text);
    left--;
  }
});
