/** What ships is an executable: some commands through it (each in check:all), and what only a process shows: streams that can't be written, signals' statuses. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandNames } from '../../src/cli/commands.js';
import { EXECUTABLE, luoInspectProcess } from './run.js';
import { some } from '../extent.js';
import { scratch } from '../scratch.js';

const SAMPLE = 'samples/handover-7.3/s1-frozen.sparse.elf.xz';

describe('the executable', () => {
  it.each(some(commandNames, 4))('%s --help shows its examples', (name) => {
    const run = luoInspectProcess([name, '--help']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toContain(`luo-inspect ${name}`);
    expect(run.stdout).toContain('Examples:');
  });

  it('says in one line, with status 2, that its output cannot be written', () => {
    for (const args of some([['report', SAMPLE], ['--help'], ['diagnose', SAMPLE, '--json'], ['rules']], 2)) {
      const run = spawnSync('sh', ['-c', 'exec "$@" > /dev/full', 'sh', process.execPath, EXECUTABLE, ...args], { encoding: 'utf8' });
      expect(run).toMatchObject({ status: 2, stderr: "luo-inspect: standard output can't be written: no space left; make room, or write elsewhere\n" });
    }
  });

  it('ends quietly when its reader goes away', () => {
    const run = spawnSync('sh', ['-c', '"$0" "$1" report "$2" --json | head -n 1', process.execPath, EXECUTABLE, SAMPLE], { encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stdout: '{\n', stderr: '' });
  });

  it('opens no pipe beside a dump, and extracts through a link to standard output', () => {
    const script = `set -e; folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; mkfifo "$folder/console.log"; cp "$2" "$folder/dump"
ln -s /proc/self/fd/1 "$folder/out"
"$0" "$1" diagnose "$folder/dump" > "$folder/said"
"$0" "$1" extract "$folder/dump" vm-0 0x1 -o "$folder/out" 2>/dev/null | wc -c; test -L "$folder/out"`;
    const run = spawnSync('sh', ['-c', script, process.execPath, EXECUTABLE, SAMPLE], { encoding: 'utf8', timeout: 60_000 });
    expect(run.stderr).toBe('');
    expect(run.stdout.trim()).toBe('4096');
  });

  it('a signal while extract writes, and a disk that takes no more, leave nothing of the file', () => {
    const folder = scratch();
    const extract = [EXECUTABLE, 'extract', SAMPLE, 'vm-0', '0x1', '-o', join(folder, 'out')];
    // The signal comes with the first page that is written.
    const signalled = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'; const { writeSync } = fs;
fs.writeSync = (fd, bytes, ...rest) => { if (bytes.length === 4096) process.kill(process.pid, 'SIGTERM'); return writeSync(fd, bytes, ...rest); };
syncBuiltinESMExports();`;
    const ended = spawnSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(signalled)}`, ...extract], { encoding: 'utf8' });
    expect([ended.signal, ended.stdout, readdirSync(folder)]).toEqual(['SIGTERM', '', []]);
    const full = spawnSync('sh', ['-c', 'ulimit -f 1; exec "$@"', 'sh', process.execPath, ...extract], { encoding: 'utf8' });
    expect([full.status, full.stderr, readdirSync(folder)]).toEqual([
      2,
      expect.stringMatching(/^luo-inspect: .*\/out: can't be written: larger than .*; choose another place, or make room\n$/),
      [],
    ]);
  });
});
