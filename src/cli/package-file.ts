/** Files that ship with the package, wherever the code was built or bundled to. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of a file or folder of the package. */
export function packageFile(name: string): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let at = start; ; at = dirname(at)) {
    if (existsSync(join(at, 'samples'))) return join(at, name);
    if (at === dirname(at)) return join(start, name);
  }
}
