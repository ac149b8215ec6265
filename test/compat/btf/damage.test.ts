import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { btfArray, btfIntData, btfMember, btfParam } from '../../../abi/btf/types.js';
import { UserError } from '../../../src/codec/user-error.js';
import { type Btf, openBtf } from '../../../src/compat/btf/btf.js';
import { BtfBuilder } from './build.js';
import { extent } from '../../extent.js';

const vmlinux = readFileSync(new URL('../../fixtures/btf/tiny-vmlinux', import.meta.url));
const section = vmlinux.subarray(vmlinux.indexOf(Buffer.of(0x9f, 0xeb, 1, 0)));
const header = 24;
const healthy = Uint8Array.from(section.subarray(0, header + section.readUInt32LE(16) + section.readUInt32LE(20)));

/** Everything a caller can ask, of every type. */
function readAll(btf: Btf): void {
  for (let id = 0; id < btf.typeCount; id++) {
    btf.nameOf(id);
    btf.typeText(id);
    btf.byteSize(id);
  }
  btf.verify();
}

/** Either it can be read, or there is one clear line. */
function readsOrExplains(bytes: Uint8Array): 'read' | 'explained' {
  try {
    readAll(openBtf(bytes, 'file.btf'));
    return 'read';
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    const text = error instanceof Error ? error.message : '';
    expect(text).toMatch(/^file\.btf: /);
    expect(text).not.toMatch(/\n/);
    return 'explained';
  }
}

function explains(builder: BtfBuilder, what: RegExp): void {
  expect(() => readAll(openBtf(builder.build(), 'file.btf'))).toThrow(what);
  expect(readsOrExplains(builder.build())).toBe('explained');
}

describe('damaged BTF', () => {
  it('is read while it is whole', () => {
    expect(readsOrExplains(healthy)).toBe('read');
  });

  it('explains every truncation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: healthy.length - 1 }), (length) => {
        expect(readsOrExplains(healthy.subarray(0, length))).toBe('explained');
      }),
      { numRuns: extent(80, 300) },
    );
  });

  it('ends at as many types as the kernel takes', () => {
    const types = Buffer.alloc(0x100002 * 12, Buffer.of(0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0));
    const head = Buffer.from(healthy.subarray(0, header));
    head.writeUInt32LE(types.length, 12);
    head.writeUInt32LE(types.length, 16);
    head.writeUInt32LE(1, 20);
    expect(() => openBtf(Buffer.concat([head, types, Buffer.alloc(1)]), 'file.btf')).toThrow(/more than 1048575 types/);
  });

  it('reads or explains it whatever bytes are changed', () => {
    const change = fc.record({ at: fc.nat({ max: healthy.length - 1 }), to: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = Uint8Array.from(healthy);
        for (const { at, to } of changes) bytes[at] = to;
        readsOrExplains(bytes);
      }),
      { numRuns: extent(250, 1500) },
    );
  });

  it('reads or explains bytes that only start like BTF', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (rest, little) => {
        readsOrExplains(Uint8Array.of(...(little ? [0x9f, 0xeb] : [0xeb, 0x9f]), 1, 0, ...rest));
      }),
    );
  });

  it('says that it is no BTF', () => {
    expect(() => openBtf(Buffer.from('hello'), 'file.btf')).toThrow(/no BTF here.*0xeb9f.*give a raw \.BTF file/);
    expect(() => openBtf(new Uint8Array(4096), 'file.btf')).toThrow(/no BTF here/);
  });

  it('explains a typedef of itself, and a ring of them', () => {
    const ring = new BtfBuilder();
    ring.add('TYPEDEF', 'a', 2);
    ring.add('CONST', '', 3);
    ring.add('TYPEDEF', 'b', 1);
    explains(ring, /cycle/);
  });

  it('explains an array of itself', () => {
    const builder = new BtfBuilder();
    builder.add('ARRAY', '', 0, btfArray, [{ type: 1, index_type: 1, nelems: 1 }]);
    explains(builder, /cycle/);
  });

  it('explains a structure inside itself', () => {
    const builder = new BtfBuilder();
    builder.add('STRUCT', 'a', 8, btfMember, [{ type: 2, offset: 0 }]);
    builder.add('STRUCT', '', 8, btfMember, [{ type: 1, offset: 0 }]);
    explains(builder, /contains itself|cycle/);
  });

  it('explains a structure whose anonymous members double at every level', () => {
    const builder = new BtfBuilder();
    builder.add('INT', 'char', 1, btfIntData, [{ data: { bits: 8 } }]);
    builder.add('STRUCT', '', 1 << 28, btfMember, [{ name_off: builder.string('x'), type: 1, offset: 0 }]);
    for (let level = 0; level < 30; level++)
      builder.add('STRUCT', '', 1 << 28, btfMember, [
        { type: level + 2, offset: 0 },
        { type: level + 2, offset: 0 },
      ]);
    const btf = openBtf(builder.build(), 'file.btf');
    expect(() => btf.structLayout(btf.typeCount - 1)).toThrow(/more than \d+ members/);
    expect(() => btf.structLayout(btf.typeCount - 1)).toThrow(UserError);
  });

  it('cuts the text of functions of functions', () => {
    const builder = new BtfBuilder();
    builder.add('INT', 'int', 4, btfIntData, [{ data: { bits: 32 } }]);
    for (let level = 0; level < 60; level++)
      builder.add('FUNC_PROTO', '', 1, btfParam, [
        { name_off: builder.string('a'), type: level + 1 },
        { name_off: builder.string('b'), type: level + 1 },
      ]);
    expect(openBtf(builder.build(), 'file.btf').typeText(61).length).toBeLessThan(2000);
  });

  it('explains an array larger than any memory', () => {
    const builder = new BtfBuilder();
    const int = builder.add('INT', 'int', 4, btfIntData, [{ data: { bits: 32 } }]);
    const inner = builder.add('ARRAY', '', 0, btfArray, [{ type: int, index_type: int, nelems: 0xffffffff }]);
    builder.add('ARRAY', '', 0, btfArray, [{ type: inner, index_type: int, nelems: 0xffffffff }]);
    explains(builder, /larger than any memory/);
  });

  it('explains a member behind the end, and a type that is not there', () => {
    const behind = new BtfBuilder();
    behind.add('INT', 'int', 4, btfIntData, [{ data: { bits: 32 } }]);
    behind.add('STRUCT', 'a', 4, btfMember, [{ name_off: behind.string('late'), type: 1, offset: 32 }]);
    explains(behind, /member late that ends at bit 64 of 32/);
    const missing = new BtfBuilder();
    missing.add('STRUCT', 'a', 4, btfMember, [{ name_off: missing.string('x'), type: 99, offset: 0 }]);
    explains(missing, /type \[99\]/);
    const pointer = new BtfBuilder();
    pointer.add('PTR', '', 7);
    explains(pointer, /refers to type \[7\]/);
  });
});
