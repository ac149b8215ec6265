/** Files that commands write: never half of one, never in place of what is no ordinary file, for their owner alone. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/codec/user-error.js';
import { isStandardOutput, type OutputFile, writeOutput } from '../../src/container/output-file.js';

const hello = new TextEncoder().encode('hello');
const fill = (output: OutputFile): void => {
  output.write(hello, 3);
  output.finish(16);
};
const filled = `\0\0\0hello${'\0'.repeat(8)}`;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'output-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const place = (name: string): string => join(folder, name);

describe('writing a file', () => {
  it('makes it for its owner alone, holes and all, and leaves nothing beside it', async () => {
    await writeOutput(place('new'), fill);
    expect(readFileSync(place('new'), 'latin1')).toBe(filled);
    expect(statSync(place('new')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['new']);
  });

  it('replaces an ordinary file only when the new one is complete', async () => {
    writeFileSync(place('old'), 'before');
    linkSync(place('old'), place('other-name'));
    const failing = writeOutput(place('old'), (output) => {
      output.write(hello, 0);
      expect(readFileSync(place('old'), 'utf8')).toBe('before');
      throw new Error('half-way');
    });
    await expect(failing).rejects.toThrow('half-way');
    expect(readFileSync(place('old'), 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(['old', 'other-name']);
    await writeOutput(place('old'), fill);
    expect(readFileSync(place('old'), 'latin1')).toBe(filled);
    expect(readFileSync(place('other-name'), 'utf8')).toBe('before');
  });

  it('refuses a link to a file, one to nothing, and a folder, in one line', async () => {
    writeFileSync(place('target'), 'mine');
    symlinkSync('target', place('link'));
    symlinkSync('nothing', place('dangling'));
    symlinkSync('loop', place('loop'));
    mkdirSync(place('sub'));
    for (const name of ['link', 'dangling', 'loop', 'sub', 'target/x', 'x'.repeat(300)]) {
      const error: unknown = await writeOutput(place(name), fill).then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(UserError);
      // the folder's own name is made of any letters
      expect(String(error).replaceAll(folder, '')).not.toMatch(/\n|E[A-Z]{4,}/);
    }
    expect(readFileSync(place('target'), 'utf8')).toBe('mine');
    expect(lstatSync(place('link')).isSymbolicLink()).toBe(true);
    expect(existsSync(place('nothing'))).toBe(false);
  });

  it('writes through what is no file, and does not wait for a reader that is not there', async () => {
    await writeOutput('/dev/null', fill);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    execFileSync('mkfifo', [place('pipe')]);
    await expect(writeOutput(place('pipe'), fill)).rejects.toThrow(/nobody reads it/);
    const reader = spawn('cat', [place('pipe')]);
    const chunks: Buffer[] = [];
    reader.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    const ended = new Promise((resolve) => reader.on('close', resolve));
    // The reader opens its end when it gets to run.
    for (;;) {
      const done = await writeOutput(place('pipe'), fill).then(
        () => true,
        () => false,
      );
      if (done) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await ended;
    expect(Buffer.concat(chunks).toString('latin1')).toBe(filled);
    expect(lstatSync(place('pipe')).isFIFO()).toBe(true);
  });

  it('knows standard output by any name', () => {
    symlinkSync('/proc/self/fd/1', place('stdout'));
    expect(['-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1', place('stdout')].map(isStandardOutput)).toEqual([true, true, true, true, true]);
    expect([place('x'), '/dev/stderr', '/dev/null'].map(isStandardOutput)).toEqual([false, false, false]);
  });

  it('says in one line that the disk is full', async () => {
    await expect(writeOutput('/dev/full', fill)).rejects.toThrow(/^\/dev\/full: can't be written: no space left/);
  });

  it('removes what is half written when a signal comes', () => {
    const script = place('run.mjs');
    writeFileSync(
      script,
      `import { writeOutput } from ${JSON.stringify(new URL('../../dist/src/container/output-file.js', import.meta.url).href)};
await writeOutput(process.argv[2], async (output) => {
  output.write(new Uint8Array(4096), 0);
  process.kill(process.pid, process.argv[3]);
  for (let round = 0; round < 1000; round++) await output.breathe();
});`,
    );
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      expect(spawnSync(process.execPath, [script, place('out'), signal]).signal).toBe(signal);
      expect(readdirSync(folder)).toEqual(['run.mjs']);
    }
  });

  it('leaves no temporary copy of an unpacked dump behind when a signal comes', () => {
    const script = place('run.mjs');
    writeFileSync(
      script,
      `import { readlinkSync, readdirSync } from 'node:fs';
import { Spool } from ${JSON.stringify(new URL('../../dist/src/container/spool.js', import.meta.url).href)};
const spool = new Spool('dump', 0);
spool.write(new Uint8Array(1 << 17).fill(1));
const links = readdirSync('/proc/self/fd').map((fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } });
console.log(links.some((link) => link.startsWith(process.env.TMPDIR) && link.endsWith('(deleted)')));
process.kill(process.pid, 'SIGTERM');
await new Promise((resolve) => setTimeout(resolve, 60000));`,
    );
    const run = spawnSync(process.execPath, [script], { env: { ...process.env, TMPDIR: folder }, encoding: 'utf8' });
    expect(run).toMatchObject({ signal: 'SIGTERM', stdout: 'true\n' });
    expect(readdirSync(folder)).toEqual(['run.mjs']);
  });
});
