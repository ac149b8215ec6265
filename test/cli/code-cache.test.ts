/** The executable keeps the compiled bundle (Node 20; later Nodes do so by themselves), and runs what is kept only where it is the user's own. */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { luoInspectProcess } from './run.js';
import { scratch } from '../scratch.js';

const home = scratch();
const byNode = typeof Reflect.get(module, 'enableCompileCache') === 'function';
const folder = join(home, 'luo-inspect');
const kept = (): readonly string[] => (existsSync(folder) ? readdirSync(folder) : []);
const run = (env: NodeJS.ProcessEnv = {}) => luoInspectProcess(['--version'], { env: { XDG_CACHE_HOME: home, ...env } });

describe('the compiled bundle', () => {
  it('is not kept where the user wants none', () => {
    expect(run({ NODE_DISABLE_COMPILE_CACHE: '1' }).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(kept()).toEqual([]);
  });

  it('is kept for the user alone, and what others could have written is not run', () => {
    const [fresh, old] = ['0', '1'].map((digit) => join(folder, `${digit.repeat(16)}-v20.0.0-x64-report`));
    mkdirSync(folder, { mode: 0o700 });
    for (const other of [fresh, old]) writeFileSync(other ?? '', 'of another build');
    utimesSync(old ?? '', 0, 0);
    const first = run();
    expect(kept()).toHaveLength(2);
    if (!byNode) expect(kept().join()).toMatch(/^0{16}-[^,]*,[^,]*-help$/);
    rmSync(fresh ?? '');
    const path = join(folder, kept()[0] ?? '');
    if (!byNode) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(run()).toEqual(first);
    if (!byNode) {
      writeFileSync(path, 'no code at all');
      expect(run()).toEqual(first);
      expect(statSync(path).size).toBeGreaterThan(100_000);
      chmodSync(path, 0o666);
      expect(run()).toEqual(first);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
  });

  it('is done without where its folder is none', () => {
    const file = join(home, 'file');
    writeFileSync(file, '');
    expect(run({ XDG_CACHE_HOME: file })).toMatchObject({ status: 0, stderr: '' });
  });
});
