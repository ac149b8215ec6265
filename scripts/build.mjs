/**
 * Builds dist: every source transpiled (dist/src and dist/abi, for tests), and what ships, bundled: the executable
 * and the library share their chunks, so that no code is in the package twice. Types are checked by `npm run typecheck`; declarations
 * of the library are made by `npm run types`. With --if-needed nothing is done where dist is newer than every source.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const STAMP = 'dist/.built';
const INPUTS = ['abi', 'src', 'scripts/build.mjs', 'package.json'];
/** Loaded from node_modules by who installs the package; all else is bundled. */
const EXTERNAL = ['binary-parser', 'commander', 'koffi', 'react-devtools-core', 'xz-decompress', 'yaml', 'zstddec'];

const sources = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

function newest(path) {
  const stat = statSync(path);
  return stat.isDirectory() ? Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name)))) : stat.mtimeMs;
}

if (process.argv.includes('--if-needed') && existsSync(STAMP) && statSync(STAMP).mtimeMs > Math.max(...INPUTS.map(newest))) process.exit(0);

const common = { format: 'esm', platform: 'node', target: 'node20.19', logLevel: 'warning', jsx: 'automatic' };
// Into a folder of its own first: a build that is interrupted leaves the one before.
const fresh = `dist/.new-${process.pid}`;
try {
  await build({ ...common, entryPoints: [...sources('abi'), ...sources('src')], outbase: '.', outdir: fresh });
  await build({
    ...common,
    entryPoints: { bin: 'src/cli/bin.ts', main: 'src/cli/main.ts', index: 'src/library/index.ts' },
    outdir: `${fresh}/cli`,
    bundle: true,
    splitting: true,
    minify: true,
    external: EXTERNAL,
    define: { 'process.env.NODE_ENV': '"production"' },
    banner: { js: "import{createRequire as r__}from'node:module';const require=r__(import.meta.url);" },
  });
  chmodSync(`${fresh}/cli/bin.js`, 0o755);
  mkdirSync('dist', { recursive: true });
  const { renameSync } = await import('node:fs');
  for (const part of ['abi', 'src', 'cli']) {
    rmSync(`dist/${part}`, { recursive: true, force: true });
    renameSync(`${fresh}/${part}`, `dist/${part}`);
  }
  writeFileSync(STAMP, '');
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
