/** What a test asserts of a rule: transcripts.test.ts looks for these calls, since a rule that fires in no test fails there. */
import { expect } from 'vitest';

/** @param found ids of the rules that fired */
export function fires(rule: string, found: readonly string[]): void {
  expect(found).toContain(rule);
}
