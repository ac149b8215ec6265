/** What LUO and its users leave in memory, written at literal offsets; beside image.ts, for the same tests. */
import { type Image, type Subtree, cText, fdtBytes, khoRoot, little, radixTree, setupData } from './image.js';

export interface FileSource {
  readonly token: bigint;
  readonly compatible: string;
  readonly data: bigint | number;
}

export interface SessionSource {
  readonly name: string | Uint8Array;
  readonly files: readonly FileSource[];
  /** instead of the number of files */
  readonly count?: bigint;
}

export interface FlbSource {
  readonly name: string;
  readonly data: bigint | number;
  readonly count: bigint | number;
}

function putName(image: Image, at: number, size: number, name: string | Uint8Array): void {
  image.put(at, (typeof name === 'string' ? new TextEncoder().encode(name) : name).subarray(0, size));
}

function putFile(image: Image, at: number, file: FileSource): void {
  putName(image, at, 48, file.compatible);
  image.u64(at + 48, file.data);
  image.u64(at + 56, file.token);
}

/** A chain of blocks: 16 bytes of header, then entries. `trailing` links one more block, with a count of 0. Returns the first block. */
export function blockChain<T>(image: Image, items: readonly T[], entrySize: number, put: (at: number, item: T) => void, trailing = false): number {
  const capacity = Math.floor((image.pageSize - 16) / entrySize);
  const pages: number[] = [];
  for (let first = 0; first < items.length; first += capacity) {
    const page = image.alloc();
    pages.push(page);
    const part = items.slice(first, first + capacity);
    image.u64(page + 8, part.length);
    for (const [index, item] of part.entries()) put(page + 16 + index * entrySize, item);
  }
  if (trailing) pages.push(image.alloc());
  for (const [index, page] of pages.entries()) image.u64(page, pages[index + 1] ?? 0);
  return pages[0] ?? 0;
}

/** The FLB page: pgcnt, count, then entries of 64 bytes. */
function flbPage(image: Image, flbs: readonly FlbSource[]): number {
  const page = image.alloc();
  image.u64(page, 1);
  image.u64(page + 8, flbs.length);
  for (const [index, flb] of flbs.entries()) {
    const at = page + 16 + index * 64;
    putName(image, at, 48, flb.name);
    image.u64(at + 48, flb.data);
    image.u64(at + 56, flb.count);
  }
  return page;
}

interface LuoOptions {
  /** null: luo-v2, whose struct has no string */
  readonly compatible?: string | null;
  readonly number?: bigint | number;
  readonly flbs?: readonly FlbSource[];
  /** links a last session block without entries, as 7.2 and 7.3 do after a refused duplicate name */
  readonly trailingBlock?: boolean;
  readonly form?: { readonly sessions: 'blocks' | 'pages'; readonly files: 'blocks' | 'pages' };
}

function putSessions(
  image: Image,
  sessions: readonly SessionSource[],
  form: { sessions: 'blocks' | 'pages'; files: 'blocks' | 'pages' },
  trailing: boolean,
): number {
  const put = (at: number, session: SessionSource): void => {
    putName(image, at, 64, session.name);
    image.u64(at + 64, session.files.length === 0 ? 0 : putFiles(image, session.files, form.files));
    image.u64(at + 72, session.count ?? session.files.length);
  };
  if (form.sessions === 'blocks') return blockChain(image, sessions, 80, put, trailing);
  const area = image.alloc(4);
  image.u64(area, sessions.length);
  for (const [index, session] of sessions.entries()) put(area + 8 + index * 80, session);
  return area;
}

function putFiles(image: Image, files: readonly FileSource[], form: 'blocks' | 'pages'): number {
  if (form === 'blocks') return blockChain(image, files, 64, (at, file) => putFile(image, at, file));
  const area = image.alloc(1);
  for (const [index, file] of files.entries()) putFile(image, area + index * 64, file);
  return area;
}

/** struct luo_ser of 7.2 and later: the string in a field of its length rounded up to 8, then three u64. */
export function luoStruct(image: Image, sessions: readonly SessionSource[], options: LuoOptions = {}): Subtree {
  const text = options.compatible === null ? new Uint8Array(0) : cText(options.compatible ?? 'luo-v5');
  const field = Math.ceil(text.length / 8) * 8;
  const page = image.alloc();
  image.put(page, text);
  image.u64(page + field, options.number ?? 1);
  image.u64(
    page + field + 8,
    sessions.length === 0 ? 0 : putSessions(image, sessions, options.form ?? { sessions: 'blocks', files: 'blocks' }, options.trailingBlock ?? false),
  );
  image.u64(page + field + 16, options.flbs === undefined ? 0 : flbPage(image, options.flbs));
  return { name: 'LUO', address: page, size: field + 24 };
}

