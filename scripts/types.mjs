/** Declarations of the library into dist/types: those that dist/cli/index.js's types lead to, and no others. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const all = mkdtempSync(join(tmpdir(), 'luo-inspect-types-'));
try {
  execFileSync(
    process.execPath,
    ['node_modules/typescript-native/bin/tsc', '-p', 'tsconfig.build.json', '--declaration', '--emitDeclarationOnly', '--stripInternal', '--outDir', all],
    { stdio: 'inherit' },
  );
  rmSync('dist/types', { recursive: true, force: true });
  const wanted = ['src/library/index.d.ts'];
  for (const file of wanted) {
    const target = join('dist/types', file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(all, file), target);
    for (const [, from] of readFileSync(target, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const next = join(dirname(file), from.replace(/\.js$/, '.d.ts'));
      if (existsSync(join(all, next)) && !wanted.includes(next)) wanted.push(next);
    }
  }
} finally {
  rmSync(all, { recursive: true, force: true });
}
