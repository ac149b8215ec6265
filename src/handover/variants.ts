/** Which of the layouts that share a string holds, for contracts whose bytes tell it by what they lead to (abi/kvm-vcpu, abi/kvm-vm, abi/cpu). */
import type { Contract, Layer } from '../../abi/contract.js';
import { cpuSer, cpuSessionSer } from '../../abi/cpu/v1.js';
import { NO_PCPU, caretakerCbSerB } from '../../abi/kvm-vcpu/caretaker.js';
import { decodeStruct } from '../codec/decode.js';
import { areaCapacity, areaOf, entryOffset } from '../codec/area.js';
import { integerOf } from '../codec/leaf.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { physicalAddress, readBytes } from '../memory/memory.js';
import type { Context } from './context.js';

/** The first candidate, which is the likeliest, unless the bytes at `address` (physical) speak for another. */
export function variantOf(context: Context, candidates: readonly Contract[], address: number): Contract | null {
  const [first] = candidates;
  if (first === undefined) return null;
  const fits = candidates.length < 2 ? undefined : EVIDENCE[first.layer];
  return fits === undefined ? first : (candidates.find((contract) => fits(context, contract, address)) ?? first);
}

type Evidence = (context: Context, contract: Contract, address: number) => boolean;

const EVIDENCE: Readonly<Partial<Record<Layer, Evidence>>> = {
  'kvm-vcpu': leadsToControlBlock,
  'kvm-vm': vmFits,
  cpu: cpuFits,
  'cpu-flb': cpuFlbFits,
  iommu: iommuFits,
};

function valuesAt(context: Context, contract: Contract, address: number): Readonly<Record<string, unknown>> | null {
  const [struct] = contract.structs;
  if (struct === undefined) return null;
  const read = readBytes(context.memory, address, sizeOf(struct, context.memory.pageSize));
  return read.ok ? decodeStruct(struct, read.bytes, 0, { pageSize: context.memory.pageSize }) : null;
}

const addressIn = (values: Readonly<Record<string, unknown>> | null, name: string): number | null => {
  const value = values?.[name];
  return typeof value === 'bigint' ? physicalAddress(value) : null;
};

/** CPUs of the largest machines; a page of guest registers hardly starts with three numbers like these. */
const MAX_CPUS = 1 << 16;

/** Does `cb`, where this layout has it, lead to a page that starts as a control block of this very vCPU? */
function leadsToControlBlock(context: Context, contract: Contract, address: number): boolean {
  const values = valuesAt(context, contract, address);
  const cb = addressIn(values, 'cb');
  if (cb === null || cb === 0) return false;
  const read = readBytes(context.memory, cb, sizeOf(caretakerCbSerB));
  if (!read.ok) return false;
  const { state, pcpu_id: pcpu, vcpu_id: vcpu } = decodeStruct(caretakerCbSerB, read.bytes);
  return state <= 4 && (pcpu < MAX_CPUS || pcpu === NO_PCPU) && vcpu === values?.vcpu_id;
}

/** Bytes after the type: an address of a preserved page, a list of attributes, or nothing. */
function vmFits(context: Context, contract: Contract, address: number): boolean {
  const values = valuesAt(context, contract, address);
  if (values === null) return false;
  if ('kho_folios' in values) {
    const folios = addressIn(values, 'kho_folios');
    return folios !== null && folios !== 0 && folios % context.memory.pageSize === 0 && isPreserved(context, folios);
  }
  if ('nr_mem_attrs' in values) {
    const attributes = values.mem_attrs;
    const first = typeof attributes === 'object' && attributes !== null && 'first' in attributes ? attributes.first : null;
    const chunk = typeof first === 'bigint' ? physicalAddress(first) : null;
    return typeof values.nr_mem_attrs === 'bigint' && values.nr_mem_attrs > 0n && chunk !== null && chunk !== 0 && isPreserved(context, chunk);
  }
  const [struct] = contract.structs;
  const after = struct === undefined ? null : readBytes(context.memory, address + sizeOf(struct), 8);
  return after?.ok === true && after.bytes.every((byte) => byte === 0);
}

