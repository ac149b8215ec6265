/** `abi list`: which release speaks which contract, as a matrix, and every contract in a flat list. */
import type { Contract, Layer } from '../../abi/contract.js';
import { contracts, releaseInfos, supporting } from '../../abi/registry.js';
import { contractJson, releasesText } from './abi-show.js';
import type { JsonObject } from './json-value.js';

/** The parts of the flat list, by status. */
export const sections: readonly (readonly [Contract['status'], string])[] = [
  ['released', 'In kernel releases'],
  ['test', "The kernel's own tests"],
  ['window', 'Only inside a merge window'],
  ['list', 'On the mailing lists; no release'],
];

/** The whole list as text. */
export function listText(): readonly string[] {
  const lines = [...matrixText(), ''];
  if (releaseInfos.some((info) => info.evidence === 'inferred')) lines.push('* inferred, not read in the source of that release', '');
  for (const [status, title] of sections) {
    lines.push(title, ...flat(contracts.filter((contract) => contract.status === status)), '');
  }
  lines.push('Around a handover', ...flat(supporting));
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
    return `  ${contract.id.padEnd(width)}  ${releasesText(contract)}${string}; ${content}`;
  });
}

/** `abi list --json`. @param pageSize in bytes, for the capacities of areas */
export function listJson(pageSize: number): JsonObject {
  return {
    schema: 'luo-inspect.abi-list/1',
    releases: releaseInfos.map((info) => ({
      ...info,
      speaks: contracts.filter((contract) => contract.releases.includes(info.release)).map((contract) => contract.id),
    })),
    contracts: contracts.map((contract) => contractJson(contract, pageSize)),
    supporting: supporting.map((contract) => contractJson(contract, pageSize)),
  };
}
