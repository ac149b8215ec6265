/** The line that says how far long work has come. */
import { expect, it } from 'vitest';
import { progressLine } from '../../src/cli/progress.js';

it('bytes, rate and time left; without a total no time', () => {
  expect(progressLine('searching', 16 * 2 ** 30, 64 * 2 ** 30, 8)).toBe('searching: 16 GiB of 64 GiB, 2 GiB/s, 24 s left');
  expect(progressLine('unpacking a', 3 * 2 ** 20, null, 3)).toBe('unpacking a: 3 MiB, 1 MiB/s');
});
