/** `report` and the bare command as scripts use them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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

  it('says which pages of memfds are not in the dump, and what the dump says it left out', () => {
    const text = luoInspect(['report', frozen]).stdout;
    expect(text).toContain('        4 of 2048 pages of its contents in this dump\n');
    const small = join(mkdtempSync(join(tmpdir(), 'luo-inspect-')), 'small.kdump');
    expect(luoInspect(['shrink', frozen, '-o', small, '--format', 'kdump']).status).toBe(0);
    const { source, handovers } = JSON.parse(luoInspect(['report', small, '--json', '--no-verdict']).stdout);
    const whole = JSON.parse(luoInspect(['report', frozen, '--json', '--no-verdict']).stdout);
    expect(source.filter).toBe('dump level 31 leaves out zero pages, page cache, private page cache, user data, free pages');
    expect(handovers).toEqual(whole.handovers);
    const sum = ({ present, zero, excluded, outOfRange }: Record<string, number>): number => (present ?? 0) + (zero ?? 0) + (excluded ?? 0) + (outOfRange ?? 0);
    expect(source.memfdPages).toMatchObject({ present: 0, unknown: 0 });
    expect(whole.source.memfdPages.present).toBeGreaterThan(0);
    expect(sum(source.memfdPages)).toBe(sum(whole.source.memfdPages));
    rmSync(dirname(small), { recursive: true });
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
