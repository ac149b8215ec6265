/** docs/dependencies.md names every direct dependency, with its version, the licence that the lock states, and what it is for; nothing installed is copyleft. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Locked {
  readonly license?: string;
  readonly dev?: boolean;
  readonly integrity?: string;
}

const read = (file: string): string => readFileSync(file, 'utf8');
const own: Record<'dependencies' | 'devDependencies' | 'optionalDependencies', Record<string, string>> = JSON.parse(read('package.json'));
const locked: Record<string, Locked> = JSON.parse(read('npm-shrinkwrap.json')).packages;
const page = read('docs/dependencies.md');

describe('dependencies', () => {
  const direct = Object.entries({ ...own.dependencies, ...own.optionalDependencies, ...own.devDependencies });
  it.each(direct)('%s is justified', (name, version) => {
    const licence = locked[`node_modules/${name}`]?.license ?? '?';
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` | ${version} | ${licence} | `));
    expect(row, `| \`${name}\` | ${version} | ${licence} |`).toMatch(/\| [^|]{8,} \|$/);
  });

  it('and none is named that is not there', () => {
    const named = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name);
    expect(named.sort()).toEqual(direct.map(([name]) => name).sort());
  });

  it('of what is installed, every licence is permissive and every package has a checksum', () => {
    for (const [path, { license, dev, integrity }] of Object.entries(locked)) {
      if (path === '' || dev === true) continue;
      expect(license, path).toMatch(/^(MIT|ISC|MIT AND BSD-3-Clause)$/);
      expect(integrity, path).toMatch(/^sha512-/);
    }
  });
});
