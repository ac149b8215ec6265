/** Bugs that users met on the command line, each as it was met. (Those of the terminal UI are in test/tui/bugs.test.ts.) */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { EngineClient } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { judge } from '../../src/verdict/judge.js';
import { luoInspect } from './run.js';

const flat = (text: string): string => text.replace(/\s+/g, ' ');

describe('the answer', () => {
  it.each([
    ['failed/71-to-73', /incompatible with 'kho-v4'.*booted as if nothing had been handed over/],
    ['failed/kho-off', /sessions that came over cannot be retrieved/],
  ])('B2: %s, whose log records the failure, is not "nothing wrong was found"', (name, outcome) => {
    const run = luoInspect(['diagnose', `${name}/s1-frozen`]);
    expect(run.status).toBe(1);
    expect(flat(run.stdout)).toMatch(outcome);
    expect(run.stdout).not.toContain('nothing wrong was found');
  });

  it('B8: step ends with 1 where the next kernel panics, or a file does not come back', () => {
    for (const name of ['failed/luo-compat', 'failed/pfn']) expect(luoInspect(['step', `${name}/s1-frozen`]).status).toBe(1);
    expect(luoInspect(['step', 'handover-7.3/s1-frozen']).status).toBe(0);
  });

  it('B19: a healthy handover of 6.17, whose bitmaps of 512 bytes share pages, has no error', () => {
    const run = luoInspect(['diagnose', 'test/fixtures/diagnosis/617-frozen.sparse.elf.xz']);
    expect(run.status).toBe(0);
    expect(run.stdout).toMatch(/^6\.17\.8 takes over/);
    expect(run.stdout).toMatch(/^0 errors, 0 warnings/m);
  });

  it('B20: in a kernel that booted, the handover of the kernel before the last is not taken as alive', async () => {
    const client = EngineClient.ofScenario(await readScenario('test/fixtures/kernel-answers/r04003-73-chain.yaml'));
    client.toEnd();
    const booted = client.moments.filter(({ moment, kernel }) => moment === 'booted' && kernel >= 2);
    expect(booted.length).toBeGreaterThan(0);
    for (const { step } of booted) {
      const { memory, arch, vmcoreinfo } = client.imageAtStep(step);
      const release = vmcoreinfo.get('OSRELEASE') ?? null;
      const decoded = decodeHandovers({ memory, runningRelease: release });
      const facts = { path: 'booted', memory, arch, release };
      const { verdict, findings } = judge({ facts, decoded, findings: diagnose(decoded), log: null, options: {} });
      expect(verdict.kind).not.toBe('panic');
      expect(findings.filter(({ severity, reaction }) => severity === 'error' && reaction?.kind === 'panic')).toEqual([]);
    }
  });

  it('B21: diff of dumps in the wrong order says so, in place of "new session"', () => {
    const run = luoInspect(['diff', 'handover-7.3/s2-boot', 'handover-7.3/s1-frozen']);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toMatch(
      /^luo-inspect: [^\n]*s2-boot\S* was taken after [^\n]*s1-frozen[^\n]*try `luo-inspect diff [^\n]*s1-frozen\S* [^\n]*s2-boot[^\n]*\n$/,
    );
    expect(luoInspect(['diff', 'handover-7.3/s1-frozen', 'handover-7.3/s2-at-kho_memory_init']).status).toBe(0);
  });

  it('B22: the simulated console says what 7.3.4 printed: luo, not kho_block', () => {
    // the capture's kernel: "luo: Block set is corrupted", "luo: Failed to deserialize files for session [fleet] -EINVAL"
    const { stdout } = luoInspect(['step', 'test/fixtures/diagnosis/73-file-blocks-cycle.sparse.elf.xz', '--verbose']);
    expect(stdout).toContain('luo: Block set is corrupted');
    expect(stdout).toContain('luo: Failed to deserialize files for session [fleet] -EINVAL');
    expect(stdout).not.toContain('kho_block:');
  });
});

describe('the first minutes', () => {
  it('B3: `luo-inspect abi` and `luo-inspect help` print their help over many lines, with 0', () => {
    for (const args of [['abi'], ['help'], ['abi', '--help']]) {
      const run = luoInspect(args);
      expect(run).toMatchObject({ status: 0, stderr: '' });
      expect(run.stdout.split('\n').length).toBeGreaterThan(15);
      expect(run.stdout).not.toMatch(/Options:.*Commands:/);
    }
  });

  it('B4: what npx runs before the program (`prepare`) builds only where dist is older than the sources', () => {
    const parsed: unknown = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(parsed).toMatchObject({ scripts: { prepare: 'node scripts/build.mjs --if-needed' } });
    mkdirSync('.tmp', { recursive: true });
    const folder = mkdtempSync('.tmp/prepare-');
    try {
      for (const name of ['abi', 'src', 'scripts', 'dist']) mkdirSync(join(folder, name));
      for (const name of ['package.json', 'scripts/build.mjs', 'dist/.built']) writeFileSync(join(folder, name), '{}');
      cpSync('scripts/build.mjs', join(folder, 'scripts/build.mjs'));
      const builtAt = (seconds: number): number | null => {
        utimesSync(join(folder, 'dist/.built'), seconds, seconds);
        return spawnSync(process.execPath, ['scripts/build.mjs', '--if-needed'], { cwd: folder }).status;
      };
      expect(builtAt(Date.now() / 1000 + 60)).toBe(0);
      // there is nothing to build in this folder: that it is tried is seen from its failing
      expect(builtAt(1)).not.toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
