/**
 * What `npm test` runs: a build where dist is older than the sources; then lint, types and dependency directions beside the tests, not
 * before them. The output of each task comes in one piece; the first failure decides the status.
 */
import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

const built = spawnSync(process.execPath, ['scripts/build.mjs', '--if-needed'], { stdio: 'inherit' });
if (built.status !== 0) process.exit(built.status ?? 1);

/** Both TypeScripts have a `tsc`; the native one takes a fifth of the time. */
const bin = (name) => (name === 'tsc' ? 'node_modules/typescript-native/bin/tsc' : `node_modules/.bin/${name}`);
const tasks = [
  ['vitest', ['run', '--config=scripts/vitest.mjs', `--maxWorkers=${availableParallelism()}`, ...process.argv.slice(2)], true],
  ['biome', ['check', '.'], false],
  ['tsc', ['-p', 'tsconfig.json', '--noEmit'], false],
  ['depcruise', ['--config', '.dependency-cruiser.cjs', 'abi', 'src', 'tools'], false],
];

const run = ([name, args, live]) =>
  new Promise((resolve) => {
    const child = spawn(bin(name), args, { stdio: live ? 'inherit' : ['ignore', 'pipe', 'pipe'] });
    const output = [];
    child.stdout?.on('data', (chunk) => output.push(chunk));
    child.stderr?.on('data', (chunk) => output.push(chunk));
    child.on('close', (code, signal) => {
      process.stdout.write(`${code === 0 ? '' : Buffer.concat(output)}${name}: ${code === 0 ? 'passed' : `failed (${signal ?? code})`}\n`);
      resolve(code ?? 1);
    });
  });

/** One after the other, beside the tests: three at once would only take the processors from them. */
async function checks() {
  const codes = [];
  for (const task of tasks.slice(1)) codes.push(await run(task));
  return codes;
}

const [tests, others] = await Promise.all([run(tasks[0]), checks()]);
process.exit([tests, ...others].find((code) => code !== 0) ?? 0);
