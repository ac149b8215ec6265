/**
 * The page ledger of every capture below a folder against a walk of the preserved map that shares nothing with it: 64-bit words read one by
 * one from the dump, by the facts of the map's forms alone. Of a damaged one (damage.json says which bytes were written) the damage is undone
 * as well: what the ledger then lacks must be nothing, so that every difference is the damage's. For `npm run captures -- --ledger <folder>`.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { loadDecoded } from '../../src/cli/load-dump.js';
import { fdtProperty, parseFdt } from '../../src/codec/fdt.js';
import { decodeHandovers, type Handover } from '../../src/handover/decode.js';
import { type Ledger, readLedger } from '../../src/handover/ledger/ledger.js';
import { type PhysicalMemory, readBytes } from '../../src/memory/memory.js';
import { overlayMemory, type Patch } from '../../src/memory/overlay.js';
import { Truth } from './json-path.js';

interface LedgerResult {
  readonly dump: string;
  /** maps that were compared */
  readonly maps: number;
  readonly pages: number;
  /** what the ledger of the dump as it is has beside the sum: pages claimed and not preserved, of nobody, in others' blocks, entries unread */
  readonly beside: readonly string[];
  readonly wrong: readonly string[];
}

const DUMP = /\.elf(\.(xz|zst|gz))?$/;

export async function* checkLedgers(folder: string): AsyncIterable<LedgerResult> {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (DUMP.test(name)) yield await checkDump(path);
    else if (statSync(path).isDirectory()) yield* checkLedgers(path);
  }
}

async function checkDump(dump: string): Promise<LedgerResult> {
  const wrong: string[] = [];
  const beside: string[] = [];
  let [maps, pages] = [0, 0];
  let loaded: Awaited<ReturnType<typeof loadDecoded>>;
  try {
    loaded = await loadDecoded(dump, { log: false });
  } catch (error) {
    return { dump, maps, pages, beside: [error instanceof Error ? error.message : 'unreadable'], wrong };
  }
  const { opened, decoded } = loaded;
  try {
    const told = decodedBeside(dump);
    for (const handover of decoded.handovers) {
      const found = compare(handover, opened.memory, told, wrong);
      if (found === null) continue;
      maps++;
      pages += found.pages;
      beside.push(...besideOf(found));
    }
    const damage = damageOf(dump);
    if (damage.length > 0) {
      const memory = overlayMemory(opened.memory, damage);
      for (const handover of decodeHandovers({ memory, runningRelease: null }).handovers) {
        const sound = compare(handover, memory, null, wrong);
        for (const what of sound === null ? [] : besideOf(sound)) wrong.push(`with the damage undone: ${what}`);
      }
    } else if (/^s1-frozen/.test(basename(dump)) && !existsSync(join(dirname(dump), 'damage.json')) && truthOf(dump)?.at('corruption').exists !== true)
      wrong.push(...beside.map((what) => `undamaged, but ${what}`));
  } finally {
    opened.close();
  }
  return { dump, maps, pages, beside, wrong };
}

