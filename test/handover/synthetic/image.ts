/**
 * Physical memory written byte by byte, for dumps of shapes that no capture has. Offsets are literal, read off the kernels'
 * headers (include/linux/kho/abi, 6.18 to 7.3): nothing here comes from the layouts the decoder is built on.
 */

interface ImageOptions {
  /** bytes; 4096 unless given */
  readonly pageSize?: number;
  /** bytes; 16 MiB unless given */
  readonly size?: number;
}

interface FdtSource {
  readonly name?: string;
  readonly properties: Readonly<Record<string, Uint8Array>>;
  readonly children?: readonly FdtSource[];
}

const utf8 = new TextEncoder();

/** A NUL-terminated text. */
export const cText = (text: string): Uint8Array => utf8.encode(`${text}\0`);

/** Little-endian numbers of `size` bytes, one after the other. */
export function little(size: 2 | 4 | 8, ...values: readonly (number | bigint)[]): Uint8Array {
  const out = new Uint8Array(size * values.length);
  for (const [index, value] of values.entries())
    for (let byte = 0; byte < size; byte++) out[index * size + byte] = Number((BigInt(value) >> BigInt(8 * byte)) & 0xffn);
  return out;
}

/** Big-endian cells of 4 bytes. */
export const cells = (...values: readonly number[]): Uint8Array =>
  Uint8Array.from(values.flatMap((v) => [(v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255]));

export class Image {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly pageSize: number;
  readonly preserved: { readonly at: number; readonly order: number }[] = [];
  #next: number;

  constructor(options: ImageOptions = {}) {
    this.pageSize = options.pageSize ?? 4096;
    this.bytes = new Uint8Array(options.size ?? 4 << 20);
    this.view = new DataView(this.bytes.buffer);
    this.#next = 1 << 20;
  }

  /** Address of 2^order fresh pages, aligned to their size, marked as preserved unless told otherwise. */
  alloc(order = 0, preserve = true): number {
    const size = this.pageSize * 2 ** order;
    const at = Math.ceil(this.#next / size) * size;
    if (at + size > this.bytes.length) throw new Error('the image is too small');
    this.#next = at + size;
    if (preserve) this.preserve(at, order);
    return at;
  }

  preserve(at: number, order: number): void {
    this.preserved.push({ at, order });
  }

  u16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }
  u32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }
  u64(at: number, value: number | bigint): void {
    this.view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }
  put(at: number, bytes: Uint8Array | string): void {
    this.bytes.set(typeof bytes === 'string' ? utf8.encode(bytes) : bytes, at);
  }
}

/** A devicetree of version 17; strings behind the structure. */
export function fdtBytes(root: FdtSource): Uint8Array {
  const structure: number[] = [];
  const strings: number[] = [];
  const names = new Map<string, number>();
  const pad = (): void => {
    while (structure.length % 4 !== 0) structure.push(0);
  };
  const emit = (node: FdtSource): void => {
    structure.push(...cells(1), ...cText(node.name ?? ''));
    pad();
    for (const [name, value] of Object.entries(node.properties)) {
      if (!names.has(name)) {
        names.set(name, strings.length);
        strings.push(...cText(name));
      }
      structure.push(...cells(3, value.length, names.get(name) ?? 0), ...value);
      pad();
    }
    for (const child of node.children ?? []) emit(child);
    structure.push(...cells(2));
  };
  emit(root);
  structure.push(...cells(9));
  const structAt = 0x38;
  const stringsAt = structAt + structure.length;
  const head = cells(0xd00dfeed, stringsAt + strings.length, structAt, stringsAt, 0x28, 17, 16, 0, strings.length, structure.length);
  return Uint8Array.from([...head, ...new Uint8Array(16), ...structure, ...strings]);
}

/** Table and leaf widths of the radix tree at a page size, and how many levels it has. */
const LEVELS: Readonly<Record<number, number>> = { 4096: 6, 16384: 5, 65536: 4 };

/** The radix tree of 7.1 and later over everything preserved; returns its root. Its own pages are not preserved. */
export function radixTree(image: Image, levels = LEVELS[image.pageSize] ?? 6): number {
  const shift = Math.log2(image.pageSize);
  const root = image.alloc(0, false);
  for (const { at, order } of image.preserved) {
    const key = (1n << BigInt(64 - shift - order)) | (BigInt(at) >> BigInt(shift + order));
    let table = root;
    for (let level = levels - 1; level >= 1; level--) {
      const index = Number((key >> BigInt((level - 1) * (shift - 3) + shift + 3)) & ((1n << BigInt(shift - 3)) - 1n));
      let next = Number(image.view.getBigUint64(table + index * 8, true));
      if (next === 0) {
        next = image.alloc(0, false);
        image.u64(table + index * 8, next);
      }
      table = next;
    }
    const bit = Number(key & ((1n << BigInt(shift + 3)) - 1n));
    image.bytes[table + (bit >> 3)] = (image.bytes[table + (bit >> 3)] ?? 0) | (1 << (bit & 7));
  }
  return root;
}

export interface ChunkOptions {
  /** bytes of a bitmap: 512 up to 6.17.8, else a page */
  readonly bitmapBytes?: number;
  /** bitmaps in one chunk at most; as many as fit unless given */
  readonly perChunk?: number;
  /** orders that get an empty chunk */
  readonly emptyOrders?: readonly number[];
  /** added to the address of every bitmap, which is then no page of its own */
  readonly skew?: number;
}

