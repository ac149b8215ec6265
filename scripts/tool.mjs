/** Runs a program of tools/, which serves the project and does not ship: `node scripts/tool.mjs <name> [argument…]`. It is bundled first, since it is TypeScript. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { build } from 'esbuild';

const [name, ...words] = process.argv.slice(2);
const outdir = `.tmp/${name}`;
await build({
  entryPoints: ['main', 'worker'].map((entry) => `tools/${name}/${entry}.ts`).filter((file) => existsSync(file)),
  outdir,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  jsx: 'automatic',
  logLevel: 'warning',
});
// as the package runs: React decides when it is imported, and its development build keeps a record of every frame
const env = { NODE_ENV: 'production', ...process.env };
process.exitCode = spawnSync(process.execPath, [`${outdir}/main.js`, ...words], { stdio: 'inherit', env }).status ?? 1;
