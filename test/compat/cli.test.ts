/** `abi check` and `abi diff` as scripts use them: output, JSON, exit status. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { luoInspect } from '../cli/run.js';
import { scratch } from '../scratch.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/btf/${name}`, import.meta.url));
const sample = (name: string): string => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));
const check = (from: string, to: string, ...more: string[]) => luoInspect(['abi', 'check', '--from', from, '--to', to, ...more]);

const folder = scratch();

const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

describe('abi check', () => {
  it.each([
    ['7.3', '7.3', 0, 'compatible'],
    ['7.2', '7.3.4', 0, 'compatible'],
    ['7.1', '7.3', 1, 'incompatible'],
    ['7.3', '7.1', 1, 'incompatible'],
    ['6.17.8', '6.17.9', 1, 'incompatible'],
  ])('%s to %s exits with %i: %s', (from, to, status, verdict) => {
    const run = check(from, to, '--json');
    expect([run.status, run.stderr]).toEqual([status, '']);
    expect(JSON.parse(run.stdout)).toMatchObject({ schema: 'luo-inspect.compat/1', from, to, verdict });
    expect(check(from, to).stdout).toMatch(new RegExp(`^Can ${to} take over from ${from}\\? ${status === 0 ? 'yes' : 'no'}\n`));
  });

  it('takes kernel files and dumps on either side', () => {
    expect(check(fixture('tiny-vmlinux'), fixture('tiny-vmlinuz.zst')).status).toBe(0);
    expect(check(sample('handover-7.3/s1-frozen.sparse.elf.xz'), fixture('tiny-vmlinuz.lz4')).status).toBe(0);
    const cold = check(sample('failed/71-to-73/s1-frozen.sparse.elf.xz'), fixture('tiny-vmlinux'), '--json');
    expect(cold.status).toBe(1);
    expect(JSON.parse(cold.stdout)).toMatchObject({
      layers: expect.arrayContaining([expect.objectContaining({ layer: 'kho', from: 'kho-v3', to: 'kho-v4', outcome: 'cold-boot' })]),
    });
  });

  it('reads a dump from standard input', () => {
    const run = luoInspect(['abi', 'check', '--from', '-', '--to', '7.3'], { input: readFileSync(sample('handover-7.3/s1-frozen.sparse.elf.xz')) });
    expect([run.status, run.stderr]).toEqual([0, '']);
  });

  it('takes a suppression file, and says what it did not need', () => {
    const accepted = write(
      'accepted.yaml',
      'schema: luo-inspect.suppress/1\nsuppress:\n  - { rule: compat/kho, reason: cold boots are fine here }\n  - { rule: compat/pci, reason: none }\n',
    );
    const run = check('7.1', '7.3', '--suppress', accepted);
    expect(run.status).toBe(0);
    expect(run.stdout).toMatch(/accepted: cold boots are fine here/);
    expect(run.stderr).toMatch(/accepts nothing here: "compat\/pci"\n$/);
  });

  it('fails from the severity asked for', () => {
    expect(check('6.18', '6.19').status).toBe(0);
    expect(check('6.18', '6.19', '--fail-on', 'info').status).toBe(1);
  });

  it.each([
    ['a release nobody knows', '9.9', /9\.9: no release/],
    ['a file that is not there', '/nowhere/vmlinux', /neither a release nor a file that is there/],
    ['a text file', fixture('tiny-kernel.c'), /not recognised/],
  ])('explains %s in one line and exits with 2', (_, to, message) => {
    const run = check('7.3', to);
    expect(run.status).toBe(2);
    expect(run.stdout).toBe('');
    expect(run.stderr).toMatch(message);
    expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it('explains damaged BTF in one line', () => {
    const tiny = readFileSync(fixture('tiny-vmlinux'));
    const btf = tiny.subarray(tiny.indexOf(Buffer.of(0x9f, 0xeb, 1, 0)));
    for (const length of [4, 23, 200, 1500]) {
      const run = check('7.3', write(`cut-${length}.btf`, btf.subarray(0, length)));
      expect(run.status).toBe(2);
      expect(run.stderr).toMatch(/cut-\d+\.btf: BTF at offset 0x[0-9a-f]+: .*damaged or cut short/);
      expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
    }
  });

  it('needs both sides', () => {
    expect(luoInspect(['abi', 'check', '--from', '7.3']).status).toBe(2);
    expect(check('7.3', '7.3', '--fail-on', 'never').status).toBe(2);
  });
});

describe('abi diff', () => {
  const diff = (...args: string[]) => luoInspect(['abi', 'diff', ...args]);

  it('shows releases, contracts, structures and BTF side by side', () => {
    expect(diff('7.2', '7.3').stdout).toMatch(/no difference\n$/);
    expect(diff('7.1', '7.3').stdout).toMatch(/4 of 11 layers differ\n$/);
    expect(diff('memfd-v1', 'memfd-v2').stdout).toMatch(/~ nr_folios +@16 u64 +@24 u64/);
    expect(diff('luo_ser@luo-v5', fixture('tiny-vmlinux')).stdout).toMatch(/no difference\n$/);
    expect(diff('memfd_luo_ser@memfd-v1', 'memfd_luo_ser@memfd-v2').stdout).toMatch(/\+ seals/);
    expect(diff(fixture('tiny-vmlinux'), fixture('tiny-vmlinuz.gz'), '--struct', 'odd').stdout).toMatch(/struct odd: the same, 56 bytes/);
    expect(diff(sample('handover-7.1/s1-frozen.sparse.elf.xz'), '7.3').stdout).toMatch(/kho: kho-v3 -> kho-v4, differs/);
  });

  it('as JSON', () => {
    expect(JSON.parse(diff('7.2', '7.3', '--json').stdout)).toMatchObject({ schema: 'luo-inspect.abi-diff/1', a: '7.2', b: '7.3', same: true });
  });

  it('explains what it does not know', () => {
    for (const args of [
      ['luo_ser@luo-v9', '7.3'],
      ['nonsense', '7.3'],
      ['9.9', '7.3'],
      [fixture('tiny-vmlinux'), '7.3', '--struct', 'none_such'],
    ]) {
      const run = diff(...args);
      expect(run.status, args.join(' ')).toBe(2);
      expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
    }
  });
});