/** Entries of the inline array in RFCv1's address space. */
const MAX_INLINE_TABLES = 1024;

/**
 * Both forms name a session, and the session an address space: in RFCv1 that starts with a count of at most 1024 and four bytes of zeros, in later work
 * with the address of the top page table. A state that is not 0 is not of RFCv1, whose states are in a mailbox.
 */
function cpuFits(context: Context, contract: Contract, address: number): boolean {
  const values = valuesAt(context, contract, address);
  if (values === null) return false;
  const inMailbox = !('state' in values);
  const state = readBytes(context.memory, address + offsetOf(cpuSer, 'state'), 4);
  if (state.ok && state.bytes.some((byte) => byte !== 0)) return !inMailbox;
  const session = addressIn(values, inMailbox ? 'oncore' : 'session');
  const space = session === null || session === 0 ? null : readBytes(context.memory, session + offsetOf(cpuSessionSer, 'as'), 8);
  const at = space?.ok === true ? physicalAddress(new DataView(space.bytes.buffer).getBigUint64(0, true)) : null;
  const first = at === null || at === 0 ? null : readBytes(context.memory, at, 8);
  if (first?.ok !== true) return false;
  const word = new DataView(first.bytes.buffer).getBigUint64(0, true);
  const isCount = word > 0n && word <= BigInt(MAX_INLINE_TABLES);
  return inMailbox ? isCount : !isCount;
}

/** Byte 40: in RFCv1 the address of a page, in later work the first CPUs, bit by bit (never CPU 0). */
function cpuFlbFits(context: Context, contract: Contract, address: number): boolean {
  const values = valuesAt(context, contract, address);
  if (values === null) return false;
  const [struct] = contract.structs;
  if ('pcpus_runtime' in values) {
    const runtime = addressIn(values, 'pcpus_runtime');
    return runtime !== null && runtime !== 0 && runtime % context.memory.pageSize === 0 && isPreserved(context, runtime);
  }
  const bitmap = struct === undefined ? null : readBytes(context.memory, address + sizeOf(struct), 8);
  const word = bitmap?.ok === true ? new DataView(bitmap.bytes.buffer).getBigUint64(0, true) : 0n;
  const asAddress = physicalAddress(word);
  return word !== 0n && (asAddress === null || asAddress % context.memory.pageSize !== 0 || !isPreserved(context, asAddress));
}

/** Domains compared at most. */
const MAX_DOMAINS = 128;

/** Do the domains make sense as long as this layout has them: a page as top table, or none, a level, and nothing where padding is? */
function iommuFits(context: Context, contract: Contract, address: number): boolean {
  const { memory } = context;
  const area = areaOf(contract, 'domains');
  const page = addressIn(valuesAt(context, contract, address), 'iommu_domain_array_phys');
  const header = page === null || page === 0 || area?.header == null ? null : readBytes(memory, page, sizeOf(area.header));
  if (area?.header == null || page === null || header?.ok !== true) return false;
  const [, count = ''] = Object.keys(area.header.fields);
  const used = Number(integerOf(area.header, decodeStruct(area.header, header.bytes), count) ?? 0n);
  if (used > areaCapacity(area, memory.pageSize)) return false;
  for (let index = 0; index < Math.min(used, MAX_DOMAINS); index++) {
    const read = readBytes(memory, page + entryOffset(area, index, memory.pageSize), sizeOf(area.entry));
    if (!read.ok) return index > 0;
    const values: Readonly<Record<string, unknown>> = decodeStruct(area.entry, read.bytes);
    const top = addressIn(values, 'top_table_phys');
    if (top === null || top % memory.pageSize !== 0 || !(typeof values.top_level === 'bigint' && values.top_level < 8n)) return false;
    if (values.padding instanceof Uint8Array && values.padding.some((byte) => byte !== 0)) return false;
  }
  return true;
}

/** Without a map any page may be. */
const isPreserved = (context: Context, address: number): boolean => context.map === null || context.map.blockOf(address) !== null;
