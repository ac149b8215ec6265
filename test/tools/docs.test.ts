/** What is generated is what the tables in the code make; `npm run docs` renews it. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { pages } from '../../tools/docs/pages.js';

it.each(Object.entries(pages))('%s is up to date', async (path, render) => {
  expect(readFileSync(path, 'utf8')).toBe(await render());
});
