/** The search for sessions and files that no list leads to, and the limit that ends it. */
import { expect, it } from 'vitest';
import { Budget, withBudget } from '../../src/codec/budget.js';
import { openDump } from '../../src/container/open.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { decodeHandovers } from '../../src/handover/decode.js';

it('a limit that ends the search is told', async () => {
  const { memory } = await openDump('samples/handover-7.3/s1-frozen.sparse.elf.xz');
  const rules = (budget: Budget): readonly string[] =>
    withBudget(budget, () => diagnose(decodeHandovers({ memory }))).map(({ rule, message }) => `${rule}: ${message}`);
  expect(rules(new Budget()).filter((text) => text.startsWith('limit/'))).toEqual([]);
  expect(rules(new Budget({ 'lost-blocks': 1 })).filter((text) => text.startsWith('limit/'))).toEqual([
    expect.stringMatching(/^limit\/reached: outgoing\/kho\/preserved: more than 1 blocks .*--limit lost-blocks=8 goes on$/),
  ]);
});
