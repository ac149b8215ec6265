/** `abi list --status`: contracts by how far they have come, each proposal with its day and source. */
import { expect, it } from 'vitest';
import { contracts, expectedReleases } from '../../abi/registry.js';
import { isProposed, standingOf } from '../../abi/contract.js';
import { listJson, listText } from '../../src/report/abi-list.js';

it('lists what is queued, with the release it is expected in', () => {
  const lines = listText('queued').join('\n');
  expect(lines).toMatch(/pci-version-2 .*queued, 2026-09-28, expected in 7\.4/);
  expect(lines).not.toContain('memfd-v2');
  expect(listText().join('\n')).toContain('7.4 is expected: ');
  expect(listJson(4096)).toMatchObject({ expected: [{ release: '7.4', speaks: ['pci-version-2'] }] });
  expect(listJson(4096, 'rfc')).toMatchObject({ contracts: expect.arrayContaining([expect.objectContaining({ id: 'cpu_fh_v1', date: '2026-09-28' })]) });
});

it('every proposal says when, none is of a release, and what is expected names a release that is', () => {
  const proposed = contracts.filter(isProposed);
  expect(proposed.length).toBeGreaterThan(30);
  for (const contract of proposed) expect(standingOf([contract]), contract.id).toMatch(/^(queued|review|rfc|superseded), 20\d\d/);
  for (const { expected } of proposed) if (expected !== undefined) expect(expectedReleases.map(({ release }) => release)).toContain(expected);
});
