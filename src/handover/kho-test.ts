/** The kernel's own test of KHO (CONFIG_TEST_KEXEC_HANDOVER): folios listed inline (up to 6.17) or in a vmalloc area. Source: lib/test_kho.c, 6.17 to 7.3. */
import { khoVmalloc } from '../../abi/kho/vmalloc.js';
import { KHO_TEST_MAGIC, khoTestV1A, khoTestV1B } from '../../abi/kho-test/v1.js';
import { u32 } from '../../abi/layout.js';
import { decodeStruct, decodeValue } from '../codec/decode.js';
import { type FdtNode, fdtProperty, fdtStrings } from '../codec/fdt.js';
import { integerOf } from '../codec/leaf.js';
import { sizeOf } from '../codec/layout-table.js';
import { physicalAddress } from '../memory/memory.js';
import { type Context, nonsense, refer } from './context.js';
import { type Blob, child } from './luo-root.js';
import { hex } from '../tree/words.js';
import type { Node } from '../tree/node.js';
import { readOtherFdt } from './small-subtrees.js';
import { readVmalloc, vmallocValues } from './vmalloc.js';

interface KhoTestFolio {
  /** physical, bytes */
  readonly address: number;
  readonly order: number;
}

export interface KhoTest {
  readonly node: Node;
  /** as it says itself; the list may hold fewer */
  readonly count: number;
  /** The folios it lists, as far as the list can be read. */
  folios(): Iterable<KhoTestFolio>;
}

/** Adds the test's tree; the format is told by the length of folios_info. Null where its list of folios can't be read. */
export function readKhoTest(context: Context, blob: Blob, parent: Node): KhoTest | null {
  const fdt = readOtherFdt(context, blob, parent, 'kho_test', khoTestV1B.fdt);
  if (fdt === null) {
    if (blob.bytes !== null) nonsense(context, 'kho-test', blob.node, "the KHO test's blob is not an FDT");
    return null;
  }
  const node = child(parent, 'kho_test');
  const root = node === null ? null : child(node, '/');
  if (fdt.root === null || node === null || root === null) return null;
  checkRoot(context, fdt.root, root);
  const data = fdt.root.children.find((candidate) => candidate.name === 'data');
  const dataNode = child(root, 'data');
  const info = data === undefined ? null : fdtProperty(data, 'folios_info');
  const count = data === undefined ? null : fdtProperty(data, 'nr_folios');
  if (info === null || dataNode === null || count?.value.length !== 4) {
    nonsense(context, 'kho-test', dataNode ?? root, 'the node data with nr_folios and folios_info is missing or incomplete');
    return null;
  }
  const folios = decodeValue(u32('nr_folios'), count.value);
  const descriptor = context.contracts.struct(khoVmalloc);
  if (info.value.length !== sizeOf(descriptor)) {
    node.meaning = `${folios} folios, listed inline (${khoTestV1A.id})`;
    const countNode = child(dataNode, 'nr_folios') ?? dataNode;
    if (info.value.length !== folios * FOLIO_SIZE) {
      const text = `nr_folios is ${folios}, but folios_info has ${info.value.length} bytes`;
      nonsense(context, 'kho-test', countNode, text);
    }
    const list = child(dataNode, 'folios_info') ?? dataNode;
    referFolios(context, info.value, list, (entry) => (list.address === null ? null : list.address + entry * FOLIO_SIZE));
    return { node, count: folios, folios: () => foliosOf(info.value, context.memory.pageSize) };
  }
  node.meaning = `${folios} folios (${khoTestV1B.id})`;
  const decoded = decodeStruct(descriptor, info.value);
  const values = vmallocValues((name) => integerOf(descriptor, decoded, name));
  if (values === null) return null;
  const areaNode = child(dataNode, 'folios_info');
  const area = areaNode === null ? null : readVmalloc(context, values, areaNode);
  checkRoom(context, { folios, totalPages: values.total_pages, chained: area === null ? null : area.blocks.length }, dataNode);
  if (area === null) return { node, count: folios, folios: () => [] };
  const list = area.read(0, Math.min(area.size, MAX_LIST));
  const used = listedFolios(context, list, folios);
  if (area.complete && list.length === area.size && used !== folios && !context.released) {
    const countNode = child(dataNode, 'nr_folios') ?? dataNode;
    context.observations.add('kho-test', countNode, `nr_folios is ${folios}, but the list has ${used} folios`, 'wrong');
  }
  referFolios(context, list.subarray(0, Math.min(used, folios) * FOLIO_SIZE), node, (entry) => {
    const block = area.blocks[Math.floor((entry * FOLIO_SIZE) / area.blockSize)];
    return block === undefined ? null : block + ((entry * FOLIO_SIZE) % area.blockSize);
  });
  return { node, count: folios, folios: () => foliosOf(list.subarray(0, Math.min(used, folios) * FOLIO_SIZE), context.memory.pageSize) };
}

