/** A program of the tests as one JavaScript file, for a pseudo-terminal: what is checked out, and not the last build. */
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';

const root = resolve(import.meta.dirname, '../../..');

/** Path of the compiled form of `source`, relative to the repository (`test/tui/pty/show.ts`). */
export function compiled(source: string): string {
  const outfile = join(root, '.tmp/compiled', source.replace(/\.tsx?$/, '.js'));
  buildSync({
    entryPoints: [join(root, source)],
    outfile,
    // with Ink and React in it, as what ships has them: that starts in a third of the time
    bundle: true,
    alias: { 'react-devtools-core': 'node:events' },
    define: { 'process.env.NODE_ENV': '"production"' },
    banner: { js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);" },
    format: 'esm',
    platform: 'node',
    target: 'node20',
    jsx: 'automatic',
  });
  return outfile;
}