/** The chain of chunks of 6.16 to 7.0 over everything preserved; returns its first chunk. */
export function chunkChain(image: Image, options: ChunkOptions = {}): number {
  const bitmapBytes = options.bitmapBytes ?? image.pageSize;
  const perChunk = options.perChunk ?? Math.floor((image.pageSize - 16) / 16);
  const orders = [...new Set([...image.preserved.map(({ order }) => order), ...(options.emptyOrders ?? [])])].sort((a, b) => a - b);
  const chunks: { at: number; order: number; bitmaps: [number, number][] }[] = [];
  for (const order of orders) {
    const block = image.pageSize * 2 ** order;
    const bitmaps = new Map<number, number>();
    for (const { at } of image.preserved.filter((item) => item.order === order).sort((a, b) => a.at - b.at)) {
      const span = bitmapBytes * 8 * block;
      const start = Math.floor(at / span) * span;
      const bitmap = bitmaps.get(start) ?? image.alloc(0, false) + (options.skew ?? 0);
      bitmaps.set(start, bitmap);
      const bit = (at - start) / block;
      image.bytes[bitmap + (bit >> 3)] = (image.bytes[bitmap + (bit >> 3)] ?? 0) | (1 << (bit & 7));
    }
    const entries = [...bitmaps];
    do chunks.push({ at: image.alloc(0, false), order, bitmaps: entries.splice(0, perChunk) });
    while (entries.length > 0);
  }
  for (const [index, { at, order, bitmaps }] of chunks.entries()) {
    image.u64(at, chunks[index + 1]?.at ?? 0);
    image.u32(at + 8, order);
    image.u32(at + 12, bitmaps.length);
    for (const [slot, [start, bitmap]] of bitmaps.entries()) {
      image.u64(at + 16 + slot * 16, start);
      image.u64(at + 24 + slot * 16, bitmap);
    }
  }
  return chunks[0]?.at ?? 0;
}

export interface Subtree {
  readonly name: string;
  readonly address: number | bigint;
  /** blob-size; none (and the property `fdt`) up to 7.0 */
  readonly size?: number | bigint;
  readonly property?: string;
}

/** The root FDT, in a preserved page of its own at `at`. `map`: value of preserved-memory-map. */
export function khoRoot(image: Image, compatible: string | Uint8Array, map: number | bigint, subtrees: readonly Subtree[], at: number): Uint8Array {
  const old = subtrees.every(({ size }) => size === undefined);
  const fdt = fdtBytes({
    properties: { compatible: typeof compatible === 'string' ? cText(compatible) : compatible, 'preserved-memory-map': little(8, map) },
    children: subtrees.map(({ name, address, size, property }) => {
      const pointer = { [property ?? (old ? 'fdt' : 'preserved-data')]: little(8, address) };
      return { name, properties: size === undefined ? pointer : { 'blob-size': little(8, size), ...pointer } };
    }),
  });
  image.put(at, fdt);
  return fdt;
}

/** x86: a setup_data node that names the FDT, and its scratch array; empty areas leave the array as zeros. */
export function setupData(image: Image, fdt: number, areas: readonly (readonly [number, number])[], filled = true): number {
  const page = image.alloc(0, false);
  const scratch = image.alloc(0, false);
  image.u32(page + 8, 10);
  image.u32(page + 12, 32);
  image.u64(page + 16, fdt);
  image.u64(page + 24, image.pageSize);
  image.u64(page + 32, scratch);
  image.u64(page + 40, areas.length * 16);
  if (filled)
    for (const [index, [start, size]] of areas.entries()) {
      image.u64(scratch + index * 16, start);
      image.u64(scratch + index * 16 + 8, size);
    }
  return page;
}

/** Where a machine's memory may end beyond the image: one page of zeros stands there, and what lies between is not in the dump. */
export const TOP = 2 ** 40;

/** An ELF core with one PT_LOAD a range (all of the memory unless given), and a VMCOREINFO note where `info` is given. */
export function elfCore(
  image: Image,
  info: Readonly<Record<string, string>> | null,
  machine = 62,
  ranges: readonly (readonly [number, number])[] = [[0, image.bytes.length]],
): Uint8Array {
  const text = utf8.encode(
    info === null
      ? ''
      : Object.entries(info)
          .map(([key, value]) => `${key}=${value}\n`)
          .join(''),
  );
  const note = info === null ? new Uint8Array(0) : new Uint8Array(12 + 12 + Math.ceil(text.length / 4) * 4);
  if (info !== null) {
    note.set(little(4, 11, text.length, 0), 0);
    note.set(utf8.encode('VMCOREINFO'), 12);
    note.set(text, 24);
  }
  const count = ranges.length + 1;
  const notesAt = 64 + 56 * count;
  let at = Math.ceil((notesAt + note.length) / 4096) * 4096;
  const out = new Uint8Array(at + ranges.reduce((sum, [start, end]) => sum + end - start, 0));
  const view = new DataView(out.buffer);
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], 0);
  view.setUint16(16, 4, true);
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, count, true);
  const header = (index: number, type: number, offset: number, address: number, size: number): void => {
    const base = 64 + 56 * index;
    view.setUint32(base, type, true);
    view.setBigUint64(base + 8, BigInt(offset), true);
    view.setBigUint64(base + 24, BigInt(address), true);
    view.setBigUint64(base + 32, BigInt(size), true);
    view.setBigUint64(base + 40, BigInt(size), true);
  };
  header(0, 4, notesAt, 0, note.length);
  out.set(note, notesAt);
  for (const [index, [start, end]] of ranges.entries()) {
    header(index + 1, 1, at, start, end - start);
    out.set(image.bytes.subarray(start, Math.min(end, image.bytes.length)), at);
    at += end - start;
  }
  return out;
}
