/** docs/limits.md is the table the code counts by. */
import { expect, it } from 'vitest';
import { limitsReference } from '../../src/report/limits-reference.js';

it('docs/limits.md is up to date', async () => {
  await expect(limitsReference()).toMatchFileSnapshot('../../docs/limits.md');
});
