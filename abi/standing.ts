/** How far proposed contracts have come, in words. */
import type { Contract } from './contract.js';

/** `queued, 2026-09-28, expected in 7.4`; of several contracts under one string the farthest, then the newest. */
export function standingOf(contracts: readonly Contract[]): string {
  const [first] = [...contracts].sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status) || (b.date ?? '').localeCompare(a.date ?? ''));
  if (first === undefined) return 'unknown';
  return [first.status, first.date, first.expected === undefined ? undefined : `expected in ${first.expected}`].filter((part) => part !== undefined).join(', ');
}

const ORDER: readonly Contract['status'][] = ['released', 'window', 'queued', 'review', 'rfc', 'superseded', 'test', 'user-space', 'own'];
