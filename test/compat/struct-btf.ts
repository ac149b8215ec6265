/** BTF of a kernel that has given structures, made from their contracts: what a test then bends. */
import { btfArray, btfBitMember, btfIntData } from '../../abi/btf/types.js';
import type { FieldType, Struct } from '../../abi/layout.js';
import { layoutTable, typeSize } from '../../src/codec/layout-table.js';
import { BtfBuilder } from './btf/build.js';

export interface Bend {
  /** bytes by which every field from this one on moves, and the structure grows */
  readonly field: string;
  readonly by: number;
}

/** @param bends by the structure's name */
export function structBtf(structs: readonly Struct[], bends: Readonly<Record<string, Bend>> = {}, pageSize = 4096): Uint8Array {
  const builder = new BtfBuilder();
  const ints = new Map<number, number>();
  const int = (bytes: number): number => {
    let id = ints.get(bytes);
    if (id === undefined) {
      id = builder.add('INT', bytes === 8 ? 'long unsigned int' : `u${bytes * 8}`, bytes, btfIntData, [{ data: { bits: bytes * 8 } }]);
      ints.set(bytes, id);
    }
    return id;
  };
  const made = new Map<string, number>();
  const typeId = (type: FieldType, size: number): number => {
    switch (type.kind) {
      case 'int':
      case 'bits':
        return int(type.bytes);
      case 'nested':
        return structId(type.struct);
      case 'array': {
        const each = typeSize(type.of, pageSize);
        return builder.add('ARRAY', '', 0, btfArray, [{ type: typeId(type.of, each), index_type: int(4), nelems: Math.floor(size / each) }]);
      }
      default:
        return builder.add('ARRAY', '', 0, btfArray, [{ type: int(1), index_type: int(4), nelems: size }]);
    }
  };
  const structId = (struct: Struct): number => {
    const known = made.get(struct.name);
    if (known !== undefined) return known;
    const table = layoutTable(struct, pageSize);
    const bend = bends[struct.name];
    let moved = 0;
    const members = table.fields.flatMap((field) => {
      if (bend !== undefined && field.name === bend.field) moved = bend.by;
      const start = (field.offset + moved) * 8;
      const type = typeId(field.type, field.size);
      if (field.bits.length === 0) return [{ name_off: builder.string(field.name), type, offset: { bit_offset: start, bitfield_size: 0 } }];
      return field.bits.map((bit) => ({
        name_off: builder.string(bit.name),
        type,
        offset: { bit_offset: start + bit.lowBit, bitfield_size: bit.field.width },
      }));
    });
    const id = builder.add('STRUCT', struct.name, table.size + moved, btfBitMember, members, true);
    made.set(struct.name, id);
    return id;
  };
  for (const struct of structs) structId(struct);
  return builder.build();
}
