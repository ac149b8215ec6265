/** `npm run docs`: renews every generated file, and says which were out of date. Run from the repository's root. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pages } from './pages.js';

const texts = await Promise.all(Object.entries(pages).map(async ([path, render]): Promise<readonly [string, string]> => [path, await render()]));
for (const [path, text] of texts) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  process.stdout.write(`${path}: renewed\n`);
}
