/**
 * The kernel's own test of KHO, where the previous kernel had it: restores its list and every folio of it, and sums their contents.
 * Source: lib/test_kho.c, 6.17.8 and 6.18.15 to 7.3.4.
 */
import { KHO_TEST_MAGIC, khoTestV1B } from '../../../abi/kho-test/v1.js';
import { khoVmalloc } from '../../../abi/kho/vmalloc.js';
import { u32 } from '../../../abi/layout.js';
import { decodeStruct, decodeValue } from '../../codec/decode.js';
import { fdtProperty, fdtStrings, type FdtNode } from '../../codec/fdt.js';
import { sizeOf } from '../../codec/layout-table.js';
import { readFdt } from '../kho/incoming.js';
import type { Kho } from '../kho/kho.js';
import { restoreVmalloc, vmallocDescriptor } from '../kho/vmalloc.js';
import { type Machine, MissingPageError, type Steps } from '../machine.js';
import { isReadable } from '../../memory/memory.js';

const SUBTREE = 'kho_test';
/** Bytes of an entry of the list: a physical address with the folio's order in its lower bits. */
const ENTRY = 8;

/** module_init. Nothing that goes wrong here stops a boot, but a page fault. @throws PanicError @throws MissingPageError */
export function* runKhoTest(kho: Kho): Steps<void> {
  const { machine } = kho;
  const blob = kho.incoming === null ? 0 : kho.incoming.subtree(SUBTREE);
  if (typeof blob === 'number') return;
  yield machine.enter('next-kernel', 'kho_test_init');
  const { depth } = machine;
  try {
    const { root } = readFdt(machine, blob.address);
    const restored = root !== null && isTest(root) && (yield* restoreData(kho, root));
    yield machine.printk(restored ? 'test_kho: KHO restore succeeded' : 'test_kho: KHO restore failed', 'next-kernel');
  } catch (error) {
    // The test's own pages are nobody else's: what a dump lacks of them leaves the rest as it is.
    if (!(error instanceof MissingPageError)) throw error;
    machine.unwind(depth);
    yield machine.printk(`unknown: the test of KHO, the page at 0x${error.address.toString(16)} is not in this dump`, 'next-kernel');
  }
  yield machine.exit();
}

function isTest(root: FdtNode): boolean {
  return fdtStrings(fdtProperty(root, 'compatible')).includes(khoTestV1B.compatible) && u32Of(root, 'magic') === KHO_TEST_MAGIC;
}

function u32Of(node: FdtNode, name: string): number | null {
  const property = fdtProperty(node, name);
  return property?.value.length === 4 ? decodeValue(u32(name), property.value) : null;
}

function* restoreData(kho: Kho, root: FdtNode): Steps<boolean> {
  const data = root.children.find(({ name }) => name === 'data');
  const count = data === undefined ? null : u32Of(data, 'nr_folios');
  const info = data === undefined ? null : fdtProperty(data, 'folios_info');
  if (count === null || info === null) return false;
  const inline = info.value.length === count * ENTRY && kho.spec.map === 'chunks-512';
  if (!inline && info.value.length !== sizeOf(khoVmalloc)) return false;
  const { first, total_pages, flags, order } = decodeStruct(
    khoVmalloc,
    info.value.length < sizeOf(khoVmalloc) ? new Uint8Array(sizeOf(khoVmalloc)) : info.value,
  );
  const pages = inline ? null : yield* restoreVmalloc(kho, vmallocDescriptor({ first, total_pages, flags, order }));
  if (!inline && pages === null) return false;
  let sum: number | null = 0;
  for (let index = 0; index < count; index++) {
    const entry = inline ? readEntry(info.value, index * ENTRY) : entryOf(kho, pages ?? [], index);
    const folioOrder = entry % kho.machine.pageSize;
    if ((yield* kho.restoreFolio(entry - folioOrder)) !== folioOrder) return false;
    sum = sum === null ? null : addWords(kho.machine, entry - folioOrder, kho.machine.pageSize * 2 ** folioOrder, sum);
  }
  const checksum = data === undefined ? null : u32Of(data, 'csum');
  return sum === null || checksum === null || sum === checksum % WORDS;
}

/** A one's complement sum of 16-bit words, as csum_partial() gives it: modulo 2^16 - 1. */
const WORDS = 0xffff;

/** The sum with the contents added, or null where a dump leaves some of them out: they are taken for as they were. */
function addWords({ memory, pageSize }: Machine, address: number, length: number, sum: number): number | null {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += pageSize) if (!isReadable(memory.now, address + at)) return null;
  if (memory.now.readInto(address, length, bytes) !== length) return null;
  // Two words at a time are the same modulo 2^16 - 1, and sums of 2^20 of them are exact.
  const words = new Uint32Array(bytes.buffer);
  let total = sum;
  for (let first = 0; first < words.length; first += 1 << 20) {
    for (const word of words.subarray(first, first + (1 << 20))) total += word;
    total %= WORDS;
  }
  return total;
}

// The count is not checked against the list; the guard page follows it.
function entryOf(kho: Kho, pages: readonly number[], index: number): number {
  const { machine } = kho;
  const perPage = machine.pageSize / ENTRY;
  const page = pages[Math.floor(index / perPage)];
  if (page === undefined) machine.fault('the guard page after the list of folios');
  return readEntry(machine.read((page ?? 0) + (index % perPage) * ENTRY, ENTRY), 0);
}

const readEntry = (bytes: Uint8Array, offset: number): number =>
  Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(offset, true));
