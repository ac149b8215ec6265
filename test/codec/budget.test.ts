/** The budget of a command: what it counts, what it notes, and which one is in force. */
import { describe, expect, it } from 'vitest';
import { Budget, currentBudget, reachedText, withBudget } from '../../src/codec/budget.js';

import { buildFdt, parseFdt } from '../../src/codec/fdt.js';

describe('a budget', () => {
  it('notes the first place where a limit ended something, and what raises it', () => {
    const budget = new Budget({ entries: 3 });
    expect([1, 2, 3].map(() => budget.spend('entries', 1, 'here'))).toEqual([true, true, true]);
    expect(budget.spend('entries', 1, 'there')).toBe(false);
    expect(budget.spend('entries', 1, 'later')).toBe(false);
    expect(budget.reached.map(({ where, allowed }) => [where, allowed])).toEqual([['there', 3]]);
    expect(budget.reached.map(reachedText).join()).toMatch(/^there: more than 3 entries .*--limit entries=24/);
  });

  it('is that of the command, in whatever it calls later', async () => {
    const budget = new Budget();
    expect(currentBudget()).not.toBe(currentBudget());
    await withBudget(budget, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      expect(currentBudget()).toBe(budget);
    });
  });
});

describe('an FDT whose properties share one long name', () => {
  const long = 'x'.repeat(100_000);
  const bytes = buildFdt({ name: '', properties: Array.from({ length: 5000 }, () => [long, new Uint8Array(0)] as const), children: [] });

  it('is read with the name cut, and that is noted', () => {
    const budget = new Budget();
    const fdt = withBudget(budget, () => parseFdt(bytes));
    expect(fdt.root?.properties).toHaveLength(5000);
    expect(new Set(fdt.root?.properties.map(({ name }) => name.length))).toEqual(new Set([257]));
    expect(budget.reached.map(({ limit }) => limit)).toEqual(['name-bytes']);
  });

  it('is read up to the limit of items', () => {
    const budget = new Budget({ 'fdt-items': 100 });
    const fdt = withBudget(budget, () => parseFdt(bytes));
    expect(fdt.root?.properties.length).toBeLessThanOrEqual(100);
    expect(fdt.problems.map(({ text }) => text)).toEqual(['more nodes and properties than a handover has']);
    expect(budget.reached.map(({ limit }) => limit)).toEqual(['name-bytes', 'fdt-items']);
  });
});
