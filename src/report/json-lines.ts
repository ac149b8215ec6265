/** A value as JSON, line by line as `JSON.stringify(value, null, 2)` writes it: a report can be longer than a string may be. */
import { JsonItems } from './json-value.js';

/** Whole lines, one or several at a time. @param value plain data; functions, symbols and undefined are left out as JSON.stringify leaves them out */
export function* jsonLines(value: unknown): Iterable<string> {
  let line = '';
  for (const [text, ends] of pieces(value, '')) {
    line += text;
    if (!ends) continue;
    yield line;
    line = '';
  }
  yield line;
}

type Piece = readonly [text: string, endsLine: boolean];

function* pieces(value: unknown, indent: string): Iterable<Piece> {
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    yield* block('[', ']', indent, items.length, (index, inner) => ({ key: '', value: items[index] ?? null, inner }));
  } else if (value instanceof JsonItems) yield* streamed(value, indent);
  else if (typeof value === 'object' && value !== null) {
    const entries: readonly (readonly [string, unknown])[] = Object.entries(value).filter(([, each]) => each !== undefined);
    yield* block('{', '}', indent, entries.length, (index, inner) => ({
      key: `${JSON.stringify(entries[index]?.[0] ?? '')}: `,
      value: entries[index]?.[1],
      inner,
    }));
  } else yield [JSON.stringify(value) ?? 'null', false];
}

/** Items that are written before they are given on. */
const BATCH = 256;

function* streamed(items: JsonItems<unknown>, indent: string): Iterable<Piece> {
  const inner = `${indent}  `;
  const gap = `\n${inner}`;
  let text = '[';
  let count = 0;
  for (const item of items) {
    text += count++ === 0 ? gap : `,${gap}`;
    // Runs of folios are millions: what holds nothing but values is written in one go.
    const flat = isFlat(item) ? JSON.stringify(item, null, 2).replaceAll('\n', gap) : null;
    if (flat !== null) text += flat;
    else {
      yield [text, false];
      text = '';
      yield* pieces(item, inner);
    }
    if (count % BATCH !== 0) continue;
    const last = text.lastIndexOf('\n');
    if (last === -1) continue;
    yield [text.slice(0, last), true];
    text = text.slice(last + 1);
  }
  yield [count === 0 ? '[]' : `${text}\n${indent}]`, false];
}

const isFlat = (value: unknown): value is object =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof JsonItems) &&
  Object.values(value).every((each) => typeof each !== 'object');

type Item = (index: number, inner: string) => { readonly key: string; readonly value: unknown; readonly inner: string };

function* block(open: string, close: string, indent: string, count: number, item: Item): Iterable<Piece> {
  if (count === 0) {
    yield [`${open}${close}`, false];
    return;
  }
  yield [open, true];
  for (let index = 0; index < count; index++) {
    const { key, value, inner } = item(index, `${indent}  `);
    yield [`${inner}${key}`, false];
    yield* pieces(value, inner);
    if (index < count - 1) yield [',', true];
    else yield ['', true];
  }
  yield [`${indent}${close}`, false];
}
