/** docs/abi.md is what the contracts say; `npx vitest run test/report/abi-doc.test.ts --update` renews it. */
import { expect, test } from 'vitest';
import { abiDocument } from '../../src/report/abi-doc.js';

test('docs/abi.md is up to date', async () => {
  await expect(abiDocument()).toMatchFileSnapshot('../../docs/abi.md');
});
