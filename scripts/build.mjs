/**
 * Builds dist: every source transpiled (dist/src and dist/abi, for tests), and what ships, in dist/cli: one bundle of
 * commands, library and terminal with the packages they use, and the executable that loads it. Types are checked by `npm run typecheck`;
 * declarations of the library are made by `npm run types`. With --if-needed nothing is done where dist is newer than every source.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';

const STAMP = 'dist/.built';
const INPUTS = ['abi', 'src', 'scripts/build.mjs', 'package.json'];
/** Loaded from node_modules where it was installed. */
const EXTERNAL = ['koffi'];

/**
 * A bundle that V8 can keep compiled is a script, and a script can't wait while it loads, as two modules of Ink do: its layout engine for
 * WebAssembly, which is compiled at once instead, and its reconciler for developer tools, which are left out.
 */
const withoutWaiting = {
  name: 'without-waiting',
  setup(build) {
    const replaced = (path, pairs) => {
      let contents = readFileSync(path, 'utf8');
      for (const [from, to] of pairs) {
        if (!contents.includes(from)) throw new Error(`${path}: has no ${from}`);
        contents = contents.replace(from, () => to);
      }
      return { contents };
    };
    // Commander starts programs where a command is one; here none is, and node:child_process brings all of node:net.
    build.onLoad({ filter: /commander\/lib\/command\.js$/ }, ({ path }) =>
      replaced(path, [
        ["const childProcess = require('node:child_process');", "const childProcess = { get spawn() { return require('node:child_process').spawn; } };"],
      ]),
    );
    build.onLoad({ filter: /ink\/build\/reconciler\.js$/ }, ({ path }) =>
      replaced(path, [
        ["await import('./devtools.js')", 'undefined'],
        ['await loadPackageJson()', 'undefined'],
      ]),
    );
    build.onLoad({ filter: /yoga-layout\/dist\/src\/index\.js$/ }, ({ path }) => {
      const binary = /base64,([A-Za-z0-9+/=]+)/.exec(readFileSync(join(dirname(path), '../binaries/yoga-wasm-base64-esm.js'), 'utf8'))?.[1];
      if (binary === undefined) throw new Error(`${path}: the layout engine isn't where it was`);
      const compiled = `const made = { instantiateWasm(imports, receive) {
        const instance = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from('${binary}', 'base64')), imports);
        receive(instance);
        return instance.exports;
      } };
      void loadYoga(made);
      const Yoga = wrapAssembly(made);`;
      return replaced(path, [['const Yoga = wrapAssembly(await loadYoga());', compiled]]);
    });
    // Its streams are Node's, which take longer to load than a small dump takes to unpack.
    build.onLoad({ filter: /xz-decompress\.js$/ }, ({ path }) =>
      replaced(path, [['module.exports = factory(require("stream/web"));', `module.exports = factory(require('${resolve('src/compress/pull-stream.ts')}'));`]]),
    );
    build.onLoad({ filter: /yoga-wasm-base64-esm\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/base64,[A-Za-z0-9+/=]+/, 'base64,'),
    }));
  },
};

/**
 * Modules of Node that take milliseconds to load, and that most commands do not come to use: loaded where the first of their names is
 * asked for, not where a source imports it.
 */
const whenUsed = {
  name: 'when-used',
  setup(build) {
    build.onResolve({ filter: /^node:(crypto|zlib|stream|stream\/web|child_process|readline|readline\/promises|util|v8)$/ }, ({ path, importer, namespace }) =>
      namespace === 'when-used' || importer.includes('node_modules') ? undefined : { path, namespace: 'when-used' },
    );
    build.onLoad({ filter: /.*/, namespace: 'when-used' }, async ({ path }) => {
      const names = Object.keys(await import(path)).filter((name) => name !== 'default' && name !== 'module.exports');
      return {
        contents: names.map((name) => `Object.defineProperty(exports, '${name}', { enumerable: true, get: () => require('${path}').${name} });`).join('\n'),
      };
    });
  },
};

/** The licences of the packages in the bundle, which go where it goes. */
function licences(metafile) {
  const packages = new Set(Object.keys(metafile.inputs).flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  return [...packages].sort().map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
    const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
    return `${name} ${version} (${license})\n\n${file === undefined ? 'comes without a licence file' : readFileSync(join(path, file), 'utf8').trim()}\n`;
  });
}

const sources = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

/** A process that was killed and that nobody waits for, as in a container without an init, is still there to be signalled. */
function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function newest(path) {
  const stat = statSync(path);
  return stat.isDirectory() ? Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name)))) : stat.mtimeMs;
}

if (process.argv.includes('--if-needed') && existsSync(STAMP) && statSync(STAMP).mtimeMs > Math.max(...INPUTS.map(newest))) process.exit(0);

// A build that was killed leaves its folder.
if (existsSync('dist'))
  for (const name of readdirSync('dist'))
    if (name.startsWith('.new-') && !isRunning(Number(name.slice(5)))) rmSync(join('dist', name), { recursive: true, force: true });

const common = { format: 'esm', platform: 'node', target: 'node20.19', logLevel: 'warning', jsx: 'automatic' };
// Into a folder of its own first: a build that is interrupted leaves the one before.
const fresh = `dist/.new-${process.pid}`;
try {
  await build({ ...common, entryPoints: [...sources('abi'), ...sources('src')], outbase: '.', outdir: fresh });
  const script = {
    ...common,
    format: 'cjs',
    bundle: true,
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"', 'import.meta.url': 'url__' },
    banner: { js: "const url__=require('node:url').pathToFileURL(__filename).href;" },
  };
  const { metafile } = await build({
    ...script,
    stdin: {
      contents: "export { main } from './src/cli/main.ts'; export const library = () => require('./src/library/index.ts');",
      resolveDir: '.',
      loader: 'ts',
    },
    outfile: `${fresh}/cli/main.js`,
    external: EXTERNAL,
    plugins: [withoutWaiting, whenUsed],
    metafile: true,
  });
  // Plain ASCII is read fastest; what is left of anything else is in regular expressions, where the escape means the same.
  const bundle = readFileSync(`${fresh}/cli/main.js`, 'utf8').replace(/[^\x00-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  writeFileSync(`${fresh}/cli/main.js`, bundle);
  const id = createHash('sha256').update(bundle).digest('hex').slice(0, 16);
  await build({ ...script, entryPoints: ['src/cli/bin.ts'], outfile: `${fresh}/cli/bin.js`, define: { ...script.define, BUILD: JSON.stringify(id) } });
  const library = await build({
    ...common,
    entryPoints: ['src/library/index.ts'],
    bundle: true,
    write: false,
    outdir: fresh,
    packages: 'external',
    metafile: true,
  });
  const [exported] = Object.values(library.metafile.outputs);
  writeFileSync(`${fresh}/cli/index.mjs`, `import bundle from './main.js';\nexport const { ${exported.exports.join(', ')} } = bundle.library();\n`);
  writeFileSync(`${fresh}/cli/package.json`, '{ "type": "commonjs" }\n');
  writeFileSync(`${fresh}/cli/LICENSES.txt`, licences(metafile).join('\n----\n\n'));
  chmodSync(`${fresh}/cli/bin.js`, 0o755);
  // While parts of two builds stand side by side, none is complete.
  rmSync(STAMP, { force: true });
  for (const part of ['abi', 'src', 'cli']) {
    rmSync(`dist/${part}`, { recursive: true, force: true });
    renameSync(`${fresh}/${part}`, `dist/${part}`);
  }
  writeFileSync(STAMP, '');
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
