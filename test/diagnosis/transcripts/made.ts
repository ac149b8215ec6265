/** Damages that are not one value of one field as the tree shows it: entries of folio tables, keys of the map, names of subtrees. */
import type { DecodedDump } from '../../../src/handover/decode.js';
import type { Memfd } from '../../../src/handover/memfd.js';
import { type PhysicalMemory, readBytes } from '../../../src/memory/memory.js';
import type { Patch } from '../../../src/memory/overlay.js';

const SEVEN = 'test/fixtures/diagnosis/frozen-73.elf.xz';
const NINETEEN = 'test/fixtures/diagnosis/frozen-619.elf.xz';

function memfd(dump: DecodedDump, folios: number): Memfd {
  for (const session of dump.handovers[0]?.luo?.sessions ?? [])
    for (const { decoded } of session.files) if (decoded?.kind === 'memfd' && decoded.folioCount >= BigInt(folios)) return decoded;
  throw new Error(`no memfd of ${folios} folios`);
}

const u64 = (value: bigint): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
};

/** The first word of an entry: pfn, and the flags above it. */
function word(dump: DecodedDump, memory: PhysicalMemory, entry: number, change: (word: bigint) => bigint): Patch {
  const address = memfd(dump, 4).entryAddress(entry) ?? 0;
  const { bytes } = readBytes(memory, address, 8);
  return { address, bytes: u64(change(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))) };
}

const PFN = (1n << 52n) - 1n;

/** An FDT node's name, by its path in the root FDT. */
function nameOf(dump: DecodedDump, name: string, to: string): Patch {
  const { fdt, fdtAddress } = dump.handovers[0]?.candidate ?? { fdt: null, fdtAddress: null };
  const node = fdt?.root?.children.find((child) => child.name === name);
  if (node === undefined || fdtAddress === null) throw new Error(`no subtree ${name}`);
  return { address: fdtAddress + node.offset + 4, bytes: new TextEncoder().encode(to) };
}

/** Sets the key of the block that starts at `address` at another order. */
function key(dump: DecodedDump, memory: PhysicalMemory, address: number, order: number): Patch {
  const place = dump.handovers[0]?.map?.placeOf(address, order);
  if (place == null) throw new Error('no place for the key');
  const bit = (address / (memory.pageSize * 2 ** order)) % 64;
  const { bytes } = readBytes(memory, place.at, 8);
  return { address: place.at, bytes: u64(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) | (1n << BigInt(bit))) };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);

/** A property of the root FDT. */
function property(dump: DecodedDump, name: string, to: string): Patch {
  const { fdt, fdtAddress } = dump.handovers[0]?.candidate ?? { fdt: null, fdtAddress: null };
  const found = fdt?.root?.properties.find((candidate) => candidate.name === name);
  if (found === undefined || fdtAddress === null) throw new Error(`no property ${name}`);
  return { address: fdtAddress + found.offset, bytes: text(to) };
}

/** Lines of a console that some rule is about, of the kernel that came up. */
export const consoleLog = [
  'Linux version 7.3.4 (old) #1',
  'luo: failed to preserve file',
  'Linux version 7.3.4 (new) #1',
  'KHO: found kexec handover data.',
  'test_kho: KHO restore failed',
  'KHO: kexec-metadata version 2 not supported (expected 1)',
  'reserve_mem: labmem has wrong size',
  'refcount_t: underflow; use-after-free.',
  'luo: Unable to finish session [vm-0] on release',
].join('\n');

type Make = (dump: DecodedDump, memory: PhysicalMemory) => Patch;

export const orderDamages: readonly (readonly [what: string, image: string, make: Make])[] = [
  [
    'pfn of a folio that of the one before',
    SEVEN,
    (dump, memory) => word(dump, memory, 1, () => new DataView(readBytes(memory, memfd(dump, 4).entryAddress(0) ?? 0, 8).bytes.buffer).getBigUint64(0, true)),
  ],
  ['pfn of a folio 0', SEVEN, (dump, memory) => word(dump, memory, 1, (old) => old & ~PFN)],
  [
    'pfn of a folio that of its own description',
    SEVEN,
    (dump, memory) => word(dump, memory, 1, (old) => (old & ~PFN) | BigInt((memfd(dump, 4).reading.address ?? 0) / 4096)),
  ],
  ['flags of a folio 0', SEVEN, (dump, memory) => word(dump, memory, 1, (old) => old & PFN)],
  [
    'a folio preserved a second time, at another order',
    SEVEN,
    (dump, memory) => key(dump, memory, [...memfd(dump, 4).folios()].map(({ pfn }) => pfn * 4096).find((at) => at % 8192 === 0) ?? 0, 1),
  ],
  ['LUO called LUP', SEVEN, (dump) => nameOf(dump, 'LUO', 'LUP')],
  ['KHO called kho-v2', SEVEN, (dump) => property(dump, 'compatible', 'kho-v2')],
  ['LUO called luo-v4', SEVEN, (dump) => ({ address: dump.handovers[0]?.luo?.node.address ?? 0, bytes: text('luo-v4') })],
  ['LUO called luo-v1', SEVEN, (dump) => ({ address: dump.handovers[0]?.luo?.node.address ?? 0, bytes: text('luo-v1') })],
  ['a file called memfd-v1', SEVEN, (dump) => ({ address: dump.handovers[0]?.luo?.sessions?.[0]?.files[0]?.reading.address ?? 0, bytes: text('memfd-v1') })],
  ['memfd-v1 as it is written', NINETEEN, () => ({ address: 0, bytes: new Uint8Array() })],
];
