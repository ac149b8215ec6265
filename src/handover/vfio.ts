/** Which of the layouts that share a string a preserved VFIO device has: told by what its bytes would mean in each (abi/vfio-pci). */
import type { Contract } from '../../abi/contract.js';
import type { Struct } from '../../abi/layout.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { type PhysicalMemory, readBytes } from '../memory/memory.js';
import { integer } from './pci-variant.js';

/** Bytes after every candidate that are looked at: zeros of a fresh page. */
const LOOK_BEHIND = 8;
/** PCI domains are few and small, or start at 0x10000 where an operating system made them up. */
const MANY_DOMAINS = 0x100;
const MADE_UP_DOMAINS = 0x10000;

/**
 * Chooses among `candidates` by the bytes at `address` (physical). The usual one, whose id is the string itself, holds unless
 * what it reads is no device and another form is.
 */
export function vfioVariant(memory: PhysicalMemory, candidates: readonly Contract[], address: number): Contract | null {
  const usual = candidates.find((contract) => contract.id === contract.compatible) ?? candidates[0] ?? null;
  const others = candidates.filter((contract) => contract !== usual);
  if (usual === null || others.length === 0) return usual;
  const largest = Math.max(...candidates.map((contract) => structSize(contract)));
  const { bytes } = readBytes(memory, address, largest + LOOK_BEHIND);
  const readings = candidates.map((contract) => ({ contract, device: deviceOf(contract, bytes) }));
  if (readings.find(({ contract }) => contract === usual)?.device === 'plausible') return usual;
  const fitting = readings.filter(({ contract, device }) => contract !== usual && device !== 'none');
  fitting.sort((a, b) => structSize(a.contract) - structSize(b.contract));
  return fitting[0]?.contract ?? usual;
}

const structSize = (contract: Contract): number => (contract.structs[0] === undefined ? 0 : sizeOf(contract.structs[0]));

/** What `contract` would read: no device, one, or one where devices usually are. */
function deviceOf(contract: Contract, bytes: Uint8Array): 'none' | 'possible' | 'plausible' {
  const [struct] = contract.structs;
  if (struct === undefined || bytes.length < sizeOf(struct)) return 'none';
  const values = decodeStruct(struct, bytes);
  const [bdf, domain, reset] = [integer(values, 'bdf') ?? 0n, integer(values, 'domain') ?? 0n, integer(values, 'reset_works') ?? 0n];
  const zerosBehind = bytes.subarray(sizeOf(struct), sizeOf(struct) + LOOK_BEHIND).every((byte) => byte === 0);
  if (bdf === 0n || reset > 1n || !zerosBehind) return 'none';
  if (isWide(struct) && domain !== 0n && bdf === 1n) return 'possible';
  const known = domain < MANY_DOMAINS || (domain >= MADE_UP_DOMAINS && domain % BigInt(MADE_UP_DOMAINS) < MANY_DOMAINS);
  return known ? 'plausible' : 'possible';
}

/** Is the domain the first field, of 32 bits? There a bdf and a flag of the older forms read as a large domain and a bdf of 1. */
const isWide = (struct: Struct): boolean => struct.fields.domain?.kind === 'int' && struct.fields.domain.bytes === 4;
