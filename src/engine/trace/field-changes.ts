/** What a step's writes changed, field by field: a structure written whole is taken apart by its layout. */
import type { Role, Struct } from '../../../abi/layout.js';
import { toCString } from '../../codec/decode.js';
import { type FieldPlacement, layoutTable } from '../../codec/layout-table.js';
import type { StepWrite } from './step.js';

/** Of one field, or of bytes that no layout is known of. */
export interface FieldChange extends StepWrite {
  /** the values as a reader wants them; null where bytes say it best */
  readonly beforeText: string | null;
  readonly afterText: string | null;
}

const HEX_ROLES: ReadonlySet<Role> = new Set(['phys', 'opaque', 'flags', 'pfn']);
const MOST_TEXT_BYTES = 64;

/**
 * The fields that differ between `before` and `after`; for a write that is no whole structure, the write itself.
 * @param structOf the layout of a structure by its name, null where there is none
 */
export function fieldChanges(write: StepWrite, structOf: (name: string) => Struct | null, pageSize: number): FieldChange[] {
  const struct = write.struct === null ? null : structOf(write.struct);
  if (struct === null) return [{ ...write, beforeText: null, afterText: null }];
  const table = layoutTable(struct, pageSize);
  if (write.field !== null) {
    const placed = table.fields.find((field) => field.name === write.field);
    return placed === undefined || placed.size !== write.length
      ? [{ ...write, beforeText: null, afterText: null }]
      : changesOf(placed, struct, write, 0, pageSize);
  }
  if (write.length !== table.size) return [{ ...write, beforeText: null, afterText: null }];
  return table.fields.flatMap((field) => changesOf(field, struct, write, field.offset, pageSize));
}

function changesOf(field: FieldPlacement, struct: Struct, write: StepWrite, offset: number, pageSize: number): FieldChange[] {
  const before = write.before.subarray(offset, offset + field.size);
  const after = write.after.subarray(offset, offset + field.size);
  if (before.every((byte, index) => byte === after[index])) return [];
  const { type } = field;
  if (type.kind === 'nested') {
    const inner = layoutTable(type.struct, pageSize).fields;
    return inner.flatMap((part) =>
      changesOf(part, struct, write, offset + part.offset, pageSize).map((change) => ({ ...change, field: `${field.name}.${change.field ?? ''}` })),
    );
  }
  const one = { address: write.address + offset, length: field.size, struct: struct.name, field: field.name, before, after };
  return [{ ...one, beforeText: valueText(field, struct, before), afterText: valueText(field, struct, after) }];
}

function valueText(field: FieldPlacement, struct: Struct, bytes: Uint8Array): string | null {
  const { type } = field;
  if (type.kind === 'cstring') return JSON.stringify(toCString(bytes).text);
  if (type.kind !== 'int' && type.kind !== 'bits') return bytes.length <= MOST_TEXT_BYTES ? null : `${bytes.length} bytes`;
  let value = 0n;
  const ordered = struct.endian === 'little' ? [...bytes].reverse() : [...bytes];
  for (const byte of ordered) value = (value << 8n) | BigInt(byte);
  if (type.kind === 'bits')
    return field.bits
      .map(({ name, lowBit, field: bit }) => `${name} 0x${((value >> BigInt(lowBit)) & ((1n << BigInt(bit.width)) - 1n)).toString(16)}`)
      .join(', ');
  const signed = type.signed ? BigInt.asIntN(type.bytes * 8, value) : value;
  return HEX_ROLES.has(type.role) ? `0x${value.toString(16)}` : String(signed);
}
