/** Licences and checksums of what is installed with the package; docs/dependencies.md is made of the same lock. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Locked {
  readonly license?: string;
  readonly dev?: boolean;
  readonly integrity?: string;
}

const read = (file: string): string => readFileSync(file, 'utf8');
const locked: Record<string, Locked> = JSON.parse(read('npm-shrinkwrap.json')).packages;

describe('dependencies', () => {
  it('of what is installed, every licence is permissive and every package has a checksum', () => {
    for (const [path, { license, dev, integrity }] of Object.entries(locked)) {
      if (path === '' || dev === true) continue;
      expect(license, path).toMatch(/^(MIT|ISC|MIT AND BSD-3-Clause)$/);
      expect(integrity, path).toMatch(/^sha512-/);
    }
  });
});
