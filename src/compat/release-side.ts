/** What a release speaks, from the registry. */
import type { Contract, Release } from '../../abi/contract.js';
import { contracts, type ExpectedRelease, expectedReleaseOf, releaseInfos, releaseOf, releases, spokenBy } from '../../abi/registry.js';
import { UserError } from '../codec/user-error.js';
import { infoOf, type Part, type Side, SWITCHED_ON } from './side.js';

/** Does `text` look like a release rather than a file? */
export const looksLikeRelease = (text: string): boolean => /^v?\d+\.\d+(\.\d+)?(-[\w.+-]+)?$/.test(text);

/** @throws UserError where no such release is known */
export function releaseSide(text: string): Side {
  const expected = expectedReleaseOf(text);
  if (expected !== null) return expectedSide(text, expected);
  const release = releaseOf(text.replace(/^v/, ''));
  if (release === null)
    throw new UserError(`${text}: no release whose contracts are known; known are ${releases.join(', ')} and their point releases (\`luo-inspect abi list\`)`);
  const info = releaseInfos.find((known) => known.release === release);
  const by = info === undefined ? '' : info.note;
  return {
    label: text,
    kind: 'release',
    description: `release ${text}${info === undefined || info.covers === text ? '' : `, known as ${info.covers}`}`,
    releases: [release],
    parts: partsOf(release),
    unknown: new Map(),
    pageSize: null,
    switches: SWITCHED_ON,
    evidence: by === '' ? [] : [`${text}: ${by}`],
  };
}

/** A release that is not there yet: the one it is taken to be like, with what is queued for it in place of what it replaces. */
function expectedSide(text: string, { release, like, date, note }: ExpectedRelease): Side {
  const queued = contracts.filter((contract) => contract.expected === release);
  const replaced = (part: Part): boolean => queued.some((contract) => contract.layer === part.layer && part.role !== 'flb' && part.role !== 'handler');
  const by = `expected in ${release}, as queued in ${date}`;
  const expectedNote = `${release} is not released: ${note}`;
  return {
    ...releaseSide(like),
    label: text,
    description: `release ${text}, expected: ${note}`,
    parts: [...partsOf(like).filter((part) => !replaced(part)), ...queued.flatMap((contract) => partOf(contract, by))],
    evidence: [expectedNote],
    notes: [expectedNote],
    scratchNames: 'queued',
  };
}

/** The parts of a release: layers that a next kernel looks at by themselves. */
export function partsOf(release: Release): readonly Part[] {
  return spokenBy(release).flatMap((contract) => partOf(contract, `release ${release}`));
}

function partOf(contract: Contract, by: string): readonly Part[] {
  const info = infoOf(contract.layer);
  if (info === null) return [];
  return [{ layer: contract.layer, role: info.role, compatible: contract.compatible, contracts: [contract], shapes: null, by, holds: null, inUse: true }];
}
