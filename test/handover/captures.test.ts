/** Every capture that ships, against what the guest did and what an independent decoder reads. */
import { describe, expect, it } from 'vitest';
import { type MomentResult, checkFolder } from '../../tools/captures/check-folder.js';

const results: MomentResult[] = [];
for await (const result of checkFolder('samples')) results.push(result);

describe('captures in samples/', () => {
  it('are all there', () => {
    expect(results.length).toBeGreaterThanOrEqual(70);
  });

  it.each(results.map((result) => [result.dump, result] as const))('%s agrees with its ground truth', (_, result) => {
    expect(result.differences).toEqual([]);
    expect(result.compared).toBeGreaterThan(10);
  });

  it.each(results.filter((result) => /handover-7\.[13]\/(s1-frozen|s2-at)/.test(result.dump)).map((result) => [result.dump, result] as const))(
    '%s: contents that are in the dump hash right, the others are said not to be',
    (_, result) => {
      expect(result.hashed).toBe(8);
      expect(result.notInDump).toBe(4);
    },
  );
});
