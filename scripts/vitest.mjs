/**
 * How `npm test` runs the tests: what they import of abi and src is what the build transpiled, loaded by Node itself. Loading the sources
 * through vitest's module runner took a sixth of the time, and every name they import one from another was looked up again at each use.
 * Test files share their processes' modules. `npx vitest run test/x.test.ts` by itself does without, and needs no build but for tests of
 * the executable.
 */
import { dirname, relative, resolve } from 'node:path';

const root = resolve('.');

const transpiled = {
  name: 'transpiled',
  enforce: 'pre',
  resolveId(source, importer) {
    if (importer === undefined || !source.startsWith('.')) return null;
    const path = relative(root, resolve(dirname(importer), source));
    return /^(abi|src)\/.*\.js$/.test(path) ? resolve('dist', path) : null;
  },
};

export default {
  plugins: [transpiled],
  test: {
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    server: { deps: { external: [/\/dist\/(abi|src)\//] } },
    // MiB; with V8's own 16 a seventh of the time goes into collecting
    execArgv: ['--max-semi-space-size=64'],
  },
};
