/** Every structure: any bytes decode and encode to themselves, on every page size; too few bytes are refused. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldType, Struct } from '../../abi/layout.js';
import { contracts, supporting } from '../../abi/registry.js';
import { decodeStruct, ShortInputError } from '../../src/codec/decode.js';
import { type Encodable, encodeStruct } from '../../src/codec/encode.js';
import { layoutTable, typeSize } from '../../src/codec/layout-table.js';

const structs = [...new Set([...contracts, ...supporting].flatMap((contract) => contract.structs))];
const cases = structs.map((struct) => ({ struct, id: [...contracts, ...supporting].find((contract) => contract.structs.includes(struct))?.id }));

/** Pseudo-random bytes of a seed, so that a failure prints one number. */
function bytesOf(seed: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed | 0;
  for (let index = 0; index < size; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

/** What decoding gave, as encoding takes it. Text keeps only what is before its NUL: the field's own bytes stand for it. */
function encodable(type: FieldType, value: unknown, raw: Uint8Array, pageSize: number): Encodable {
  switch (type.kind) {
    case 'int':
      if (typeof value === 'bigint' || typeof value === 'number') return value;
      break;
    case 'cstring':
      return raw;
    case 'bytes':
    case 'union':
      if (value instanceof Uint8Array) return value;
      break;
    case 'bits':
      if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, Number(part)]));
      break;
    case 'nested':
      if (isRecord(value)) return encodableStruct(type.struct, value, raw, pageSize);
      break;
    case 'array':
      if (Array.isArray(value)) {
        const each = typeSize(type.of, pageSize);
        return value.map((item, index) => encodable(type.of, item, raw.subarray(index * each, (index + 1) * each), pageSize));
      }
  }
  throw new Error(`${type.kind} decoded to ${typeof value}`);
}

function encodableStruct(struct: Struct, value: Readonly<Record<string, unknown>>, raw: Uint8Array, pageSize: number): Record<string, Encodable> {
  return Object.fromEntries(
    layoutTable(struct, pageSize).fields.map((field) => [
      field.name,
      encodable(field.type, value[field.name], raw.subarray(field.offset, field.offset + field.size), pageSize),
    ]),
  );
}

/** The bytes with every hole set to 0, those of nested structures too. */
function withoutHoles(struct: Struct, bytes: Uint8Array, pageSize: number, base = 0): void {
  const table = layoutTable(struct, pageSize);
  for (const hole of table.holes) bytes.fill(0, base + hole.offset, base + hole.offset + hole.size);
  for (const { type, offset, size } of table.fields) {
    if (type.kind === 'nested') withoutHoles(type.struct, bytes, pageSize, base + offset);
    if (type.kind === 'array' && type.of.kind === 'nested') {
      const each = typeSize(type.of, pageSize);
      for (let at = 0; at + each <= size; at += each) withoutHoles(type.of.struct, bytes, pageSize, base + offset + at);
    }
  }
}

describe.each([4096, 16384, 65536])('pages of %i bytes', (pageSize) => {
  test.each(cases)('struct $struct.name of $id', ({ struct }) => {
    const { size } = layoutTable(struct, pageSize);
    fc.assert(
      fc.property(fc.integer(), fc.nat(16), (seed, before) => {
        const bytes = bytesOf(seed, before + size + 3);
        withoutHoles(struct, bytes, pageSize, before);
        const raw = bytes.subarray(before, before + size);
        const decoded = decodeStruct(struct, bytes, before, { pageSize });
        expect(Buffer.from(encodeStruct(struct, encodableStruct(struct, decoded, raw, pageSize), { pageSize })).equals(raw)).toBe(true);
      }),
      { numRuns: size > 4096 ? 3 : 25 },
    );
  });

  test.each(cases)('struct $struct.name of $id is not read from too few bytes', ({ struct }) => {
    const { size } = layoutTable(struct, pageSize);
    fc.assert(
      fc.property(fc.nat(size - 1), fc.nat(8), (there, before) => {
        expect(() => decodeStruct(struct, new Uint8Array(before + there), before, { pageSize })).toThrow(ShortInputError);
      }),
      { numRuns: 10 },
    );
  });
});

test('an offset outside the bytes is too few bytes', () => {
  const [struct] = structs;
  if (struct === undefined) throw new Error('no structures');
  for (const offset of [-1, 1e6, Number.MAX_SAFE_INTEGER]) expect(() => decodeStruct(struct, new Uint8Array(65536), offset)).toThrow(ShortInputError);
});
