/** The library as its page shows it: the example of docs/library.md, run against the built package. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diagnose, openDump, UserError } from '../../src/library/index.js';
import { fires } from '../diagnosis/fires.js';

describe('the library', () => {
  it('opens a dump and says what is wrong', async () => {
    const dump = await openDump('samples/failed/seals/s2-at-kho_memory_init.sparse.elf.xz', { log: false });
    try {
      expect(diagnose(dump)[0]).toMatchObject({ rule: 'memfd/seals-unknown', reaction: { kind: 'retrieve-fails', errno: 'EOPNOTSUPP' } });
      const report = dump.toJSON();
      expect(report).toMatchObject({ schema: 'luo-inspect.report/1' });
      expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    } finally {
      dump.close();
    }
    await expect(openDump('nowhere')).rejects.toThrow(UserError);
  });

  it('tells where a limit that the caller set ended something', async () => {
    const dump = await openDump('samples/handover-7.3/s1-frozen.sparse.elf.xz', { limits: { entries: 2 } });
    fires(
      'limit/reached',
      diagnose(dump).map(({ rule }) => rule),
    );
    dump.close();
  });

  it('runs the example of docs/library.md', () => {
    const example = /```js\n(.*?)```/s.exec(readFileSync('docs/library.md', 'utf8'))?.[1] ?? '';
    const folder = mkdtempSync(join(tmpdir(), 'library-'));
    try {
      mkdirSync(join(folder, 'node_modules'));
      symlinkSync(resolve('.'), join(folder, 'node_modules', 'luo-inspect'));
      writeFileSync(join(folder, 'example.mjs'), example);
      const run = spawnSync(process.execPath, [join(folder, 'example.mjs'), resolve('samples/failed/seals/s2-at-kho_memory_init.sparse.elf.xz')], {
        encoding: 'utf8',
      });
      expect(run).toMatchObject({ status: 0, stderr: '' });
      expect(run.stdout).toContain('error memfd/seals-unknown: retrieve-fails EOPNOTSUPP');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
