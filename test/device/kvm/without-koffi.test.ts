/** Where the optional package is not installed, one line says so: what ships, in a folder of its own. */
import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { scratch } from '../../scratch.js';

it('without koffi, a scenario on /dev/kvm says what is missing and what to try', () => {
  const folder = scratch();
  for (const file of ['bin.js', 'main.js', 'package.json']) copyFileSync(join('dist/cli', file), join(folder, file));
  const scenario = resolve('samples/scenarios/kvm-exits.yaml');
  const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['bin.js', 'sim', scenario, '--device', 'kvm'], { cwd: folder, encoding: 'utf8', env });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^[^\n]*koffi.*npm install koffi@3\.3\.4.*simulate.*\n$/);
});