/**
 * The area is as long as the list: vmalloc(nr_folios * sizeof(u64)), so that its pages and the count tell of each other even where its
 * pages are not in the dump. Of the two the one is blamed that the chain of chunks contradicts as well.
 */
function checkRoom(
  context: Context,
  { folios, totalPages, chained }: { readonly folios: number; readonly totalPages: number | null; readonly chained: number | null },
  dataNode: Node,
): void {
  if (totalPages === null || context.released) return;
  const needed = Math.ceil((folios * FOLIO_SIZE) / context.memory.pageSize);
  if (needed === totalPages) return;
  const info = child(dataNode, 'folios_info');
  const isCount = chained !== null && chained === totalPages;
  const blamed = (isCount || info === null ? child(dataNode, 'nr_folios') : child(info, 'total_pages')) ?? dataNode;
  context.observations.add('kho-test', blamed, `nr_folios is ${folios}, a list of ${needed} pages, and total_pages of folios_info is ${totalPages}`, 'wrong');
}

/** The list's entries: physical addresses with the order in the bits below a page. */
function* foliosOf(list: Uint8Array, pageSize: number): Iterable<KhoTestFolio> {
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  for (let at = 0; at + FOLIO_SIZE <= list.length; at += FOLIO_SIZE) {
    const value = physicalAddress(view.getBigUint64(at, true));
    if (value === null) continue;
    const order = value % pageSize;
    if (order <= MAX_FOLIO_ORDER) yield { address: value - order, order };
  }
}

/** More of a list is not read: 2^17 folios. */
const MAX_LIST = 1 << 20;

/**
 * How many folios the list really has. Nothing is written after the last, and the pages are not zeroed before: what the map has as a
 * block of the order that the entry names is one. `counted` where the map does not tell, or where an entry before the last makes no sense.
 */
function listedFolios(context: Context, list: Uint8Array, counted: number): number {
  const { map, memory } = context;
  if (map === null) return counted;
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const seen = new Set<number>();
  const isFolio = (entry: number): boolean => {
    if ((entry + 1) * FOLIO_SIZE > list.length) return false;
    const value = physicalAddress(view.getBigUint64(entry * FOLIO_SIZE, true));
    if (value === null || value < memory.pageSize || seen.has(value)) return false;
    seen.add(value);
    const order = value % memory.pageSize;
    return map.brokenAt(value - order, order) !== null || map.ordersAt(value - order).includes(order);
  };
  const within = Array.from({ length: Math.min(counted, list.length / FOLIO_SIZE) }, (_, entry) => isFolio(entry));
  const last = within.lastIndexOf(true) + 1;
  if (last < counted) return within.slice(0, last).includes(false) || last < counted / 2 ? counted : last;
  return isFolio(counted) ? counted + 1 : counted;
}

/** Each entry is the physical address of a folio with its order in the bits below the page's. */
function referFolios(context: Context, list: Uint8Array, from: Node, addressOf: (entry: number) => number | null): void {
  if (context.released) return;
  const { pageSize } = context.memory;
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  for (let entry = 0; (entry + 1) * FOLIO_SIZE <= list.length; entry++) {
    const value = view.getBigUint64(entry * FOLIO_SIZE, true);
    const address = physicalAddress(value - (value % BigInt(pageSize)));
    const order = Number(value % BigInt(pageSize));
    const at = addressOf(entry);
    if (value === 0n || address === null || address === 0 || order > MAX_FOLIO_ORDER || address % (pageSize * 2 ** Math.min(order, MAX_FOLIO_ORDER)) !== 0) {
      nonsense(context, 'kho-test', from, `folio ${entry} of the list is ${hex(value)}, no block of memory`, at);
      continue;
    }
    refer(context, { address, order, what: 'folio of the KHO test', node: from, from, ...(at === null ? {} : { fromAddress: at }) });
  }
}

/** Of the page allocator where nobody configured more. */
const MAX_FOLIO_ORDER = 20;

/** Bytes of an entry of the list: a physical address with the order in its lower bits. */
const FOLIO_SIZE = 8;

function checkRoot(context: Context, fdtRoot: FdtNode, root: Node): void {
  const compatible = fdtStrings(fdtProperty(fdtRoot, 'compatible')).join(';');
  if (compatible !== khoTestV1B.compatible)
    nonsense(context, 'kho-test', child(root, 'compatible') ?? root, `compatible is ${JSON.stringify(compatible)}, not ${khoTestV1B.compatible}`);
  const magic = fdtProperty(fdtRoot, 'magic');
  const value = magic?.value.length === 4 ? decodeValue(u32('magic'), magic.value) : null;
  if (value !== KHO_TEST_MAGIC) {
    const text = value === null ? 'magic is missing' : `magic is ${hex(value)}, not ${hex(KHO_TEST_MAGIC)}`;
    nonsense(context, 'kho-test', child(root, 'magic') ?? root, text);
  }
}