/** The ledger's sums and its owners page by page. */
function compare(handover: Handover, memory: PhysicalMemory, told: ReadonlyMap<string, number> | null, wrong: string[]): Ledger | null {
  const ledger = readLedger(handover, memory);
  if ((ledger === null) !== (handover.map === null)) wrong.push(`${handover.path}: a ledger without a map, or a map without a ledger`);
  if (ledger === null || handover.map === null) return null;
  const known = told?.get(`0x${(handover.candidate.fdtAddress ?? 0).toString(16)}`);
  if (known !== undefined && known !== ledger.pages) wrong.push(`${handover.path}: ${ledger.pages} pages, the capture's own decoder counted ${known}`);
  const blocks = walkMap(handover, memory, rootOf(handover, memory));
  const pageSize = memory.pageSize;
  const whole = blocks.every(([, order]) => 2 ** order <= MOST_PAGES);
  const seen = new Map<number, number>();
  let total = 0;
  for (const [start, order] of blocks) {
    const count = 2 ** order;
    total += count;
    for (let page = 0; page < Math.min(count, MOST_PAGES); page++) seen.set(start / pageSize + page, (seen.get(start / pageSize + page) ?? 0) + 1);
  }
  // What of a damaged map cannot be counted is told of: the ledger then has less, never more.
  if (ledger.mapComplete ? total !== ledger.pages : ledger.pages > total)
    wrong.push(`${handover.path}: the ledger has ${ledger.pages} pages, the map ${total}`);
  const sum = ledger.entries.reduce((all, entry) => all + entry.pages, 0);
  if (sum + ledger.uncounted !== ledger.pages)
    wrong.push(`${handover.path}: its owners have ${sum} pages and ${ledger.uncounted} fit none, of ${ledger.pages}`);
  const owned = new Map<string, number>();
  let without = 0;
  for (const [page, times] of seen) {
    const owner = ledger.ownerAt(page * pageSize);
    if (owner === null) without++;
    else owned.set(`${owner.kind} ${owner.name}`, (owned.get(`${owner.kind} ${owner.name}`) ?? 0) + (times > 1 ? 0 : 1));
    if (whole && !seen.has(page + 1) && ledger.ownerAt((page + 1) * pageSize) !== null)
      wrong.push(`${handover.path}: page ${page + 1} has an owner, and is not in the map`);
  }
  if (without > 0 && ledger.mapComplete) wrong.push(`${handover.path}: ${without} pages of the map have no owner, not even nobody`);
  if (ledger.twice === 0 && ledger.uncounted === 0 && ledger.mapComplete && whole)
    for (const { owner, pages } of ledger.entries)
      if ((owned.get(`${owner.kind} ${owner.name}`) ?? 0) !== pages)
        wrong.push(`${handover.path}: ${owner.name} has ${pages} pages by the sum, ${owned.get(`${owner.kind} ${owner.name}`) ?? 0} page by page`);
  return ledger;
}

/** Pages of one block that are held against the ledger one by one. */
const MOST_PAGES = 1 << 20;

function besideOf({ handover, entries, twice, uncounted, mapComplete }: Ledger): string[] {
  const found: string[] = [];
  // Of a list whose page the dump leaves out, what it names is nobody's here.
  const sparse = entries.some(({ unread }) => unread > 0n);
  for (const { owner, pages, unpreserved, shared, unread } of entries) {
    if (unpreserved > 0) found.push(`${handover.path}: ${owner.name} claims ${unpreserved} pages that are not preserved`);
    if (shared > 0) found.push(`${handover.path}: ${owner.name} claims ${shared} pages of others`);
    if (unread > 0n && !sparse) found.push(`${handover.path}: ${unread} entries of ${owner.name} could not be read`);
    if (owner.kind === 'nobody' && !sparse) found.push(`${handover.path}: ${pages} pages are nobody's`);
  }
  if (twice > 0) found.push(`${handover.path}: ${twice} pages twice in the map`);
  if (uncounted > 0) found.push(`${handover.path}: ${uncounted} pages uncounted`);
  if (!mapComplete) found.push(`${handover.path}: the map could not be read whole`);
  return found;
}

const truthOf = (dump: string): Truth | null => {
  const path = join(dirname(dump), 'truth.json');
  return existsSync(path) ? Truth.parse(readFileSync(path, 'utf8')) : null;
};

/** Pages of each map by its FDT's address, as the capture's own decoder counted them; null where none did. */
function decodedBeside(dump: string): ReadonlyMap<string, number> | null {
  const path = join(dirname(dump), basename(dump).replace(/(\.(sparse|full))?\.elf.*$/, '.decoded.json'));
  if (!existsSync(path)) return null;
  const counts = new Map<string, number>();
  for (const kho of Truth.parse(readFileSync(path, 'utf8')).at('kho').list()) {
    const [at, count] = [kho.at('pa').text(), kho.at('memory_map', 'preserved_pages').number()];
    if (at !== null && count !== null) counts.set(at, count);
  }
  return counts;
}

/** What was written into a damaged capture, undone: `damage.json` in the folder above has a row for each. */
function damageOf(dump: string): readonly Patch[] {
  const [own, above] = [basename(dirname(dump)), join(dirname(dirname(dump)), 'damage.json')];
  if (!existsSync(above)) return [];
  const row = Truth.parse(readFileSync(above, 'utf8'))
    .list()
    .find((one) => one.at('case').text() === own);
  return (row?.at('writes', 'bytes').list() ?? []).map((one) => ({
    address: Number(one.at('at').text() ?? '0'),
    bytes: Uint8Array.from(Buffer.from(one.at('was').text() ?? '', 'hex')),
  }));
}

