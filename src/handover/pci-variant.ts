/** Which of the layouts that share a string the PCI core's FLB has: the one whose counts and entries agree (abi/pci). */
import type { Contract } from '../../abi/contract.js';
import type { DecodedStruct, Struct } from '../../abi/layout.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { type PhysicalMemory, readBytes } from '../memory/memory.js';

/** More slots than this are not held against their count. */
const MAX_COMPARED = 4096;

/** The candidate that the bytes at `address` (physical) agree with; the usual one, whose id is the string itself, if none does. */
export function pciVariant(memory: PhysicalMemory, candidates: readonly Contract[], address: number): Contract | null {
  const usual = candidates.find((contract) => contract.id === contract.compatible) ?? candidates[0] ?? null;
  if (candidates.length < 2) return usual;
  const versioned = byVersion(memory, candidates, address);
  if (versioned !== undefined) return versioned;
  const ordered = [...candidates].sort((a, b) => rank(a, usual) - rank(b, usual));
  const agreeing = ordered.find((contract) => agrees(memory, contract, address));
  return agreeing ?? ordered.find((contract) => countsOf(memory, contract, address) !== null) ?? usual;
}

/** Where the version is in the data: the candidate that has it, the newest where none does; undefined where there is no such field. */
function byVersion(memory: PhysicalMemory, candidates: readonly Contract[], address: number): Contract | undefined {
  const [newest] = candidates;
  const type = newest?.structs[0]?.fields.version;
  if (newest?.structs[0] === undefined || type?.kind !== 'int') return undefined;
  const read = readBytes(memory, address, sizeOf(newest.structs[0]));
  const version = read.ok ? integer(decodeStruct(newest.structs[0], read.bytes), 'version') : null;
  return candidates.find((contract) => versionsIn(contract).includes(version)) ?? newest;
}

/** Versions that a layout with a version field accepts. */
export function versionsIn(contract: Contract): readonly (bigint | null)[] {
  const type = contract.structs[0]?.fields.version;
  return type?.kind === 'int' ? (type.mustBe ?? []).map(BigInt) : [];
}

/** The usual form first; then those with small entries, whose checks are the stricter ones. */
function rank(contract: Contract, usual: Contract | null): number {
  const [header, entry] = contract.structs;
  if (contract === usual) return 0;
  return header === undefined || entry === undefined ? Number.POSITIVE_INFINITY : sizeOf(entry);
}

interface Counts {
  readonly slots: number;
  readonly used: number;
}

/** Slots and devices as the header has them; null where no machine has as many, or more are used than there are. */
function countsOf(memory: PhysicalMemory, contract: Contract, address: number): Counts | null {
  const [header] = contract.structs;
  if (header === undefined) return null;
  const read = readBytes(memory, address, sizeOf(header));
  if (!read.ok) return null;
  const values = decodeStruct(header, read.bytes);
  const used = integer(values, 'nr_devices') ?? 0n;
  const slots = integer(values, 'max_nr_devices') ?? used;
  return slots > BigInt(MAX_SLOTS) || used > slots ? null : { slots: Number(slots), used: Number(used) };
}

function agrees(memory: PhysicalMemory, contract: Contract, address: number): boolean {
  const counts = countsOf(memory, contract, address);
  const [header, entry] = contract.structs;
  if (counts === null || header === undefined || entry === undefined) return false;
  const compared = Math.min(counts.slots, MAX_COMPARED);
  const { bytes } = readBytes(memory, address + sizeOf(header), compared * sizeOf(entry));
  const filled: { readonly slot: number; readonly values: DecodedStruct<Struct> }[] = [];
  for (let slot = 0; (slot + 1) * sizeOf(entry) <= bytes.length; slot++) {
    const own = bytes.subarray(slot * sizeOf(entry), (slot + 1) * sizeOf(entry));
    if (own.some((byte) => byte !== 0)) filled.push({ slot, values: decodeStruct(entry, own) });
  }
  const after = readBytes(memory, address + sizeOf(header) + counts.slots * sizeOf(entry), sizeOf(entry)).bytes;
  if (compared === counts.slots && after.some((byte) => byte !== 0)) return false;
  if (counts.used === 0) return filled.length === 0;
  // With a refcount, slots in use are those that have one; the padding in its place is 0; small entries are adjacent.
  if ('refcount' in entry.fields) return filled.filter(({ values }) => integer(values, 'refcount') !== 0n).length === counts.used;
  if ('padding' in entry.fields) return filled.length === counts.used && filled.every(({ values }) => integer(values, 'padding') === 0n);
  return filled.length === counts.used && filled.every(({ slot }, index) => slot === index);
}

/** As many slots as a domain has functions: more than a machine has devices in all its domains. */
export const MAX_SLOTS = 1 << 16;

/** An integer field by name, or null where this version has none of that name. */
export function integer(values: Readonly<Record<string, unknown>>, name: string): bigint | null {
  const value = values[name];
  return typeof value === 'bigint' ? value : typeof value === 'number' ? BigInt(value) : null;
}
