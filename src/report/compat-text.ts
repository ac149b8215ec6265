/** `abi check` for people: the answer first, then what happens layer by layer, in the order in which the next kernel meets them. */
import { type Paint, painter, wrap } from './lines.js';
import { withErrno } from '../../abi/errno.js';
import type { CompatResult } from '../compat/verdict.js';
import { escapeText } from './escape.js';
import { type JsonObject, type Json, pick } from './json-value.js';
import { offsetText, type ShapeField } from '../compat/shape.js';
import type { AbiDiff, FieldDiff, LayerDiff, StructDiff } from '../compat/diff.js';

interface CompatTextOptions {
  /** columns of the terminal */
  readonly width: number;
  readonly color: boolean;
  readonly verbose: boolean;
}

const answers: Readonly<Record<CompatResult['verdict'], string>> = {
  compatible: 'yes',
  incompatible: 'no',
  unknown: 'cannot be told',
};

export function compatText(result: CompatResult, options: CompatTextOptions): readonly string[] {
  const paint = painter(options.color);
  const answer = paint(answers[result.verdict], result.verdict === 'compatible' ? 'good' : result.verdict === 'unknown' ? 'warning' : 'error');
  const lines = [`Can ${escapeText(result.to)} take over from ${escapeText(result.from)}? ${answer}`, ''];
  const cells = result.layers.map((row) => [row.layer, row.from ?? '-', row.to ?? '-', withErrno(row.outcome, row.errno)].map(escapeText));
  const head = ['layer', 'written', 'spoken', 'outcome'];
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  const indent = widths.reduce((sum, width) => sum + width + 2, 0);
  lines.push(`${line(head)}  what happens`);
  result.layers.forEach((row, index) => {
    const accepted = row.suppressed === null ? '' : ` [accepted: ${row.suppressed}]`;
    const text = wrap(escapeText(row.text + accepted), Math.max(30, options.width - indent));
    const shown = line(cells[index] ?? []);
    const painted = row.suppressed !== null ? paint(shown, 'info') : row.outcome === 'taken-over' ? paint(shown, 'good') : paint(shown, row.severity);
    lines.push(`${painted}  ${text[0] ?? ''}`.trimEnd(), ...text.slice(1).map((rest) => ' '.repeat(indent) + rest));
  });
  for (const remark of result.remarks) {
    const accepted = remark.suppressed === null ? '' : ` [accepted: ${remark.suppressed}]`;
    lines.push('', ...wrap(`${remark.severity} ${remark.rule}: ${escapeText(remark.message + accepted)}`, options.width));
  }
  for (const note of result.notes) lines.push('', ...wrap(`note: ${escapeText(note)}`, options.width));
  if (options.verbose) lines.push('', ...result.evidence.flatMap((text) => wrap(escapeText(text), options.width)));
  return lines;
}

export const compatJson = (result: CompatResult): JsonObject => ({
  schema: 'luo-inspect.compat/1',
  ...pick(result, 'from', 'to', 'verdict'),
  layers: result.layers.map((layer) => pick(layer, 'layer', 'from', 'to', 'outcome', 'errno', 'text', 'severity', 'evidence', 'suppressed')),
  findings: result.remarks.map((remark) => pick(remark, 'rule', 'severity', 'layer', 'message', 'suppressed')),
  ...pick(result, 'notes', 'evidence'),
});

const SCHEMA = 'luo-inspect.abi-diff/1';

interface DiffTextOptions {
  /** columns of the terminal */
  readonly width: number;
  readonly color: boolean;
}

export function diffText(diff: AbiDiff, options: DiffTextOptions): readonly string[] {
  const paint = painter(options.color);
  const lines = [`a: ${escapeText(diff.a)}`, `b: ${escapeText(diff.b)}`];
  for (const layer of diff.layers) {
    lines.push('', paint(headOf(layer), layer.change === 'same' ? 'info' : 'bold'));
    for (const text of layer.other) lines.push(...wrap(escapeText(text), options.width - 2).map((line) => `  ${line}`));
    for (const struct of layer.structs) lines.push(...structLines(struct, paint));
  }
  for (const finding of diff.findings) lines.push('', ...wrap(`${finding.severity} ${finding.rule}: ${escapeText(finding.message)}`, options.width));
  const changed = diff.layers.filter((layer) => layer.change !== 'same').length;
  lines.push('', changed === 0 ? 'no difference' : `${changed} of ${diff.layers.length} layers differ`);
  return lines;
}

function headOf(layer: LayerDiff): string {
  const versions = layer.a === layer.b ? `${layer.a}` : `${layer.a ?? 'none'} -> ${layer.b ?? 'none'}`;
  const words = { same: 'the same', changed: 'differs', 'only-a': 'only in a', 'only-b': 'only in b' } as const;
  return escapeText(`${layer.layer}: ${versions}, ${words[layer.change]}`);
}

function structLines(struct: StructDiff, paint: Paint): readonly string[] {
  const size = (bytes: number | null): string => (bytes === null ? '-' : `${bytes} bytes`);
  const title = `  struct ${escapeText(struct.name)}`;
  if (struct.change === 'same') return [`${title}: the same, ${size(struct.sizeA)}`];
  const rows = struct.fields.map((field) => [marks[field.change], escapeText(field.name), placeText(field.a), placeText(field.b)]);
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0), 1);
  const [name, a] = [width(1), Math.max(width(2), size(struct.sizeA).length)];
  const lines = [`${title.padEnd(6 + name)}  ${size(struct.sizeA).padEnd(a)}  ${size(struct.sizeB)}`];
  struct.fields.forEach((field, index) => {
    const row = rows[index] ?? [];
    const line = `   ${row[0]} ${(row[1] ?? '').padEnd(name)}   ${(row[2] ?? '').padEnd(a)}  ${row[3] ?? ''}`.trimEnd();
    lines.push(field.change === 'same' ? line : paint(line, colorOf(field)));
  });
  return lines;
}

const marks = { same: ' ', changed: '~', 'only-a': '-', 'only-b': '+' } as const;
const colorOf = (field: FieldDiff): Parameters<Paint>[1] => (field.change === 'only-a' ? 'error' : field.change === 'only-b' ? 'good' : 'warning');

/** `16 u64 seals`: offset and type; the width where it is a bit-field. */
function placeText(field: ShapeField | null): string {
  if (field === null) return '-';
  const bits = field.bits % 8 === 0 && field.bitOffset % 8 === 0 ? '' : `:${field.bits}`;
  return escapeText(`@${offsetText(field)} ${field.type}${bits}`);
}

export const diffJson = (diff: AbiDiff): JsonObject => ({
  schema: SCHEMA,
  a: diff.a,
  b: diff.b,
  same: diff.layers.every((layer) => layer.change === 'same'),
  layers: diff.layers.map((layer) => ({
    ...pick(layer, 'layer', 'a', 'b', 'change', 'other'),
    structs: layer.structs.map((struct) => ({
      ...pick(struct, 'name', 'change', 'sizeA', 'sizeB'),
      fields: struct.fields.map((field) => ({ name: field.name, change: field.change, a: placeJson(field.a), b: placeJson(field.b) })),
    })),
  })),
  findings: diff.findings.map((finding) => pick(finding, 'rule', 'severity', 'layer', 'message')),
});

/** Offsets and sizes in bits, so that bit-fields need no other form. */
const placeJson = (field: ShapeField | null): Json => (field === null ? null : { bitOffset: field.bitOffset, bits: field.bits, type: field.type });
