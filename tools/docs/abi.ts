/** docs/abi.md: every contract with its layouts, generated from `abi/`. */
import { type Contract, type FdtNodeLayout, standingOf } from '../../abi/contract.js';
import type { Struct } from '../../abi/layout.js';
import { contracts, releaseInfos, supporting } from '../../abi/registry.js';
import { DEFAULT_PAGE_SIZE, layoutTable, typeSize, PAGE_SIZES } from '../../src/codec/layout-table.js';
import { describe, typeText } from '../../src/report/abi-layout.js';
import { matrixRows, sections } from '../../src/report/abi-list.js';
import { areaText, releasesText } from '../../src/report/abi-show.js';

/** The whole document. */
export function abiDocument(): string {
  const lines = [
    '# Contracts between kernels',
    '',
    'What one kernel hands to the next, by compatible string and kernel release. Generated from `abi/`: change it there, then run',
    '`npm run docs`. `luo-inspect abi show <struct>[@<compatible>]` shows the same on a terminal.',
    '',
    `Offsets and sizes are in bytes, for pages of ${DEFAULT_PAGE_SIZE} where a layout fills its page.`,
    '',
    '## By release',
    '',
    ...markdownTable(matrixRows()),
    '',
    'A release with `*` is inferred from its neighbours, not read in its source:',
    '',
    ...releaseInfos.map((info) => `* ${info.release}${info.evidence === 'inferred' ? '*' : ''} (${info.covers}): ${info.note}`),
  ];
  lines.push(
    '',
    '## Beyond the releases',
    '',
    'What is expected and proposed, with its standing (`luo-inspect abi list --status`); the layouts stand below.',
    '',
    ...markdownTable([
      ['contract', 'layer', 'compatible', 'standing', 'source'],
      ...contracts
        .filter((one) => one.status !== 'released')
        .sort((a, b) => sections.findIndex(([status]) => status === a.status) - sections.findIndex(([status]) => status === b.status))
        .map((one) => [one.id, one.layer, one.compatible === null ? '-' : `\`${one.compatible}\``, standingOf([one]), one.source]),
    ]),
  );
  const described = new Map<Struct, string>();
  for (const [status, title] of sections) {
    lines.push('', `## ${title}`);
    for (const contract of contracts.filter((one) => one.status === status)) lines.push('', ...contractSection(contract, described));
  }
  lines.push(
    '',
    '## Around a handover',
    '',
    'Structures that are no part of what is handed over. `kvm_run` is too long for this page: `luo-inspect abi show kvm_run`.',
  );
  for (const contract of supporting.filter((one) => one.layer !== 'kvm-run')) lines.push('', ...contractSection(contract, described));
  return `${lines.join('\n')}\n`;
}

/** @param described structures that stand further up already, with the contract they stand under */
function contractSection(contract: Contract, described: Map<Struct, string>): string[] {
  const string = contract.compatible === null ? 'no string of its own' : `compatible \`${contract.compatible}\``;
  const lines = [`### ${contract.id}`, '', `Layer ${contract.layer}, ${string}; spoken by ${releasesText(contract)}. Source: ${contract.source}.`];
  if (contract.format === 'opaque') lines.push('', 'Its bytes are not described.');
  if (contract.discriminates !== undefined) lines.push('', `Told from others of its string: ${contract.discriminates}`);
  if (contract.notes.length > 0) lines.push('', ...contract.notes.map((note) => `* ${note}`));
  if (contract.fdt !== undefined) lines.push('', ...markdownTable([['node', 'property', 'type', 'size', 'meaning'], ...fdtRows(contract.fdt, '')]));
  for (const area of contract.areas ?? []) lines.push('', ...PAGE_SIZES.map((size) => `* ${areaText(area, size)}`));
  const again = contract.structs.filter((struct) => described.has(struct));
  if (again.length > 0) lines.push('', `As above: ${again.map((struct) => `\`struct ${struct.name}\` (${described.get(struct)})`).join(', ')}.`);
  for (const struct of contract.structs) {
    if (described.has(struct)) continue;
    described.set(struct, contract.id);
    lines.push('', ...structSection(struct));
  }
  return lines;
}

function structSection(struct: Struct): string[] {
  const table = layoutTable(struct);
  const rows: string[][] = [];
  const holes = [...table.holes];
  const hole = (before: number): void => {
    for (const next of holes.filter((one) => one.offset < before)) {
      rows.push([String(next.offset), String(next.size), '', '(hole)', '']);
      holes.splice(holes.indexOf(next), 1);
    }
  };
  for (const field of table.fields) {
    hole(field.offset);
    rows.push([String(field.offset), String(field.size), typeText(field.type, DEFAULT_PAGE_SIZE, field.offset), `\`${field.name}\``, describe(field.type)]);
    for (const { name, lowBit, field: bit } of field.bits)
      rows.push([`${field.offset}, bit ${lowBit}`, `${bit.width} bits`, `${typeText(field.type)}:${bit.width}`, `\`${name}\``, describe(bit)]);
  }
  hole(table.size + 1);
  const order = struct.endian === 'big' ? ', big-endian' : '';
  return [
    `\`struct ${struct.name}\`, ${table.size} bytes${order}: ${struct.meaning}.`,
    '',
    ...markdownTable([['offset', 'size', 'type', 'field', 'meaning'], ...rows]),
  ];
}

function fdtRows(node: FdtNodeLayout, parent: string): string[][] {
  const path = node.name === '/' ? '/' : `${parent === '/' ? '' : parent}/${node.name === '*' ? '(any)' : node.name}`;
  const rows = Object.entries(node.properties).map(([name, property]) => [
    path,
    `\`${name}\``,
    `${typeText(property.type)}${property.repeats === true ? '[]' : ''}`,
    property.repeats === true ? `${typeSize(property.type)} each` : String(typeSize(property.type)),
    property.type.meaning,
  ]);
  return [...rows, ...node.children.flatMap((child) => fdtRows(child, path))];
}

function markdownTable(rows: readonly (readonly string[])[]): string[] {
  const [head, ...body] = rows;
  if (head === undefined) return [];
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)];
}
