/** `diagnose`, `rules`, `diff` and `extract` as scripts use them: exit statuses, outputs, one line on standard error. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { luoInspect } from './run.js';
import { scratch } from '../scratch.js';

const folder = scratch();

const HEALTHY = 'samples/handover-7.3/s1-frozen.sparse.elf.xz';
const DAMAGED = 'samples/failed/seals/s1-frozen.sparse.elf.xz';

describe('diagnose', () => {
  it('exits 1 on an error, 0 without one, 1 from any severity asked for', () => {
    expect(luoInspect(['diagnose', DAMAGED]).status).toBe(1);
    expect(luoInspect(['diagnose', HEALTHY]).status).toBe(0);
    expect(luoInspect(['diagnose', HEALTHY, '--fail-on', 'warning']).status).toBe(0);
    expect(luoInspect(['diagnose', HEALTHY, '--fail-on', 'info']).status).toBe(1);
  });

  it('says the outcome first, then evidence and reaction', () => {
    const { stdout } = luoInspect(['diagnose', DAMAGED, '--no-log']);
    expect(stdout.replaceAll('\n', ' ')).toMatch(
      /^7\.3\.4 takes over, 3 sessions and 4 of 5 files come back: retrieving file 0x1 of session "web" fails with EOPNOTSUPP/,
    );
    expect(stdout).toMatch(/^1 error, 0 warnings, \d+ notes$/m);
    expect(stdout).toContain('! error memfd/seals-unknown at 0x429f010');
    expect(stdout).toContain('next kernel: retrieve-fails (EOPNOTSUPP)');
    expect(stdout).not.toContain('\u001b');
  });

  it('says which file failed where a log and the replay agree, and the line that names most where only a log tells', () => {
    const first = (moment: string): string => luoInspect(['diagnose', `samples/failed/pfn/${moment}.sparse.elf.xz`]).stdout.replaceAll('\n', ' ');
    expect(first('s2-at-kho_memory_init')).toMatch(
      /^7\.3\.4 takes over, 3 sessions and 4 of 5 files come back: retrieving file 0x2 of session "web" fails with EIO \("memfd_luo: .*"\), as the log shows/,
    );
    expect(first('s2-boot')).toMatch(/^7\.3\.4 said "memfd_luo: Unable to restore folio at physical address: 33e7000"/);
  });

  it('--json is luo-inspect.findings/1, worst first', () => {
    const found: unknown = JSON.parse(luoInspect(['diagnose', DAMAGED, '--json']).stdout);
    expect(found).toMatchObject({
      schema: 'luo-inspect.findings/1',
      findings: expect.arrayContaining([
        expect.objectContaining({
          rule: 'memfd/seals-unknown',
          severity: 'error',
          at: '0x429f010',
          reaction: expect.objectContaining({ kind: 'retrieve-fails', errno: 'EOPNOTSUPP' }),
        }),
      ]),
    });
  });

  it('--json has the verdict, --short a line a session', () => {
    expect(JSON.parse(luoInspect(['diagnose', DAMAGED, '--json', '--no-log']).stdout)).toMatchObject({
      verdict: { kind: 'retrieve-fails', errno: 'EOPNOTSUPP', foretoldBy: 'replay', next: '7.3.4', files: { total: 5, comeBack: 4, fail: 1 } },
    });
    const short = luoInspect(['diagnose', DAMAGED, '--short', '--no-log']);
    expect(short.status).toBe(1);
    expect(short.stdout.trim().split('\n')).toEqual([
      expect.stringMatching(/^web: 3 files, 2 come back, 1 fail: .*EOPNOTSUPP/),
      'db: 2 files, 2 come back',
      'idle: 0 files, 0 come back',
    ]);
  });

  it('--next and --cmdline choose the next kernel; a verdict that fails exits 1 without a finding', () => {
    const older = luoInspect(['diagnose', HEALTHY, '--next', '7.1']);
    expect([older.status, older.stdout.includes('boots as if nothing had been handed over')]).toEqual([1, true]);
    const off = luoInspect(['diagnose', HEALTHY, '--cmdline', 'kho=on']);
    expect([off.status, off.stdout.includes('opening /dev/liveupdate fails with ENOENT')]).toEqual([1, true]);
    expect(luoInspect(['diagnose', HEALTHY, '--next', 'nowhere'])).toMatchObject({ status: 2, stdout: '' });
  });

  it('--sarif is a log of one run', () => {
    expect(JSON.parse(luoInspect(['diagnose', DAMAGED, '--sarif']).stdout)).toMatchObject({
      version: '2.1.0',
      runs: [{ tool: { driver: { name: 'luo-inspect' } } }],
    });
  });

  it('leaves out what a suppression file accepts, and says what accepts nothing', () => {
    const file = join(folder, 'accepted.yaml');
    const text = [
      'schema: luo-inspect.suppress/1',
      'suppress:',
      '  - { rule: memfd/seals-*, at: "0x429f010", reason: a new seal of ours }',
      '  - { rule: pci/*, reason: no devices here }',
      '',
    ];
    writeFileSync(file, text.join('\n'));
    const run = luoInspect(['diagnose', DAMAGED, '--suppress', file]);
    expect(run.status).toBe(0);
    expect(run.stdout).toContain('accepted: memfd/seals-unknown: a new seal of ours');
    expect(run.stderr).toContain('accepts nothing here: "pci/*"');
    expect(JSON.parse(luoInspect(['diagnose', DAMAGED, '--suppress', file, '--json']).stdout)).not.toMatchObject({
      findings: [{ rule: 'memfd/seals-unknown' }],
    });
  });

  it.each([
    [['diagnose', 'nowhere']],
    [['diagnose', HEALTHY, '--fail-on', 'never']],
    [['diagnose', HEALTHY, '--suppress', 'nowhere']],
    [['diagnose', HEALTHY, '--json', '--sarif']],
    [['diagnose', HEALTHY, '--log', 'nowhere']],
  ])('%j: status 2 and one line', (args) => {
    const run = luoInspect(args);
    expect(run.status).toBe(2);
    expect(run.stdout).toBe('');
    expect(run.stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('rules', () => {
  it('lists every rule, and explains one', () => {
    expect(luoInspect(['rules']).stdout).toMatch(/^memfd\/seals-unknown +error +retrieve /m);
    expect(JSON.parse(luoInspect(['rules', '--json']).stdout)).toMatchObject({ schema: 'luo-inspect.rules/1' });
    expect(luoInspect(['rules', 'show', 'blocks/count']).stdout).toContain('Block contains invalid entry count');
    expect(luoInspect(['rules', 'show', 'blocks/nothing'])).toMatchObject({ status: 2, stdout: '' });
  });
});

describe('diff', () => {
  it('exits 0 where everything was kept, 1 where something was lost', () => {
    const same = luoInspect(['diff', 'samples/vfio-7.3/s1-frozen.sparse.elf.xz', 'samples/vfio-7.3/s2-at-kho_memory_init.sparse.elf.xz']);
    expect([same.status, same.stderr]).toEqual([0, '']);
    expect(same.stdout).toMatch(/^kept +2 sessions, 4 files/m);
    const lost = luoInspect(['diff', 'samples/failed/71-to-73/s1-frozen.sparse.elf.xz', 'samples/failed/71-to-73/s2-boot.sparse.elf.xz', '--json']);
    expect(lost.status).toBe(1);
    expect(JSON.parse(lost.stdout)).toMatchObject({
      schema: 'luo-inspect.diff/1',
      differences: expect.arrayContaining([expect.objectContaining({ change: 'lost', what: 'session' })]),
    });
  });
});

describe('extract', () => {
  const out = join(folder, 'file');

  it('writes what the guest had written', () => {
    const run = luoInspect(['extract', HEALTHY, 'vm-0', '5', '-o', out]);
    expect(run.status).toBe(0);
    const sum = createHash('sha256').update(readFileSync(out)).digest('hex');
    expect(run.stdout).toContain(sum);
    expect(readFileSync('samples/handover-7.3/truth.json', 'utf8')).toContain(sum);
  });

  it('writes nothing where pages are missing, unless asked for what is there', () => {
    rmSync(out, { force: true });
    const run = luoInspect(['extract', HEALTHY, 'vm-0', '0x2', '-o', out]);
    expect([run.status, existsSync(out), existsSync(`${out}.part`)]).toEqual([2, false, false]);
    expect(run.stderr).toMatch(/is not in this dump/);
    const partial = luoInspect(['extract', HEALTHY, 'vm-0', '0x2', '-o', out, '--partial']);
    expect([partial.status, readFileSync(out).length]).toEqual([0, 262144]);
    expect(partial.stderr).toContain('left as holes');
  });

  it.each([
    ['vm-9', '1'],
    ['vm-0', '77'],
    ['vm-0', 'x'],
  ])('%s %s: status 2', (session, token) => {
    const run = luoInspect(['extract', HEALTHY, session, token, '-o', out]);
    expect(run.status).toBe(2);
    expect(run.stderr.trim().split('\n')).toHaveLength(1);
  });

  it('does not write over what is no ordinary file', () => {
    expect(luoInspect(['extract', HEALTHY, 'vm-0', '5', '-o', folder]).status).toBe(2);
  });
});
