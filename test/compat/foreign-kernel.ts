/** Handovers of kernels that nobody described: memory written by the project's own codec in any layouts, and the BTF of the same layouts. */
import { array, bits, cstring, nested, phys, struct, type Struct, u16, u32, u64 } from '../../abi/layout.js';
import { encodeStruct, type EncodableStruct } from '../../src/codec/encode.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import { cText, fdtBytes, Image, khoRoot, little, radixTree, setupData } from '../handover/synthetic/image.js';
import { structBtf } from './struct-btf.js';

export const about = { meaning: 'made up', source: 'this test' };

export interface Layouts {
  readonly ser?: Struct;
  readonly session?: Struct;
  readonly file?: Struct;
  readonly flbHeader?: Struct;
  readonly flb?: Struct;
  readonly block?: Struct;
  readonly memfd?: Struct;
  readonly folio?: Struct;
  readonly chunk?: Struct;
  readonly vmalloc?: Struct;
  readonly luoString?: string;
  readonly memfdString?: string;
  readonly khoString?: string;
  /** pages of a block of sessions or files; 1 unless given */
  readonly blockPages?: 1 | 2 | 4;
  readonly flbString?: string;
  /** fields by the name this kernel gives them, with the name they have in the layouts that are described */
  readonly renamed?: Readonly<Record<string, string>>;
  readonly metadata?: { readonly struct: Struct; readonly version: number };
  /** versions of the memblock subtree and of its regions */
  readonly memblock?: readonly [string, string];
  /** a file of this handler beside the memfds: its structure, and the values of it */
  readonly other?: { readonly compatible: string; readonly struct: Struct; readonly values: Record<string, number | bigint> };
}

export const fileSet = struct({ name: 'luo_file_set_ser', ...about, fields: { files: phys('files'), count: u64('count') } });
export const vmalloc = struct({
  name: 'kho_vmalloc',
  ...about,
  packed: false,
  fields: { first: phys('first'), total_pages: u32('pages'), flags: u16('flags'), order: u16('order') },
});

export const usual = {
  ser: struct({ name: 'luo_ser', ...about, fields: { compatible: cstring(8, ''), liveupdate_num: u64(''), sessions_pa: phys(''), flbs_pa: phys('') } }),
  session: struct({ name: 'luo_session_ser', ...about, fields: { name: cstring(64, ''), file_set_ser: nested(fileSet, '') } }),
  file: struct({ name: 'luo_file_ser', ...about, fields: { compatible: cstring(48, ''), data: u64(''), token: u64('') } }),
  flbHeader: struct({ name: 'luo_flb_header_ser', ...about, fields: { pgcnt: u64(''), count: u64('') } }),
  flb: struct({ name: 'luo_flb_ser', ...about, fields: { name: cstring(48, ''), data: u64(''), count: u64('') } }),
  block: struct({ name: 'kho_block_header_ser', ...about, fields: { next: phys(''), count: u64('') } }),
  folio: struct({
    name: 'memfd_luo_folio_ser',
    ...about,
    fields: { pfn_flags: bits(8, '', { pfn: { width: 52, role: 'pfn', meaning: '' }, flags: { width: 12, role: 'flags', meaning: '' } }), index: u64('') },
  }),
  chunk: struct({ name: 'kho_vmalloc_chunk', ...about, fields: { next: phys(''), phys: array(phys(''), 511, '') } }),
  vmalloc,
} satisfies Partial<Record<keyof Layouts, Struct>>;

const memfdOf = (inner: Struct): Struct =>
  struct({
    name: 'memfd_luo_ser',
    ...about,
    fields: { pos: u64(''), size: u64(''), seals: u32(''), flags: u32(''), nr_folios: u64(''), folios: nested(inner, '') },
  });

export interface Written {
  readonly image: Image;
  readonly btf: Uint8Array;
  /** of the folios of a file, by its token */
  readonly pages: ReadonlyMap<bigint, readonly number[]>;
}

/** Fields that `into` has not are left out: a kernel without them has nothing to write there. */
function put(image: Image, at: number, into: Struct, values: Record<string, unknown>, renamed: Readonly<Record<string, string>> = {}): void {
  image.put(at, encodeStruct(into, valuesFor(into, values, renamed) as EncodableStruct<Struct>));
}

function valuesFor(into: Struct, values: Record<string, unknown>, renamed: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(into.fields).flatMap(([name, type]) => {
      const value = values[name] ?? values[renamed[name] ?? ''];
      if (value === undefined) return [];
      return [
        [
          name,
          type.kind === 'nested'
            ? valuesFor(type.struct, value as Record<string, unknown>, renamed)
            : type.kind === 'bits'
              ? bitsFor(Object.keys(type.fields), value as Record<string, unknown>, renamed)
              : value,
        ],
      ];
    }),
  );
}

const bitsFor = (names: readonly string[], values: Record<string, unknown>, renamed: Readonly<Record<string, string>>): Record<string, unknown> =>
  Object.fromEntries(names.map((name) => [name, values[name] ?? values[renamed[name] ?? '']]));

export const FILES = 70;
export const NEW = 0x5a5a;

