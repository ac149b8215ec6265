/** How each release behaves. */
import type { Release } from '../contract.js';
import { releases } from '../releases.js';
import type { Behaviour } from './behaviour.js';
import { behaviour616, behaviour617 } from './v6-17.js';
import { behaviour618, behaviour6179 } from './v6-18.js';
import { behaviour619 } from './v6-19.js';
import { behaviour70 } from './v7-0.js';
import { behaviour71 } from './v7-1.js';
import { behaviour72, behaviour73 } from './v7-2.js';

/** By the release that changed something; a release without a row behaves as the one before it. */
const rows: Readonly<Partial<Record<Release, Behaviour>>> & { readonly '6.16': Behaviour } = {
  '6.16': behaviour616,
  '6.17': behaviour617,
  '6.17.9': behaviour6179,
  '6.18': behaviour618,
  '6.19': behaviour619,
  '7.0': behaviour70,
  '7.1': behaviour71,
  '7.2': behaviour72,
  '7.3': behaviour73,
};

/** How `release` behaves. */
export function behaviourOf(release: Release): Behaviour {
  const known = releases.slice(0, releases.indexOf(release) + 1).flatMap((earlier) => rows[earlier] ?? []);
  const last = known.at(-1) ?? rows['6.16'];
  return last.release === release ? last : { ...last, release };
}

/** The newest release known: what a kernel newer than it is judged by. */
export const NEWEST: Release = releases.reduce((_, newer) => newer);
