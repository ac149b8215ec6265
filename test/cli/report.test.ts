/** `report` and the bare command as scripts use them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { luoInspect } from './run.js';

const frozen = 'samples/handover-7.3/s1-frozen.sparse.elf.xz';

describe('report', () => {
  it('--json prints the JSON alone on standard output', () => {
    const run = luoInspect(['report', frozen, '--json']);
    expect(run.status).toBe(0);
    expect(run.stderr).toBe('');
    const report: unknown = JSON.parse(run.stdout);
    expect(report).toMatchObject({
      schema: 'luo-inspect.report/1',
      source: { container: 'elf-core', arch: 'x86_64', pageSize: 4096 },
      kernel: { release: '7.3.4' },
    });
  });

  it('the bare command prints the text report where standard output is no terminal', () => {
    const run = luoInspect([frozen]);
    expect(run.status).toBe(0);
    expect(run.stdout).toContain('OUTGOING: kho-v4 at 0x2ec9000');
    expect(run.stdout).toContain('session "vm-0", 8 files');
    expect(run.stdout).not.toContain('\u001b');
  });

  it('a handover found at a given address is the same', () => {
    const by = (args: readonly string[]): unknown => JSON.parse(luoInspect(['report', frozen, '--json', ...args]).stdout);
    expect(by(['--kho-fdt', '0x2ec9000'])).toMatchObject({
      handovers: [{ role: 'outgoing', kho: { foundBy: 'given', fdt: '0x2ec9000' }, luo: { sessions: [{ name: 'vm-0' }, {}, {}] } }],
    });
  });

  it('reads a dump from standard input', () => {
    const run = luoInspect(['report', '-', '--json'], { input: readFileSync(frozen) });
    expect(run.status).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ handovers: [{ role: 'outgoing' }] });
  });

  it('opens a copied kho folder', () => {
    const run = luoInspect(['report', 'samples/handover-7.3/s2-boot-kho', '--json']);
    expect(JSON.parse(run.stdout)).toMatchObject({
      source: { container: 'debugfs' },
      handovers: [
        { role: 'incoming', kho: { foundBy: 'debugfs', compatible: 'kho-v4' }, luo: null, kexecMetadata: { previousRelease: '7.3.4', kexecCount: 1 } },
        { role: 'outgoing', luo: { compatible: 'luo-v5', liveupdateNumber: 2, sessions: [] } },
      ],
    });
  });

  it('says why what is null is null', () => {
    const report: unknown = JSON.parse(luoInspect(['report', 'samples/handover-7.3/s2-boot.sparse.elf.xz', '--json']).stdout);
    expect(report).toMatchObject({ handovers: [{ role: 'incoming', luo: null, kho: { preserved: null } }, { role: 'outgoing' }] });
    const findings = (report as { findings: readonly { path: string | null }[] }).findings;
    expect(findings.some((finding) => finding.path?.startsWith('incoming/luo') === true)).toBe(true);
    expect(findings.some((finding) => finding.path?.startsWith('incoming/kho') === true)).toBe(true);
  });
});

describe('samples', () => {
  it('lists them and tells where one lies', () => {
    expect(luoInspect(['samples']).stdout).toContain('handover-7.3/s1-frozen.sparse.elf.xz');
    const path = luoInspect(['samples', 'path', 'handover-7.3/s1-frozen']).stdout.trim();
    expect(luoInspect(['report', path]).status).toBe(0);
  });

  it('an unknown one is one line and exit status 2', () => {
    const run = luoInspect(['samples', 'path', 'nowhere']);
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(/no sample/);
  });
});