/** Two sessions, one of 70 memfds and one of a single file, and an FLB, in the layouts given. */
export function write(given: Layouts): Written {
  const renamed = given.renamed ?? {};
  const layouts = { ...usual, luoString: 'luo-v6', memfdString: 'memfd-v3', ...given };
  const inner = given.vmalloc ?? vmalloc;
  const memfd = given.memfd ?? memfdOf(inner);
  const image = new Image();
  const pages = new Map<bigint, readonly number[]>();
  const folioTable = (): { readonly table: number; readonly pages: readonly number[] } => {
    const folios = [image.alloc(0), image.alloc(1), image.alloc(0)];
    for (const [index, page] of folios.entries()) image.bytes.fill(index + 1, page, page + 4096 * (index === 1 ? 2 : 1));
    const table = image.alloc();
    for (const [entry, page] of folios.entries()) {
      const index = [0, 1, 3][entry] ?? 0;
      const place = { pfn_flags: { pfn: page / 4096, flags: 3 }, pfn: page / 4096, flags: 3, index };
      put(image, table + entry * sizeOf(layouts.folio), layouts.folio, { ...place, more: NEW }, renamed);
    }
    return { table, pages: folios };
  };
  const file = (token: number): Record<string, unknown> => {
    const data = image.alloc();
    const made = folioTable();
    pages.set(BigInt(token), made.pages);
    const chunk = image.alloc();
    put(image, chunk, layouts.chunk, { hdr: { next: 0 }, next: 0, phys: [made.table], magic: NEW }, renamed);
    const area = { first: chunk, total_pages: 1, flags: 1, order: 0, owner: NEW };
    put(image, data, memfd, { pos: 7, size: 4 * 4096 - 5, seals: 6, flags: 0, nr_folios: 3, folios: area, mtime: NEW }, renamed);
    return { compatible: layouts.memfdString, data, token, flags: 1, owner: NEW, extra: NEW, where: data };
  };
  const chain = (entry: Struct, items: readonly Record<string, unknown>[]): number => {
    const pages = given.blockPages ?? 1;
    const capacity = Math.floor((4096 * pages - sizeOf(layouts.block)) / sizeOf(entry));
    const blocks = Array.from({ length: Math.ceil(items.length / capacity) }, () => image.alloc(Math.log2(pages)));
    for (const [index, block] of blocks.entries()) {
      const part = items.slice(index * capacity, (index + 1) * capacity);
      put(image, block, layouts.block, { next: blocks[index + 1] ?? 0, prev: blocks[index - 1] ?? 0, count: part.length, magic: NEW }, renamed);
      for (const [place, item] of part.entries()) put(image, block + sizeOf(layouts.block) + place * sizeOf(entry), entry, item, renamed);
    }
    return blocks[0] ?? 0;
  };
  const single = ((): Record<string, unknown> => {
    if (given.other === undefined) return file(0x99);
    const data = image.alloc();
    put(image, data, given.other.struct, given.other.values, renamed);
    return { compatible: given.other.compatible, data, token: 0x99 };
  })();
  const sessions = [
    { name: 'one', files: Array.from({ length: FILES }, (_, index) => file(index + 1)) },
    { name: 'two', files: [single] },
  ].map(({ name, files }) => {
    const set = { files: chain(layouts.file, files), count: files.length };
    return { name, file_set_ser: set, ...set, generation: NEW };
  });
  const flbs = image.alloc();
  put(image, flbs, layouts.flbHeader, { pgcnt: 1, count: 1 }, renamed);
  put(
    image,
    flbs + sizeOf(layouts.flbHeader),
    layouts.flb,
    { name: given.flbString ?? 'liveupdate-test-flb-v0', data: 0xfeedf00dcafebee0n, count: FILES + 1, flags: NEW },
    renamed,
  );
  const root = image.alloc();
  put(
    image,
    root,
    layouts.ser,
    {
      compatible: layouts.luoString,
      liveupdate_num: 1,
      sessions_pa: chain(layouts.session, sessions),
      flbs_pa: flbs,
      features: NEW,
    },
    renamed,
  );
  const fdt = image.alloc();
  const subtrees = [{ name: 'LUO', address: root, size: sizeOf(layouts.ser) }];
  if (given.metadata !== undefined) {
    const at = image.alloc();
    put(image, at, given.metadata.struct, { version: given.metadata.version, previous_release: '7.9.1', kexec_count: 3, more: NEW }, renamed);
    subtrees.push({ name: 'kexec-metadata', address: at, size: sizeOf(given.metadata.struct) });
  }
  if (given.memblock !== undefined) {
    const at = image.alloc();
    const region = { name: 'trace', properties: { compatible: cText(given.memblock[1]), start: little(8, image.alloc(2)), size: little(8, 4 * 4096) } };
    const blob = fdtBytes({ properties: { compatible: cText(given.memblock[0]) }, children: [region] });
    image.put(at, blob);
    subtrees.push({ name: 'memblock', address: at, size: blob.length });
  }
  khoRoot(image, given.khoString ?? 'kho-v4', radixTree(image), subtrees, fdt);
  setupData(image, fdt, [[0x80000, 0x40000]]);
  const structs = [layouts.ser, layouts.session, layouts.file, layouts.flbHeader, layouts.flb, layouts.block, memfd, layouts.folio, layouts.chunk];
  const others = [given.other?.struct, given.metadata?.struct].filter((one) => one !== undefined);
  return { image, btf: structBtf([...structs, ...others]), pages };
}
