/** The facts of abi/behaviour by name and release. */
import type { Release } from '../contract.js';
import { isSince, releases } from '../releases.js';
import type { Fact, Outcome } from './behaviour.js';
import { damageFacts } from './damage.js';
import { versionFacts } from './versions.js';

const facts = { ...versionFacts, ...damageFacts } satisfies Readonly<Record<string, Fact>>;
export type FactName = keyof typeof facts;
export const isFactName = (name: string): name is FactName => Object.hasOwn(facts, name);

/** What `release` does: the last row that holds for it; null where it does not get there. */
export const outcomeOf = (name: FactName, release: Release): Outcome | null => {
  const fact: Fact = facts[name];
  return fact.findLast(([since]) => isSince(release, since))?.[1] ?? null;
};

/** The newest release known: what a kernel newer than it is judged by. */
export const NEWEST: Release = releases.reduce((_, newer) => newer);
