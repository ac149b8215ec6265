/** Damage to memory that no kernel wrote: the `flip` fault. */
import { encodeField } from '../codec/encode.js';
import { layoutTable } from '../codec/layout-table.js';
import type { FlipFault } from './scenario/types.js';
import type { Struct } from '../../abi/layout.js';
import type { StepArgs } from './trace/step.js';
import type { TracedMemory } from './memory/traced-memory.js';

/** What damage needs of the machine. */
interface Damageable {
  readonly pageSize: number;
  readonly memory: TracedMemory;
  writtenStruct(name: string, nth: number): { readonly struct: Struct; readonly address: number } | null;
  event(actor: 'device', op: string, args: StepArgs): undefined;
}

interface Place {
  readonly address: number;
  /** bytes; what a number is stored in */
  readonly size: number;
  readonly struct: Struct | null;
  readonly field: string;
}

const U64_BYTES = 8;

/** Damages memory as `fault` says; says so in the trace, also where there is nothing of that name. */
export function flip(machine: Damageable, fault: FlipFault): void {
  const place = placeOf(machine, fault);
  if (place === null) {
    machine.event('device', 'flip', { at: fault.at, found: false });
    return;
  }
  const bytes = changed(machine, place, fault);
  machine.memory.write(place.address, bytes, place.struct?.name ?? '', place.field);
  machine.event('device', 'flip', { address: place.address, size: bytes.length, field: place.struct === null ? null : `${place.struct.name}.${place.field}` });
}

function placeOf(machine: Damageable, { where, nth }: FlipFault): Place | null {
  if ('address' in where) return { address: where.address, size: U64_BYTES, struct: null, field: '' };
  const written = machine.writtenStruct(where.struct, nth);
  if (written === null) return null;
  let { struct, address } = written;
  const names = where.field.split('.');
  for (const name of names.slice(0, -1)) {
    const found = layoutTable(struct, machine.pageSize).fields.find((one) => one.name === name);
    if (found?.type.kind !== 'nested') break;
    address += found.offset;
    struct = found.type.struct;
  }
  const last = names.at(-1) ?? '';
  const field = layoutTable(struct, machine.pageSize).fields.find((one) => one.name === last || one.name === where.field);
  return field === undefined ? null : { address: address + field.offset, size: field.size, struct, field: field.name };
}

function changed(machine: Damageable, place: Place, { change }: FlipFault): Uint8Array {
  if ('bytes' in change) return change.bytes;
  if ('value' in change) return place.struct === null ? u64(change.value) : storedIn(machine, place, place.struct, change.value);
  const byte = Math.floor(change.bit / 8);
  const bytes = new Uint8Array(byte + 1);
  machine.memory.now.readInto(place.address, bytes.length, bytes);
  bytes[byte] = (bytes[byte] ?? 0) ^ (1 << (change.bit % 8));
  return bytes;
}

function storedIn(machine: Damageable, place: Place, struct: Struct, value: bigint): Uint8Array {
  const type = layoutTable(struct, machine.pageSize).field(place.field).type;
  // A number for a field that is no number goes to its first bytes.
  return type.kind === 'int' || type.kind === 'bits'
    ? encodeField(struct, place.field, value, { pageSize: machine.pageSize })
    : u64(value).subarray(0, place.size);
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(U64_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}