/** `preserved-memory-map` of the root FDT. */
function rootOf({ candidate }: Handover, memory: PhysicalMemory): number {
  const read = candidate.fdtAddress === null ? null : readBytes(memory, candidate.fdtAddress, memory.pageSize);
  const { root } = read?.ok === true ? parseFdt(read.bytes) : { root: null };
  const value = root === null ? undefined : fdtProperty(root, 'preserved-memory-map')?.value;
  return value?.length === 8 ? Number(new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0, true)) : 0;
}

/** The blocks of a map: physical start and order. */
function walkMap(handover: Handover, memory: PhysicalMemory, root: number): readonly (readonly [number, number])[] {
  return handover.map?.format === 'radix' ? walkRadix(memory, root) : walkChunks(memory, root, handover.map?.format === 'chunks-512' ? 512 : memory.pageSize);
}

const page = (memory: PhysicalMemory, address: number, bytes: number): DataView | null => {
  if (address % 8 !== 0 && bytes > 512) return null;
  const read = readBytes(memory, address, bytes);
  return read.ok ? new DataView(read.bytes.buffer, read.bytes.byteOffset, bytes) : null;
};

/** More than the physical address of any machine. */
const TOP = 2n ** 62n;

function walkRadix(memory: PhysicalMemory, root: number): readonly (readonly [number, number])[] {
  const { pageSize } = memory;
  const shift = Math.log2(pageSize);
  const levels = { 12: 6, 14: 5, 16: 4 }[shift] ?? 0;
  const blocks: [number, number][] = [];
  const above = new Set<number>();
  const visit = (address: number, level: number, prefix: bigint): void => {
    const view = above.has(address) || address % pageSize !== 0 ? null : page(memory, address, pageSize);
    if (view === null) return;
    above.add(address);
    for (let at = 0; at < pageSize; at += 8) {
      const word = view.getBigUint64(at, true);
      if (word === 0n) continue;
      if (level > 1) {
        if (word < TOP) visit(Number(word), level - 1, prefix * BigInt(pageSize / 8) + BigInt(at / 8));
        continue;
      }
      for (let bit = 0; bit < 64; bit++) {
        if (((word >> BigInt(bit)) & 1n) === 0n) continue;
        const key = prefix * BigInt(pageSize * 8) + BigInt(at * 8 + bit);
        const order = 64 - shift - (key.toString(2).length - 1);
        const start = BigInt.asUintN(64, key << BigInt(shift + order));
        if (key > 0n && order >= 0 && start < TOP) blocks.push([Number(start), order]);
      }
    }
    above.delete(address);
  };
  visit(root, levels, 0n);
  return blocks;
}

function walkChunks(memory: PhysicalMemory, first: number, bitmapSize: number): readonly (readonly [number, number])[] {
  const { pageSize } = memory;
  const blocks: [number, number][] = [];
  const seen = new Set<number>();
  for (let at = first; at !== 0 && !seen.has(at); ) {
    seen.add(at);
    const chunk = page(memory, at, pageSize);
    if (chunk === null) break;
    const order = chunk.getUint32(8, true);
    const count = Math.min(chunk.getUint32(12, true), (pageSize - 16) / 16);
    for (let index = 0; index < count; index++) {
      const start = chunk.getBigUint64(16 + index * 16, true);
      const bitmap = page(memory, Number(chunk.getBigUint64(24 + index * 16, true)), bitmapSize);
      for (let byte = 0; bitmap !== null && byte < bitmapSize; byte++)
        for (let bit = 0; bit < 8; bit++) {
          const address = start + BigInt(byte * 8 + bit) * BigInt(pageSize) * 2n ** BigInt(order);
          if (((bitmap.getUint8(byte) >> bit) & 1) === 1 && address < TOP) blocks.push([Number(address), order]);
        }
    }
    at = Number(chunk.getBigUint64(0, true));
  }
  return blocks;
}
