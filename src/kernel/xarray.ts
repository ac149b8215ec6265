/** The kernel's sparse arrays, as the page cache uses them. Source: include/linux/xarray.h and lib/xarray.c, 6.16 to 7.3. */
import { KernelFault, hexOf } from './fault.js';
import { KernelObject } from './object.js';
import { kernelLimits } from './limits.js';

interface XarrayEntry {
  readonly index: number;
  /** slots it covers: more than one where an entry has an order */
  readonly count: number;
  /** a pointer; for a value entry the value */
  readonly entry: bigint;
  /** is it a value (a swap entry, in the page cache) and no pointer? */
  readonly isValue: boolean;
}

const MAX_ENTRIES = kernelLimits.xarrayEntries.value;
/** Entries that cost as much as one read. */
const ENTRIES_A_READ = 8;
const INTERNAL = 2n;
const VALUE = 1n;
/** Internal entries below this are siblings, retries and zeros, no nodes. */
const FIRST_NODE = 4096n;

/** All entries, ascending. @throws KernelFault where a node can't be read, or is not a node */
export function* xarrayEntries(xarray: KernelObject): Generator<XarrayEntry> {
  const head = xarray.get('xa_head').value();
  if (head === 0n) return;
  const budget = { entries: MAX_ENTRIES };
  if ((head & 3n) === INTERNAL && head >= FIRST_NODE) yield* nodeEntries(xarray, head - INTERNAL, 0, null, budget);
  else yield entryOf(0, 1, head);
}

function* nodeEntries(xarray: KernelObject, address: bigint, base: number, above: number | null, budget: { entries: number }): Generator<XarrayEntry> {
  const { source } = xarray;
  const node = new KernelObject(source, source.types.id('struct xa_node'), address);
  const shift = node.get('shift').number();
  const slots = node.get('slots');
  const { count } = source.types.array(slots.typeId);
  const bits = Math.log2(count);
  if (shift > 60 || shift % bits !== 0 || (above !== null && shift !== above - bits))
    throw new KernelFault('implausible', `the xa_node at ${hexOf(address)} has shift ${shift}${above === null ? '' : ` below one of ${above}`}`);
  const bytes = slots.bytes(count * 8);
  source.virtual.spend(Math.ceil(count / ENTRIES_A_READ));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let slot = 0; slot < count; slot++) {
    const entry = view.getBigUint64(slot * 8, true);
    if (entry === 0n || isSibling(entry, count)) continue;
    if (budget.entries-- <= 0) throw new KernelFault('limit', `the xarray at ${hexOf(xarray.address)} has more than ${MAX_ENTRIES} entries`);
    const index = base + slot * 2 ** shift;
    if ((entry & 3n) === INTERNAL) {
      if (entry < FIRST_NODE) continue;
      if (shift === 0) throw new KernelFault('implausible', `the xa_node at ${hexOf(address)} has a node below its last level`);
      yield* nodeEntries(xarray, entry - INTERNAL, index, shift, budget);
      continue;
    }
    let covered = 1;
    while (slot + covered < count && siblingOf(view.getBigUint64((slot + covered) * 8, true)) === slot) covered++;
    yield entryOf(index, covered * 2 ** shift, entry);
  }
}

const isSibling = (entry: bigint, count: number): boolean => (entry & 3n) === INTERNAL && entry < BigInt(count) << 2n;
const siblingOf = (entry: bigint): number => ((entry & 3n) === INTERNAL && entry < FIRST_NODE ? Number(entry >> 2n) : -1);

const entryOf = (index: number, count: number, entry: bigint): XarrayEntry =>
  (entry & VALUE) === VALUE ? { index, count, entry: entry >> 1n, isValue: true } : { index, count, entry, isValue: false };
