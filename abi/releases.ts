/** Kernel releases the contracts are told apart by, oldest first, and how well each is known. */

export interface ReleaseInfo {
  readonly release: string;
  /** point releases it stands for */
  readonly covers: string;
  /** `source`: read in the source of the release named; `inferred`: from its neighbours and the dates of the changes */
  readonly evidence: 'source' | 'inferred';
  readonly note: string;
}

export const releaseInfos = [
  { release: '6.16', covers: '6.16', evidence: 'inferred', note: 'No change of the ABI between 6.16 and 6.17.8 is known.' },
  { release: '6.17', covers: '6.17.0 to 6.17.8', evidence: 'source', note: 'Read in 6.17.8. Bitmaps of the preserved map have 512 bytes.' },
  {
    release: '6.17.9',
    covers: '6.17.9 and later 6.17',
    evidence: 'inferred',
    note: 'The stable review of 21 Nov 2025 brought bitmaps of a page under the same string.',
  },
  { release: '6.18', covers: '6.18', evidence: 'source', note: 'Read in 6.18.15.' },
  { release: '6.19', covers: '6.19', evidence: 'source', note: 'Read in 6.19.11. First release with LUO.' },
  { release: '7.0', covers: '7.0', evidence: 'inferred', note: 'From versions of its files in git and the lists of early 2026; error paths were not read.' },
  { release: '7.1', covers: '7.1', evidence: 'source', note: 'Read in 7.1.13.' },
  { release: '7.2', covers: '7.2', evidence: 'source', note: 'Read in 7.2.13.' },
  { release: '7.3', covers: '7.3', evidence: 'source', note: 'Read in 7.3.4.' },
] as const satisfies readonly ReleaseInfo[];

/** Where a version was, or is, spoken. */
export type Release = (typeof releaseInfos)[number]['release'];

export const releases: readonly Release[] = releaseInfos.map((info) => info.release);

/** Is `release` the one that `since` names, or one after it? */
export const isSince = (release: Release, since: Release): boolean => releases.indexOf(release) >= releases.indexOf(since);

/**
 * The release a kernel's version text belongs to (`6.17.9-arch1`, `7.3.4`, `7.3`), or null if it is not one of those known.
 * 6.17 is split where stable changed the bitmaps.
 */
export function releaseOf(version: string): Release | null {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?(?![\d.])/.exec(version);
  if (match === null) return null;
  const series = `${Number(match[1])}.${Number(match[2])}`;
  if (series === '6.17' && Number(match[3] ?? '0') >= 9) return '6.17.9';
  return releases.find((release) => release === series) ?? null;
}

/** A release that is not there yet: what is queued for it, on top of the last one known. */
export interface ExpectedRelease {
  readonly release: string;
  /** the release it is taken to be like in everything that is not queued */
  readonly like: Release;
  /** as of when */
  readonly date: string;
  readonly note: string;
}

export const expectedReleases: readonly ExpectedRelease[] = [
  {
    release: '7.4',
    like: '7.3',
    date: '2026-10',
    note: 'what liveupdate.git and linux-next had queued in October 2026, on top of 7.3; no 7.4-rc was seen. kho-v4 and luo-v5 are taken to stay.',
  },
];

/** The expected release that a version text belongs to, or null. */
export function expectedReleaseOf(version: string): ExpectedRelease | null {
  const series = /^v?(\d+\.\d+)(?![\d])/.exec(version)?.[1];
  return expectedReleases.find(({ release }) => release === series) ?? null;
}
