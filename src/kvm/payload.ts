/** The payload of an exit: the member of the union that exit_reason names, and the union inside it where it has one. */
import type { Endian, Struct } from '../../abi/layout.js';
import type { KvmArch } from '../../abi/kvm/arch.js';
import { type PayloadName, type UnionChoice, unionChoices } from '../../abi/kvm/exits.js';
import { emulationFailure } from '../../abi/kvm/payloads.js';
import { kvmRun, payloadStruct } from '../../abi/kvm/run.js';
import { layoutTable, offsetOf, sizeOf } from '../codec/layout-table.js';
import { finding, type KvmFinding } from './finding.js';
import { decodePartial, type PartialValues } from './areas.js';

/** The variant of a payload's own union. */
interface PayloadVariant {
  readonly choice: UnionChoice;
  readonly name: string;
  readonly struct: Struct;
  /** in bytes from the start of kvm_run */
  readonly offset: number;
  readonly values: PartialValues;
}

export interface Payload {
  readonly name: PayloadName;
  readonly struct: Struct;
  /** in bytes from the start of kvm_run */
  readonly offset: number;
  readonly values: PartialValues;
  /** null where the payload has no union, or its selector names no variant */
  readonly variant: PayloadVariant | null;
  /** for an emulation failure, the same bytes in their own form */
  readonly emulation: Emulation | null;
}

interface Emulation {
  readonly struct: Struct;
  readonly values: PartialValues;
  /** do insn_size and insn_bytes hold? */
  readonly hasInstruction: boolean;
}

/** KVM_INTERNAL_ERROR_EMULATION */
const EMULATION = 1;
/** KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES */
const FLAG_INSTRUCTION_BYTES = 1n;
/** ndata that takes in flags and the two words of the instruction */
const WITH_INSTRUCTION = 3;

/** @param findings what is wrong with it is added here */
export function decodePayload(arch: KvmArch, name: PayloadName, bytes: Uint8Array, endian: Endian, findings: KvmFinding[]): Payload {
  const struct = payloadStruct(arch, name);
  const offset = offsetOf(kvmRun[arch], 'exit');
  const values = decodePartial(struct, bytes, offset, endian);
  const missing = Object.entries(values).filter(([, value]) => value === null);
  if (missing.length > 0) {
    const names = missing.map(([field]) => field).join(', ');
    findings.push(
      finding(
        'kvm.truncated',
        'error',
        'kvm_run/exit',
        `${names} of ${name}: the snapshot ends after ${bytes.length} bytes, the payload needs ${offset + sizeOf(struct)}`,
      ),
    );
  }
  return {
    name,
    struct,
    offset,
    values,
    variant: variantOf(arch, name, struct, offset, values, bytes, endian, findings),
    emulation: name === 'internal' && values.suberror === EMULATION ? emulationOf(bytes, offset, endian) : null,
  };
}

function emulationOf(bytes: Uint8Array, offset: number, endian: Endian): Emulation {
  const values = decodePartial(emulationFailure, bytes, offset, endian);
  const hasInstruction =
    typeof values.flags === 'bigint' && (values.flags & FLAG_INSTRUCTION_BYTES) !== 0n && typeof values.ndata === 'number' && values.ndata >= WITH_INSTRUCTION;
  return { struct: emulationFailure, values, hasInstruction };
}

function variantOf(
  arch: KvmArch,
  name: PayloadName,
  struct: Struct,
  offset: number,
  values: PartialValues,
  bytes: Uint8Array,
  endian: Endian,
  findings: KvmFinding[],
): PayloadVariant | null {
  const choice = unionChoices[name];
  if (choice === undefined) return null;
  const placed = layoutTable(struct).field(choice.field);
  const selector = values[choice.by];
  if (placed.type.kind !== 'union' || (typeof selector !== 'bigint' && typeof selector !== 'number')) return null;
  const variant = choice.variants[selector.toString()] ?? choice.otherwise;
  const inner = variant === null ? undefined : placed.type.variants[variant];
  if (variant === null || inner === undefined) {
    findings.push(
      finding(
        'kvm.payload-form-unknown',
        'warning',
        `kvm_run/exit/${choice.by}`,
        `${name}.${choice.by} is ${selector}, which no form of ${arch} has: its details are not decoded`,
      ),
    );
    return null;
  }
  const at = offset + placed.offset;
  return { choice, name: variant, struct: inner, offset: at, values: decodePartial(inner, bytes, at, endian) };
}
