/** `shrink`: the small dump gives the same report, holds nothing of the guests' memory, and no name once they are redacted. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { loadDump } from '../../src/cli/load-dump.js';
import { openDump } from '../../src/container/open.js';
import { luoInspect } from './run.js';
import { scratch } from '../scratch.js';

const folder = scratch();

const dumps = [
  'handover-7.3/s1-frozen',
  'handover-7.3/s2-boot',
  'handover-7.1/s1-frozen',
  'handover-6.18/s1-frozen',
  'failed/pfn/s1-frozen',
  'vfio-7.3/s1-frozen',
  'handover-7.3-arm64/s1-frozen',
]
  .map((name) => `samples/${name}.sparse.elf.xz`)
  // A folio table that names the page of the description it belongs to: a structure, no memory of a guest's.
  .concat('test/fixtures/container/folio-is-structure.sparse.elf.xz')
  .filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);

describe.each(dumps)('%s', (dump) => {
  it('has the same report, and no page of a memfd', async () => {
    const small = join(folder, 'small.elf.gz');
    const { status, stderr } = luoInspect(['shrink', dump, '-o', small]);
    expect(stderr).toContain('its report is that of the whole dump');
    expect(status).toBe(0);
    const log = join(dump, '..', 'console.log');
    const json = (path: string) => {
      const { source: _, ...rest } = JSON.parse(luoInspect(['report', path, '--json', '--log', log]).stdout);
      return rest;
    };
    // shrink compared them itself; once, they are compared from outside.
    if (dump === dumps[0]) expect(json(small)).toEqual(json(dump));
    const core = gunzipSync(readFileSync(small));
    const { opened, report } = await loadDump(dump, { log: false });
    const page = new Uint8Array(opened.memory.pageSize);
    let looked = 0;
    for (const { luo } of report.handovers)
      for (const { files } of luo?.sessions ?? [])
        for (const { decoded } of files) {
          if (decoded?.kind !== 'memfd') continue;
          for (const { pfn, pages } of decoded.runs())
            for (let at = pfn; at < pfn + Math.min(pages, 64); at++) {
              if (luo?.sessions?.some((session) => session.files.some((file) => Math.floor(Number(file.data) / page.length) === at))) continue;
              if (opened.memory.readInto(at * page.length, page.length, page) < page.length || page.every((byte) => byte === 0)) continue;
              looked++;
              expect(core.indexOf(page)).toBe(-1);
            }
        }
    opened.close();
    if (dump.includes('7.3/s1-frozen')) expect(looked).toBeGreaterThan(0);
  }, 60_000);
});

it('--contents keeps them: extract gives the same bytes', () => {
  const small = join(folder, 'contents.elf');
  expect(luoInspect(['shrink', dumps[0] ?? '', '-o', small, '--contents']).status).toBe(0);
  const report = JSON.parse(luoInspect(['report', dumps[0] ?? '', '--json', '--no-log']).stdout);
  const [session] = report.handovers[0].luo.sessions;
  const hash = (dump: string) => {
    const out = join(folder, 'contents.bin');
    const { status } = luoInspect(['extract', dump, session.name, session.files[0].token, '-o', out]);
    return [status, createHash('sha256').update(readFileSync(out)).digest('hex')];
  };
  expect(hash(small)).toEqual(hash(dumps[0] ?? ''));
}, 60_000);

it('--format kdump: the same report from a kdump', () => {
  const small = join(folder, 'small.kdump');
  const { status, stderr } = luoInspect(['shrink', dumps[0] ?? '', '-o', small, '--format', 'kdump']);
  expect(stderr).toContain('its report is that of the whole dump');
  expect(status).toBe(0);
}, 60_000);

it('--redact names leaves no session name anywhere', async () => {
  const small = join(folder, 'redacted.elf');
  expect(luoInspect(['shrink', dumps[0] ?? '', '-o', small, '--redact', 'names', '--no-log']).status).toBe(0);
  const names = (path: string): string[] =>
    JSON.parse(luoInspect(['report', path, '--json', '--no-log']).stdout).handovers.flatMap((one: { luo: { sessions: { name: string }[] } | null }) =>
      (one.luo?.sessions ?? []).map(({ name }) => name),
    );
  const before = names(dumps[0] ?? '');
  const after = names(small);
  expect(after.map((name) => name.length)).toEqual(before.map((name) => name.length));
  for (const name of before) expect(readFileSync(small).indexOf(name)).toBe(-1);
  (await openDump(small)).close();
}, 60_000);

it('refuses what it cannot shrink or write, in one line', () => {
  for (const args of [
    ['shrink', 'samples/handover-7.3/s2-boot-kho', '-o', join(folder, 'x')],
    ['shrink', dumps[0] ?? '', '-o', join(folder, 'no', 'x')],
    ['shrink', dumps[0] ?? '', '-o', join(folder, 'x'), '--redact', 'everything'],
  ]) {
    const { status, stderr } = luoInspect(args);
    expect(status).toBe(2);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  }
  expect(readdirSync(folder)).not.toContain('x');
}, 60_000);
