/** Runs a program of tools/, which serves the project and does not ship: `node scripts/tool.mjs <name> [argument…]`. It is bundled first, since it is TypeScript. */
import { spawnSync } from 'node:child_process';
import { build } from 'esbuild';

const [name, ...words] = process.argv.slice(2);
const outfile = `.tmp/${name}.js`;
await build({
  entryPoints: [`tools/${name}/main.ts`],
  outfile,
  bundle: true,
  format: 'esm',
  platform: 'node',
  packages: 'external',
  jsx: 'automatic',
  logLevel: 'warning',
});
process.exitCode = spawnSync(process.execPath, [outfile, ...words], { stdio: 'inherit' }).status ?? 1;
