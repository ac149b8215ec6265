/** Bad input gets one clear line and exit status 2, whatever is wrong with it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { luoInspect } from './run.js';
import { scratch } from '../scratch.js';

const folder = scratch();

const core = readFileSync('samples/handover-7.3/s1-frozen.sparse.elf.xz');
const fdt = readFileSync('samples/handover-7.3/s2-boot-kho/in/fdt');

function file(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

mkdirSync(join(folder, 'nothing'));
const cases: readonly (readonly [what: string, path: string, says: RegExp])[] = [
  ['an empty file', file('empty', ''), /empty/],
  ['a text file', file('notes.txt', 'these are\nmy notes\n'.repeat(300)), /text/],
  ['a truncated compressed dump', file('cut.xz', core.subarray(0, core.length / 2)), /cut|trunc|end|corrupt/i],
  ['an FDT cut short', file('fdt', fdt.subarray(0, 100)), /cut short.*405.*100/],
  ['a path that is not there', join(folder, 'missing'), /no such|not there|exist/i],
  ['a folder with nothing in it', join(folder, 'nothing'), /empty folder/],
  ['memory without a handover', file('zeros', new Uint8Array(1 << 20)), /no handover found.*searched.*--kho-fdt/],
];

describe.each(cases)('%s', (_, path, says) => {
  it.each(['report', 'diagnose'])('%s says so in one line', (command) => {
    const run = luoInspect([command, path]);
    expect(run.status).toBe(2);
    expect(run.stdout).toBe('');
    expect(run.stderr).toMatch(says);
    expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(run.stderr).not.toMatch(/\bat .*\.js:\d+/);
  });
});

describe('misuse', () => {
  it.each([
    ['an unknown option', ['report', '--frobnicate', 'x']],
    ['a missing argument', ['report']],
    ['an address that is none', ['report', '--kho-fdt', 'here', 'samples/handover-7.3/s1-frozen.sparse.elf.xz']],
  ])('%s exits with 2 and one line', (_, args) => {
    const run = luoInspect(args);
    expect(run.status).toBe(2);
    expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('a file beside the dump that has no end', () => {
  const dump = 'samples/handover-7.3/s1-frozen.sparse.elf.xz';
  it.each([
    ['--suppress', ['diagnose', dump, '--suppress', '/dev/zero'], /more than 1048576 bytes of YAML; .*--limit yaml-bytes=/],
    ['a scenario', ['sim', '/dev/zero'], /more than 1048576 bytes of YAML/],
    ['--iomem', ['report', dump, '--iomem', '/dev/zero'], /more than 16777216 bytes; give a copy/],
    ['--log', ['report', dump, '--log', '/dev/zero'], /more than 67108864 bytes; .*--no-log/],
  ])('%s', (_, args, says) => {
    const run = luoInspect(args);
    expect(run.stderr).toMatch(says);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
