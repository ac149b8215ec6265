/**
 * The lab: real kernels in QEMU against this package's own answers. `npm run lab -- <case…> [--kernel <bzImage> | --build [--source <tree>]]
 * [--release 7.3] [--other <bzImage>] [--seed n] [--count n]`. Needs Debian's qemu-system-x86, busybox-static, cpio and gcc, a built package
 * (npm run build), and a kernel: one it is given, or one it builds.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildKernel } from './build.js';
import { captureCase, liveCase } from './case-live.js';
import { damageCase } from './case-damage.js';
import { dumpCase } from './case-dump.js';
import { exportCase } from './case-export.js';
import { forgeCase } from './case-forge.js';
import { preflightCase } from './case-preflight.js';
import { randomCase } from './case-random.js';
import type { CaseResult, LabOptions } from './case.js';

const cases: Readonly<Record<string, (options: LabOptions) => Promise<CaseResult>>> = {
  live: liveCase,
  preflight: preflightCase,
  capture: captureCase,
  damage: damageCase,
  dump: dumpCase,
  forge: forgeCase,
  export: exportCase,
  random: randomCase,
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      kernel: { type: 'string' },
      build: { type: 'boolean', default: false },
      source: { type: 'string' },
      other: { type: 'string' },
      release: { type: 'string', default: '7.3' },
      seconds: { type: 'string', default: '900' },
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '10' },
    },
  });
  const unknown = positionals.find((name) => cases[name] === undefined);
  if (unknown !== undefined || positionals.length === 0)
    throw new Error(`${unknown === undefined ? 'no case named' : `no case ${unknown}`}; there are ${Object.keys(cases).join(', ')}`);
  const project = process.cwd();
  for (const needed of ['dist/cli/bin.js', 'tools/lab/agent.c'])
    if (!existsSync(needed)) throw new Error(`${needed} is not there; run it in the project's folder, after npm run build`);
  const kernel = values.build ? buildKernel({ project, source: values.source ?? null, folder: resolve('.tmp/lab-kernel') }) : values.kernel;
  if (kernel === undefined || !existsSync(kernel))
    throw new Error('no kernel; --kernel <bzImage> of a release with LUO (options as in samples/lab/kernel.config), or --build');
  const options: LabOptions = {
    project,
    kernel: resolve(kernel),
    release: values.release,
    other: values.other === undefined ? null : resolve(values.other),
    seconds: Number(values.seconds),
    seed: Number(values.seed),
    count: Number(values.count),
    memoryFolder: existsSync('/dev/shm') ? '/dev/shm' : null,
    progress: (line) => console.error(line),
  };
  let worst = 0;
  for (const name of positionals) {
    const result = await cases[name]?.(options);
    if (result === undefined) continue;
    for (const line of result.lines) console.log(`${name}: ${line}`);
    console.log(`${name}: ${result.agreed} of ${result.compared} agree`);
    if (result.agreed < result.compared) worst = 1;
  }
  return worst;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`lab: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
