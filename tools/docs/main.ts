/** `npm run docs`: renews every generated file, and says which were out of date. Run from the repository's root. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pages } from './pages.js';

for (const [path, render] of Object.entries(pages)) {
  const text = render();
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  writeFileSync(path, text);
  process.stdout.write(`${path}: renewed\n`);
}
