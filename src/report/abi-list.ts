/** `abi list`: which release speaks which contract, as a matrix, and every contract in a flat list. */
import { type Contract, type Layer, type Status, standingOf } from '../../abi/contract.js';
import { contracts, expectedReleases, releaseInfos, supporting } from '../../abi/registry.js';
import { contractJson, releasesText } from './abi-show.js';
import type { JsonObject } from './json-value.js';

/** The parts of the flat list, by status. */
export const sections: readonly (readonly [Contract['status'], string])[] = [
  ['released', 'In kernel releases'],
  ['test', "The kernel's own tests"],
  ['window', 'Only inside a merge window'],
  ['queued', 'Queued: in liveupdate.git and linux-next, in no release'],
  ['review', 'Under review on the mailing lists'],
  ['rfc', 'Requests for comments'],
  ['superseded', 'Of earlier mails; the series has another layout by now'],
];

/** The whole list as text. */
export function listText(only: Status | null = null): readonly string[] {
  const lines = only === null ? [...matrixText(), ''] : [];
  if (only === null && releaseInfos.some((info) => info.evidence === 'inferred')) lines.push('* inferred, not read in the source of that release', '');
  if (only === null) for (const { release, note } of expectedReleases) lines.push(`${release} is expected: ${note}`, '');
  const own = contracts.filter(({ status }) => status === 'own');
  if (own.length > 0 && (only === null || only === 'own')) lines.push('Described with --contract', ...flat(own), '');
  for (const [status, title] of sections) {
    if (only !== null && status !== only) continue;
    lines.push(title, ...flat(contracts.filter((contract) => contract.status === status)), '');
  }
  if (only === null || only === 'user-space') lines.push('Around a handover', ...flat(supporting.filter(({ status }) => only === null || status === only)));
  return lines;
}

/** Head and rows: one row a layer, one column a release; a cell is the contract's id without the name of its layer. */
export function matrixRows(): readonly (readonly string[])[] {
  const spoken = contracts.filter((contract) => contract.releases.length > 0);
  const layers = [...new Set<Layer>(spoken.map((contract) => contract.layer))];
  const head = ['layer', ...releaseInfos.map((info) => (info.evidence === 'inferred' ? `${info.release}*` : info.release))];
  const rows = layers.map((layer) => [
    layer,
    ...releaseInfos.map(({ release }) => {
      const speaks = spoken.filter((contract) => contract.layer === layer && contract.releases.includes(release));
      return speaks.length === 0 ? '-' : speaks.map((contract) => shortId(contract)).join(' ');
    }),
  ]);
  return [head, ...rows];
}

function matrixText(): readonly string[] {
  const rows = matrixRows();
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function shortId(contract: Contract): string {
  const prefix = `${contract.layer}-`;
  return contract.id.startsWith(prefix) ? contract.id.slice(prefix.length) : 'yes';
}

function flat(list: readonly Contract[]): readonly string[] {
  const width = Math.max(...list.map((contract) => contract.id.length));
  return list.map((contract) => {
    const names = contract.structs.map((struct) => struct.name);
    const structs = names.length > 6 ? [...names.slice(0, 6), `and ${names.length - 6} more`] : names;
    const string = contract.compatible !== null && contract.compatible !== contract.id ? ` ("${contract.compatible}")` : '';
    const content = structs.length > 0 ? structs.join(' ') : contract.format === 'fdt' ? 'FDT' : 'opaque';
    return `  ${contract.id.padEnd(width)}  ${releasesText(contract)}${standing(contract)}${string}; ${content}`;
  });
}

/** `, queued 2026-09-28, expected in 7.4`, or nothing. */
const standing = (contract: Contract): string => (contract.date === undefined ? '' : `, ${standingOf([contract])}`);

/** `abi list --json`. @param pageSize in bytes, for the capacities of areas */
export function listJson(pageSize: number, only: Status | null = null): JsonObject {
  const wanted = (list: readonly Contract[]): readonly Contract[] => list.filter(({ status }) => only === null || status === only);
  return {
    schema: 'luo-inspect.abi-list/1',
    releases: releaseInfos.map((info) => ({
      ...info,
      speaks: contracts.filter((contract) => contract.releases.includes(info.release)).map((contract) => contract.id),
    })),
    expected: expectedReleases.map((info) => ({ ...info, speaks: contracts.filter((contract) => contract.expected === info.release).map(({ id }) => id) })),
    contracts: wanted(contracts).map((contract) => contractJson(contract, pageSize)),
    supporting: wanted(supporting).map((contract) => contractJson(contract, pageSize)),
  };
}
