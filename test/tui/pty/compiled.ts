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
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    jsx: 'automatic',
  });
  return outfile;
}
