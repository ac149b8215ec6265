/** The fields of an exit that two devices must agree on, read from the bytes of kvm_run. For comparing and for policies. */
import { exitReasons } from '../../../abi/kvm/exits.js';
import { payloads } from '../../../abi/kvm/payloads.js';
import { kvmRunX86 } from '../../../abi/kvm/run.js';
import type { DecodedStruct, Struct } from '../../../abi/layout.js';
import { decodeStruct } from '../../codec/decode.js';
import { offsetOf } from '../../codec/layout-table.js';
import { exitReasonIn, type KvmRunResult } from '../../device/kvm/backend.js';

const EXIT = offsetOf(kvmRunX86, 'exit');

/** The exit union of a page read as `struct`. */
export const exitPayload = <S extends Struct>(page: Uint8Array, struct: S): DecodedStruct<S> => decodeStruct(struct, page, EXIT);

/** Fields that say what happened. Others hold what an earlier exit left (data of a read), or are the processor's own words. */
const COMPARED: Readonly<Record<string, readonly string[]>> = {
  io: ['direction', 'size', 'port', 'count', 'data_offset'],
  mmio: ['phys_addr', 'len', 'is_write'],
  hypercall: ['nr', 'ret', 'flags'],
  internal: ['suberror'],
  memory_fault: ['flags', 'gpa', 'size'],
  msr: ['reason', 'index'],
};

/** `reason`: the kernel's name; `fields`: text by name. A failed run that reports no memory fault has no fields. */
export interface ExitFields {
  readonly ret: number;
  readonly errno: number;
  readonly reason: string;
  readonly fields: Readonly<Record<string, string>>;
}

export function exitFields({ ret, errno, page }: KvmRunResult): ExitFields {
  const number = exitReasonIn(page);
  const reason = exitReasons.find((row) => row.number === number);
  const name = reason?.name ?? `exit reason ${number}`;
  const payload = reason?.payload ?? null;
  if (payload === null || payload === 'debug' || (ret === -1 && payload !== 'memory_fault')) return { ret, errno, reason: name, fields: {} };
  const values: Readonly<Record<string, unknown>> = exitPayload<Struct>(page, payloads[payload]);
  const fields = (COMPARED[payload] ?? []).map((field) => [field, text(values[field])] as const);
  const data = written(page, payload);
  return { ret, errno, reason: name, fields: Object.fromEntries(data === null ? fields : [...fields, ['data', data]]) };
}

/** What the guest wrote, in hex; null for a read. */
function written(page: Uint8Array, payload: string): string | null {
  if (payload === 'io') {
    const { direction, data_offset: offset, size, count } = exitPayload(page, payloads.io);
    return direction === 0 ? null : Buffer.from(page.slice(Number(offset), Number(offset) + size * count)).toString('hex');
  }
  if (payload === 'mmio') {
    const { is_write: isWrite, data, len } = exitPayload(page, payloads.mmio);
    return isWrite === 0 ? null : Buffer.from(data.slice(0, len)).toString('hex');
  }
  return payload === 'hypercall' ? exitPayload(page, payloads.hypercall).args.slice(0, 3).join(' ') : null;
}

const text = (value: unknown): string => (typeof value === 'bigint' || typeof value === 'number' ? `0x${value.toString(16)}` : '');
