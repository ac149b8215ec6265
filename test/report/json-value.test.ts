/** How decoded values become JSON. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { array, bits, bytes, cstring, nested, phys, s32, struct, u8, u32, u64 } from '../../abi/layout.js';
import { decodeValue } from '../../src/codec/decode.js';
import { countJson, hexJson, integerJson, jsonOf, jsonOfStruct } from '../../src/report/json-value.js';

describe('integers', () => {
  it.each(['phys', 'opaque', 'flags', 'pfn', 'reserved'] as const)('%s is hexadecimal without leading zeros', (role) => {
    expect([integerJson(role, 0n), integerJson(role, 0xabcn)]).toEqual(['0x0', '0xabc']);
  });
  it.each(['number', 'count', 'bytes', 'pages', 'index', 'enum'] as const)('%s is a number as long as it can be', (role) => {
    expect([integerJson(role, 7n), integerJson(role, 2n ** 53n - 1n), integerJson(role, 2n ** 53n)]).toEqual([7, 2 ** 53 - 1, '0x20000000000000']);
  });
  it('bool is true and false, and the number where it is neither', () => {
    expect([0, 1, 2].map((value) => integerJson('bool', value))).toEqual([false, true, 2]);
  });
  it('a negative number is itself; its hexadecimal form is the two’s complement', () => {
    expect([countJson(-5), hexJson(-1, 32)]).toEqual([-5, '0xffffffff']);
  });
  it('no value is lost', () => {
    fc.assert(fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (value) => BigInt(String(countJson(value))) === value && BigInt(hexJson(value)) === value));
  });
});

describe('structures', () => {
  const inner = struct({ name: 'inner', meaning: '', source: '', fields: { at: phys(''), left: s32('') } });
  const outer = struct({
    name: 'outer',
    meaning: '',
    source: '',
    fields: {
      name: cstring(8, ''),
      word: bits(4, '', { low: { width: 12, role: 'flags', meaning: '' }, high: { width: 20, role: 'count', meaning: '' } }),
      inner: nested(inner, ''),
      raw: bytes(2, ''),
      octets: array(u8(''), 2, ''),
      words: array(u64('', { role: 'opaque' }), 2, ''),
      count: u32('', { role: 'count' }),
    },
  });
  const type = nested(outer, '');
  const raw = Uint8Array.from(
    Buffer.from(
      '616200000000ff00' + '03500000' + '0010000000000000' + 'ffffffff' + '0a0b' + '0c0d' + '0100000000000000' + '0000000000000080' + '09000000',
      'hex',
    ),
  );

  it('have the kernel’s field names, bit-fields beside the others', () => {
    expect(jsonOf(type, decodeValue(type, raw))).toEqual({
      name: 'ab',
      low: '0x3',
      high: 5,
      inner: { at: '0x1000', left: -1 },
      raw: '0a0b',
      octets: '0c0d',
      words: ['0x1', '0x8000000000000000'],
      count: 9,
    });
  });

  it('give the bytes of a name that is no UTF-8', () => {
    const bad = raw.slice();
    bad.set([0xc3, 0x28], 0);
    expect(jsonOf(type, decodeValue(type, bad))).toMatchObject({ name: '\ufffd(', nameBytes: 'c328' });
  });

  it('refuse what is no such structure', () => {
    expect(() => jsonOfStruct(inner, { at: 'text', left: 1 })).toThrow(TypeError);
    expect(() => jsonOfStruct(inner, {})).toThrow(TypeError);
    expect(() => jsonOf(type, 5)).toThrow(TypeError);
  });
});