/** The LUO FDT of 6.19 (no luo-flb node unless FLBs are given) to 7.1. */
export function luoFdt(image: Image, sessions: readonly SessionSource[], options: LuoOptions = {}): Uint8Array {
  const area = putSessions(image, sessions, { sessions: 'pages', files: 'pages' }, false);
  const flb =
    options.flbs === undefined
      ? []
      : [{ name: 'luo-flb', properties: { compatible: cText('luo-flb-v1'), 'luo-flb-header': little(8, flbPage(image, options.flbs)) } }];
  return fdtBytes({
    properties: { compatible: cText(options.compatible ?? 'luo-v1'), 'liveupdate-number': little(8, options.number ?? 1) },
    children: [{ name: 'luo-session', properties: { compatible: cText('luo-session-v2'), 'luo-session-header': little(8, area) } }, ...flb],
  });
}

/** Puts a blob into a page of its own. `size`: record a blob-size? */
export function blob(image: Image, name: string, bytes: Uint8Array, size: boolean): Subtree {
  const page = image.alloc(Math.max(0, Math.ceil(Math.log2(bytes.length / image.pageSize))));
  image.put(page, bytes);
  return size ? { name, address: page, size: bytes.length } : { name, address: page };
}

/** Blocks that hold `bytes`, listed by chunks as kho_vmalloc does; returns the descriptor's 16 bytes. */
export function vmallocArea(image: Image, bytes: Uint8Array, order = 0): Uint8Array {
  const size = image.pageSize * 2 ** order;
  const perChunk = image.pageSize / 8 - 1;
  const blocks: number[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const block = image.alloc(order);
    image.put(block, bytes.subarray(at, at + size));
    blocks.push(block);
  }
  // An area that fills its chunks exactly has one more, which is empty.
  const chunks = Array.from({ length: Math.floor(blocks.length / perChunk) + 1 }, () => image.alloc());
  for (const [index, chunk] of chunks.entries()) {
    image.u64(chunk, chunks[index + 1] ?? 0);
    image.put(chunk + 8, little(8, ...blocks.slice(index * perChunk, (index + 1) * perChunk)));
  }
  const descriptor = new Uint8Array(16);
  descriptor.set(little(8, chunks[0] ?? 0), 0);
  descriptor.set(little(4, blocks.length * 2 ** order), 8);
  descriptor.set(little(2, order > 0 ? 3 : 1, order), 12);
  return descriptor;
}

export interface FolioSource {
  readonly pfn: bigint | number;
  readonly flags?: number;
  readonly index: bigint | number;
}

export interface MemfdSource {
  readonly size: bigint | number;
  readonly pos?: bigint | number;
  /** null: memfd-v1, which has neither seals nor flags */
  readonly seals?: number | null;
  readonly folios: readonly FolioSource[];
  readonly tableOrder?: number;
}

/** memfd_luo_ser with its folio table; returns its address. */
export function memfd(image: Image, source: MemfdSource): number {
  const page = image.alloc();
  const table = new Uint8Array(source.folios.length * 16);
  const view = new DataView(table.buffer);
  for (const [entry, { pfn, flags, index }] of source.folios.entries()) {
    view.setBigUint64(entry * 16, BigInt(pfn) | (BigInt(flags ?? 3) << 52n), true);
    view.setBigUint64(entry * 16 + 8, BigInt(index), true);
  }
  const seals = source.seals === undefined ? 0 : source.seals;
  const count = seals === null ? 16 : 24;
  image.u64(page, source.pos ?? 0);
  image.u64(page + 8, source.size);
  if (seals !== null) image.u32(page + 16, seals);
  image.u64(page + count, source.folios.length);
  if (source.folios.length > 0) image.put(page + count + 8, vmallocArea(image, table, source.tableOrder ?? 0));
  return page;
}

interface HandoverOptions {
  readonly compatible?: string | Uint8Array;
  readonly filled?: boolean;
  readonly areas?: readonly (readonly [number, number])[];
  readonly levels?: number;
}

/** Everything around the subtrees: radix tree, root FDT, setup_data node. Returns the address of the root FDT. */
export function handOver(image: Image, subtrees: readonly Subtree[], options: HandoverOptions = {}): number {
  const fdt = image.alloc();
  khoRoot(image, options.compatible ?? 'kho-v4', radixTree(image, options.levels), subtrees, fdt);
  setupData(image, fdt, options.areas ?? [[0x80000, 0x40000]], options.filled ?? true);
  return fdt;
}

/** kexec-metadata of 7.1 and later: 73 bytes, packed. */
export function metadata(image: Image, release: string, count: number): Subtree {
  const bytes = new Uint8Array(73);
  bytes.set(little(4, 1), 0);
  bytes.set(cText(release), 4);
  bytes.set(little(4, count), 69);
  return blob(image, 'kexec-metadata', bytes, true);
}
