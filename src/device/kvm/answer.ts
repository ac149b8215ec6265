/**
 * What a VMM writes into kvm_run before it runs the vCPU again: the value a port or MMIO read gives, a hypercall's result, a
 * register's value. For both devices.
 */
import { hypercall, io, mmio } from '../../../abi/kvm/payloads-common.js';
import { msr } from '../../../abi/kvm/payloads-x86.js';
import { exitReasons, type PayloadName } from '../../../abi/kvm/exits.js';
import { kvmRunX86 } from '../../../abi/kvm/run.js';
import { decodeStruct } from '../../codec/decode.js';
import { encodeInto } from '../../codec/encode.js';
import { offsetOf } from '../../codec/layout-table.js';

const EXIT = offsetOf(kvmRunX86, 'exit');

/** The exit payload's name in `page`, null where the exit has none. */
export function payloadIn(page: Uint8Array): PayloadName | null {
  const reason = exitReasonIn(page);
  return exitReasons.find(({ number }) => number === reason)?.payload ?? null;
}

/** The number of exit_reason in `page`. */
export const exitReasonIn = (page: Uint8Array): number =>
  new DataView(page.buffer, page.byteOffset, page.byteLength).getUint32(offsetOf(kvmRunX86, 'exit_reason'), true);

/** Writes `value` where KVM takes the answer to the exit in `page` from; nothing where the exit asks for none. */
export function answerIn(page: Uint8Array, value: bigint): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  switch (payloadIn(page)) {
    case 'io': {
      const access = decodeStruct(io, page, EXIT);
      if (access.direction === 0 && access.data_offset + BigInt(access.size) <= BigInt(page.length))
        page.set(bytes.subarray(0, access.size), Number(access.data_offset));
      break;
    }
    case 'mmio':
      if (decodeStruct(mmio, page, EXIT).is_write === 0) encodeInto(mmio, { data: bytes }, page, EXIT);
      break;
    case 'hypercall':
      encodeInto(hypercall, { ret: BigInt.asUintN(64, value) }, page, EXIT);
      break;
    case 'msr':
      encodeInto(msr, { data: BigInt.asUintN(64, value) }, page, EXIT);
      break;
    default:
  }
}
