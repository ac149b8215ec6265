/** `abi diff`: as text, two columns of places a field, and as JSON. */
import { offsetText, type ShapeField } from '../compat/shape.js';
import type { AbiDiff, FieldDiff, LayerDiff, StructDiff } from '../compat/diff.js';
import { wrap } from './compat-text.js';
import { escapeText } from './escape.js';
import type { Json, JsonObject } from './json-value.js';

const SCHEMA = 'luo-inspect.abi-diff/1';

interface DiffTextOptions {
  /** columns of the terminal */
  readonly width: number;
  readonly color: boolean;
}

export function diffText(diff: AbiDiff, options: DiffTextOptions): readonly string[] {
  const paint = (text: string, color: string): string => (options.color ? `\u001b[${color}m${text}\u001b[0m` : text);
  const lines = [`a: ${escapeText(diff.a)}`, `b: ${escapeText(diff.b)}`];
  for (const layer of diff.layers) {
    lines.push('', paint(headOf(layer), layer.change === 'same' ? '2' : '1'));
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

function structLines(struct: StructDiff, paint: (text: string, color: string) => string): readonly string[] {
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
const colorOf = (field: FieldDiff): string => (field.change === 'only-a' ? '31' : field.change === 'only-b' ? '32' : '33');

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
    layer: layer.layer,
    a: layer.a,
    b: layer.b,
    change: layer.change,
    other: layer.other,
    structs: layer.structs.map((struct) => ({
      name: struct.name,
      change: struct.change,
      sizeA: struct.sizeA,
      sizeB: struct.sizeB,
      fields: struct.fields.map((field) => ({ name: field.name, change: field.change, a: placeJson(field.a), b: placeJson(field.b) })),
    })),
  })),
  findings: diff.findings.map(({ rule, severity, layer, message }) => ({ rule, severity, layer, message })),
});

/** Offsets and sizes in bits, so that bit-fields need no other form. */
const placeJson = (field: ShapeField | null): Json => (field === null ? null : { bitOffset: field.bitOffset, bits: field.bits, type: field.type });
