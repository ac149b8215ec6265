/** A short fuzz: some inputs of every kind, from a fixed seed. `npm run fuzz` goes on for as long as it is given. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { broken } from '../../tools/fuzz/plan.js';
import { extent } from '../extent.js';

const RUNS = extent(22, 44);

it('damaged inputs of every kind break no rule of the command line', () => {
  const kinds =
    'handover,elf,kdump,lime,raw,flattened,compressed,codecs,fdt,debugfs,kvm,terminal,btf,vmlinux,kallsyms,symbols,contract,scenario,suppressions,mails,lock,iomem';
  const run = spawnSync(process.execPath, ['scripts/tool.mjs', 'fuzz', '--runs', `${RUNS}`, '--seed', '1', '--kind', kinds], { encoding: 'utf8' });
  expect(run.stdout).toMatch(new RegExp(`^seed 1: ${RUNS} inputs, \\d+ of them by command line, 0 failures`, 'm'));
  expect(run).toMatchObject({ status: 0, stderr: '' });
});

it('the oracles see what must not be', () => {
  const fine = { args: ['report', 'x', '--json'], status: 0, stdout: '{}', stderr: '', cpu: 0, grown: 0 };
  expect([...broken(fine)]).toEqual([]);
  for (const bad of [
    { status: 134 },
    { status: 2, stderr: '' },
    { status: 2, stderr: 'luo-inspect: internal error, please report it: x\n' },
    { stdout: '{' },
    { stdout: '{"a":"\u202e"}' },
    { stderr: '\u009b31m' },
    { cpu: 11 },
    { grown: 2 ** 30 },
  ])
    expect([...broken({ ...fine, ...bad })], JSON.stringify(bad)).toHaveLength(1);
});

/** What longer runs found. */
const FOUND = [['btf', 272, 'bit-fields that lie over each other']] as const;
it.each(FOUND.slice(0, extent(0, FOUND.length)))('%s, seed %i: %s', { timeout: 60_000 }, (kind, seed) => {
  const run = spawnSync(process.execPath, ['scripts/tool.mjs', 'fuzz', '--runs', '1', '--seed', `${seed}`, '--kind', kind], { encoding: 'utf8' });
  expect(run.stdout).toMatch(/ 0 failures; /);
});
