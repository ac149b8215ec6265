/** The first five minutes: what is shown without arguments, names instead of paths, and what was meant by a word that is wrong. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commandNames, commands, firstExamples } from '../../src/cli/commands.js';
import { nearest } from '../../src/codec/near.js';
import { luoInspect } from './run.js';
import { ALL } from '../extent.js';

describe('luo-inspect alone', () => {
  it('shows how it is used, every command and three examples that work', () => {
    const run = luoInspect([]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    for (const name of commandNames) expect(run.stdout).toMatch(new RegExp(`\\b${name}\\b`));
    expect(firstExamples).toHaveLength(3);
    for (const [line] of firstExamples) {
      expect(run.stdout).toContain(`luo-inspect ${line}`);
      expect(luoInspect(line.replace(' --step', '').split(' ')).status).toBeLessThan(2);
    }
  });

  it('has help for every command, with examples', () => {
    expect(luoInspect(['help'])).toMatchObject({ status: 0, stderr: '' });
    for (const name of commandNames) {
      expect(commands[name]?.examples.length).toBeGreaterThan(0);
      expect(luoInspect(['help', name]).stdout).toBe(luoInspect([name, '--help']).stdout);
    }
    expect(luoInspect(['abi'])).toMatchObject({ status: 0, stdout: luoInspect(['abi', '--help']).stdout });
  });
});

describe('examples of the commands', () => {
  const own = Object.values(commands).flatMap(({ examples }) => examples.map(([line]) => line));
  it.each(
    own.filter(
      (line) =>
        /^(report|diagnose|diff|ledger|sim|step|explore|samples|rules|abi|kvm|decode|whatis) [^|>]*$/.test(line) &&
        !/vmcore|\/boot|vmlinuz|--dump|mbox/.test(line) &&
        // schemas.test.ts runs it on every change
        (ALL || !line.startsWith('explore')),
    ),
  )('%s', (line) => {
    const run = luoInspect(line.split(' '));
    expect(run.stderr).toBe('');
    expect(run.status).toBeLessThan(2);
  });
});

describe('a word that is wrong', () => {
  it.each([
    [['diagnos', 'x'], /did you mean `luo-inspect diagnose`\?/],
    [['help', 'smi'], /did you mean sim\?/],
    [['report', 'handover-7.3/s1-frozn'], /did you mean handover-7.3\/s1-frozen\?/],
    [['sim', 'memfd-lief'], /did you mean memfd-life\?/],
    [['samples', 'path', 'handover-7.3/s1-frozn'], /did you mean handover-7.3\/s1-frozen\?/],
    [['report'], /missing required argument 'dump'; --help shows how/],
    [['report', 'x', '--jsn'], /unknown option '--jsn' \(Did you mean --json\?\)/],
  ])('%j', (args, said) => {
    const run = luoInspect(args);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toMatch(/^luo-inspect: [^\n]*\n$/);
    expect(run.stderr).toMatch(said);
  });

  it('finds the nearest of some names, or none', () => {
    expect(nearest('reprot', ['export', 'report'])).toBe('report');
    expect(nearest('xyz', ['report', 'diff'])).toBeNull();
  });
});

describe('names of samples', () => {
  it('stand for their files in every command that takes one', () => {
    for (const args of [
      ['report', 'handover-7.3/s1-frozen'],
      ['diff', 'vfio-7.3/s1-frozen', 'vfio-7.3/s2-at-kho_memory_init'],
      ['sim', 'memfd-life'],
      ['sim', 'scenarios/memfd-life.yaml'],
      ['abi', 'check', '--from', 'handover-7.3/s1-frozen', '--to', '7.3'],
      [
        'kvm',
        readdirSync('samples/kvm')
          .find((name) => name.endsWith('.kvm_run'))
          ?.replace('.kvm_run', '') ?? '',
      ],
    ])
      expect(luoInspect(args)).toMatchObject({ status: 0, stderr: '' });
  });
});
