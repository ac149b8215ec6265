/**
 * The lab: real kernels in QEMU against this package's own answers. `npm run lab -- <case…> [--kernel <bzImage>] [--seed n] [--count n]`.
 * Needs Debian's qemu-system-x86, busybox-static and cpio (`dump` gcc and a static libc instead of busybox), and a kernel: one it is given, or one it builds (--build).
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { captureCase } from './case-capture.js';
import { damageCase } from './case-damage.js';
import { exportCase } from './case-export.js';
import { forgeCase } from './case-forge.js';
import { dumpCase } from './case-dump.js';
import { liveCase } from './case-live.js';
import { preflightCase } from './case-preflight.js';
import { randomCase } from './case-random.js';
import type { CaseResult, LabOptions } from './case.js';

const cases: Readonly<Record<string, (options: LabOptions) => Promise<CaseResult>>> = {
  live: liveCase,
  preflight: preflightCase,
  capture: captureCase,
  damage: damageCase,
  forge: forgeCase,
  export: exportCase,
  random: randomCase,
  dump: dumpCase,
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      kernel: { type: 'string' },
      other: { type: 'string' },
      release: { type: 'string', default: '7.3' },
      seconds: { type: 'string', default: '900' },
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '10' },
    },
  });
  const unknown = positionals.find((name) => cases[name] === undefined);
  if (unknown !== undefined || positionals.length === 0) {
    console.error(`lab: ${unknown === undefined ? 'no case named' : `no case ${unknown}`}; there are ${Object.keys(cases).join(', ')}`);
    return 2;
  }
  if (values.kernel === undefined || !existsSync(values.kernel)) {
    console.error('lab: no kernel; --kernel <bzImage> of a release with LUO (options as in samples/lab/kernel.config)');
    return 2;
  }
  const options: LabOptions = {
    project: process.cwd(),
    kernel: resolve(values.kernel),
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

process.exitCode = await main();
