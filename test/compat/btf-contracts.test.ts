/**
 * Handovers of kernels that nobody described: layouts made up here, memory written by the project's own codec, BTF made from the same
 * layouts; and a real one, where its capture is at hand.
 */
import { describe, expect, it } from 'vitest';
import { array, bits, cstring, nested, phys, struct, type Struct, u16, u32, u64 } from '../../abi/layout.js';
import { encodeStruct, type EncodableStruct } from '../../src/codec/encode.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import { contractsOfBtfBytes } from '../../src/compat/btf-contracts.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { readContents } from '../../src/handover/contents.js';
import { type DecodedDump, decodeHandovers } from '../../src/handover/decode.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { Image, setupData, khoRoot, radixTree } from '../handover/synthetic/image.js';
import { structBtf } from './struct-btf.js';

const about = { meaning: 'made up', source: 'this test' };

interface Layouts {
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
  /** a file of this handler beside the memfds: its structure, and the values of it */
  readonly other?: { readonly compatible: string; readonly struct: Struct; readonly values: Record<string, number | bigint> };
}

const fileSet = struct({ name: 'luo_file_set_ser', ...about, fields: { files: phys('files'), count: u64('count') } });
const vmalloc = struct({
  name: 'kho_vmalloc',
  ...about,
  packed: false,
  fields: { first: phys('first'), total_pages: u32('pages'), flags: u16('flags'), order: u16('order') },
});

const usual = {
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

interface Written {
  readonly memory: PhysicalMemory;
  readonly btf: Uint8Array;
  /** of the folios of a file, by its token */
  readonly pages: ReadonlyMap<bigint, readonly number[]>;
}

/** Fields that `into` has not are left out: a kernel without them has nothing to write there. */
function put(image: Image, at: number, into: Struct, values: Record<string, unknown>): void {
  const known = Object.fromEntries(Object.entries(values).filter(([name]) => name in into.fields));
  image.put(at, encodeStruct(into, known as EncodableStruct<Struct>));
}

const FILES = 70;
const NEW = 0x5a5a;

/** Two sessions, one of 70 memfds and one of a single file, and an FLB, in the layouts given. */
function write(given: Layouts): Written {
  const layouts = { ...usual, luoString: 'luo-v6', memfdString: 'memfd-v3', ...given };
  const inner = given.vmalloc ?? vmalloc;
  const memfd = given.memfd ?? memfdOf(inner);
  const image = new Image();
  const pfnInBits = 'pfn_flags' in layouts.folio.fields;
  const pages = new Map<bigint, readonly number[]>();
  const folioTable = (): { readonly table: number; readonly pages: readonly number[] } => {
    const folios = [image.alloc(0), image.alloc(1), image.alloc(0)];
    for (const [index, page] of folios.entries()) image.bytes.fill(index + 1, page, page + 4096 * (index === 1 ? 2 : 1));
    const table = image.alloc();
    for (const [entry, page] of folios.entries()) {
      const index = [0, 1, 3][entry] ?? 0;
      const place = pfnInBits ? { pfn_flags: { pfn: page / 4096, flags: 3 }, index } : { pfn: page / 4096, flags: 3, index };
      put(image, table + entry * sizeOf(layouts.folio), layouts.folio, { ...place, more: NEW });
    }
    return { table, pages: folios };
  };
  const file = (token: number): Record<string, unknown> => {
    const data = image.alloc();
    const made = folioTable();
    pages.set(BigInt(token), made.pages);
    const chunk = image.alloc();
    put(image, chunk, layouts.chunk, { hdr: { next: 0 }, next: 0, phys: [made.table], magic: NEW });
    const area = Object.fromEntries(Object.entries({ first: chunk, total_pages: 1, flags: 1, order: 0, owner: NEW }).filter(([name]) => name in inner.fields));
    put(image, data, memfd, { pos: 7, size: 4 * 4096 - 5, seals: 6, flags: 0, nr_folios: 3, folios: area, mtime: NEW });
    return { compatible: layouts.memfdString, data, token, flags: 1, owner: NEW, extra: NEW, where: data };
  };
  const chain = (entry: Struct, items: readonly Record<string, unknown>[]): number => {
    const capacity = Math.floor((4096 - sizeOf(layouts.block)) / sizeOf(entry));
    const blocks = Array.from({ length: Math.ceil(items.length / capacity) }, () => image.alloc());
    for (const [index, block] of blocks.entries()) {
      const part = items.slice(index * capacity, (index + 1) * capacity);
      put(image, block, layouts.block, { next: blocks[index + 1] ?? 0, prev: blocks[index - 1] ?? 0, count: part.length, magic: NEW });
      for (const [place, item] of part.entries()) put(image, block + sizeOf(layouts.block) + place * sizeOf(entry), entry, item);
    }
    return blocks[0] ?? 0;
  };
  const single = ((): Record<string, unknown> => {
    if (given.other === undefined) return file(0x99);
    const data = image.alloc();
    put(image, data, given.other.struct, given.other.values);
    return { compatible: given.other.compatible, data, token: 0x99 };
  })();
  const sessions = [
    { name: 'one', files: Array.from({ length: FILES }, (_, index) => file(index + 1)) },
    { name: 'two', files: [single] },
  ].map(({ name, files }) => {
    const set = { files: chain(layouts.file, files), count: files.length };
    return { name, ...('file_set_ser' in layouts.session.fields ? { file_set_ser: set } : set), generation: NEW };
  });
  const flbs = image.alloc();
  put(image, flbs, layouts.flbHeader, { pgcnt: 1, count: 1 });
  put(image, flbs + sizeOf(layouts.flbHeader), layouts.flb, { name: 'liveupdate-test-flb-v0', data: 0xfeedf00dcafebee0n, count: FILES + 1, flags: NEW });
  const root = image.alloc();
  put(image, root, layouts.ser, {
    compatible: layouts.luoString,
    liveupdate_num: 1,
    sessions_pa: chain(layouts.session, sessions),
    flbs_pa: flbs,
    features: NEW,
  });
  const fdt = image.alloc();
  khoRoot(image, 'kho-v4', radixTree(image), [{ name: 'LUO', address: root, size: sizeOf(layouts.ser) }], fdt);
  setupData(image, fdt, [[0x80000, 0x40000]]);
  const structs = [layouts.ser, layouts.session, layouts.file, layouts.flbHeader, layouts.flb, layouts.block, memfd, layouts.folio, layouts.chunk];
  const others = given.other === undefined ? [] : [given.other.struct];
  return { memory: bufferMemory([{ start: 0, bytes: image.bytes }]), btf: structBtf([...structs, ...others]), pages };
}

const decode = ({ memory, btf }: Written): DecodedDump =>
  decodeHandovers({ memory, contracts: contractsOfBtfBytes(btf, { source: 'made-up.BTF', trusted: true }) });

/** Everything that was written is read, and only what `said` names is said. */
function readsBack(written: Written, said: readonly string[] = ['abi/unknown-version']): DecodedDump {
  const dump = decode(written);
  const luo = dump.handovers[0]?.luo;
  const sessions = luo?.sessions ?? [];
  expect(sessions.map(({ name, files }) => [name.text, files.length])).toEqual([
    ['one', FILES],
    ['two', 1],
  ]);
  expect(sessions[0]?.files.map(({ token }) => token)).toEqual(Array.from({ length: FILES }, (_, index) => BigInt(index + 1)));
  for (const { decoded, token } of sessions[0]?.files ?? []) {
    if (decoded?.kind !== 'memfd') throw new Error('a memfd is not decoded as one');
    expect(decoded.size).toBe(BigInt(4 * 4096 - 5));
    expect([...decoded.entries()].map(({ pfn, index }) => [pfn * 4096, index])).toEqual([
      [written.pages.get(token)?.[0], 0],
      [written.pages.get(token)?.[1], 1],
      [written.pages.get(token)?.[2], 3],
    ]);
  }
  const [first] = sessions[0]?.files ?? [];
  if (first?.decoded?.kind === 'memfd')
    for (const piece of readContents(first.decoded, written.memory)) expect('bytes' in piece && [1, 2, 3].includes(piece.bytes[0] ?? 0)).toBe(true);
  expect(luo?.flbs?.map(({ name, count }) => [name.text, count])).toEqual([['liveupdate-test-flb-v0', BigInt(FILES + 1)]]);
  const worse = diagnose(dump, { log: null }).filter(({ severity }) => severity !== 'info');
  expect(
    worse.map(({ rule, message }) => (said.includes(rule) ? rule : `${rule}: ${message}`)).filter((text, index, all) => all.indexOf(text) === index),
  ).toEqual(said);
  return dump;
}

const withFields = (base: Struct, fields: Struct['fields']): Struct => struct({ name: base.name, ...about, fields });

describe('a kernel nobody described', () => {
  it.each<[string, Layouts]>([
    ['the layouts that are described, under a new number', {}],
    [
      'luo_ser with a field more and others moved',
      { ser: withFields(usual.ser, { compatible: cstring(16, ''), flbs_pa: phys(''), features: u64(''), sessions_pa: phys(''), liveupdate_num: u32('') }) },
    ],
    ['luo_ser without the live update number', { ser: withFields(usual.ser, { compatible: cstring(8, ''), sessions_pa: phys(''), flbs_pa: phys('') }) }],
    [
      'a longer name, a generation, the file set first',
      { session: withFields(usual.session, { file_set_ser: nested(fileSet, ''), generation: u32(''), name: cstring(96, '') }) },
    ],
    ['file set dissolved, count narrower', { session: withFields(usual.session, { name: cstring(64, ''), files: phys(''), count: u32('') }) }],
    [
      'files with a token first and more behind',
      { file: withFields(usual.file, { token: u64(''), compatible: cstring(64, ''), flags: u32(''), owner: u32(''), data: u64('') }) },
    ],
    ['blocks with a magic and a link back', { block: withFields(usual.block, { magic: u32(''), count: u32(''), prev: phys(''), next: phys('') }) }],
    [
      'memfd_luo_ser mixed up',
      {
        memfd: struct({
          name: 'memfd_luo_ser',
          ...about,
          fields: { folios: nested(vmalloc, ''), mtime: u64(''), nr_folios: u32(''), seals: u64(''), size: u64(''), pos: u32('') },
        }),
      },
    ],
    [
      'memfd_luo_ser without seals, flags and position',
      { memfd: struct({ name: 'memfd_luo_ser', ...about, fields: { size: u64(''), nr_folios: u64(''), folios: nested(vmalloc, '') } }) },
    ],
    [
      'memfd_luo_ser that does not count its folios',
      { memfd: struct({ name: 'memfd_luo_ser', ...about, fields: { pos: u64(''), size: u64(''), folios: nested(vmalloc, '') } }) },
    ],
    [
      'folios of 24 bytes',
      {
        folio: withFields(usual.folio, {
          index: u64(''),
          more: u64(''),
          pfn_flags: bits(8, '', { flags: { width: 16, role: 'flags', meaning: '' }, pfn: { width: 48, role: 'pfn', meaning: '' } }),
        }),
      },
    ],
    [
      'folios with a wide pfn beside few flags',
      {
        folio: withFields(usual.folio, {
          pfn_flags: bits(8, '', { pfn: { width: 60, role: 'pfn', meaning: '' }, flags: { width: 4, role: 'flags', meaning: '' } }),
          index: u32(''),
        }),
      },
    ],
    ['folios without bit-fields', { folio: withFields(usual.folio, { flags: u32(''), index: u32(''), pfn: u64('') }) }],
    [
      'chunks with a head of their own',
      {
        chunk: struct({
          name: 'kho_vmalloc_chunk',
          ...about,
          fields: { hdr: nested(struct({ name: 'kho_vmalloc_hdr', ...about, fields: { next: phys('') } }), ''), phys: array(phys(''), 511, '') },
        }),
      },
    ],
    ['chunks with a magic before the list', { chunk: withFields(usual.chunk, { magic: u64(''), next: phys(''), phys: array(phys(''), 510, '') }) }],
    [
      'a larger descriptor of vmalloc areas',
      {
        vmalloc: struct({
          name: 'kho_vmalloc',
          ...about,
          fields: { owner: u64(''), total_pages: u64(''), first: phys(''), order: u16(''), flags: u16(''), pad: u32('') },
        }),
      },
    ],
    [
      'FLBs with more in them',
      {
        flbHeader: withFields(usual.flbHeader, { count: u64('') }),
        flb: withFields(usual.flb, { name: cstring(56, ''), count: u32(''), flags: u32(''), data: u64('') }),
      },
    ],
  ])('%s', (_, layouts) => {
    readsBack(write(layouts));
  });

  it('shows what is new, names what is gone', () => {
    const file = withFields(usual.file, { compatible: cstring(48, ''), data: u64(''), extra: u32(''), token: u64('') });
    const memfd = struct({ name: 'memfd_luo_ser', ...about, fields: { size: u64(''), mtime: u64(''), nr_folios: u64(''), folios: nested(vmalloc, '') } });
    const dump = readsBack(write({ file, memfd }));
    const [first] = dump.handovers[0]?.luo?.sessions?.[0]?.files ?? [];
    expect(first?.reading.integer('extra')).toBe(BigInt(NEW));
    expect(first?.decoded?.kind === 'memfd' && [first.decoded.pos, first.decoded.seals, first.decoded.reading.integer('mtime')]).toEqual([
      null,
      null,
      BigInt(NEW),
    ]);
    const [finding] = diagnose(dump, { log: null }).filter(({ rule }) => rule === 'abi/unknown-version');
    expect(finding?.message).toContain('luo-v6 (in the form of luo-v5) and memfd-v3 (in the form of memfd-v2)');
    for (const gone of ['memfd_luo_ser.pos', 'memfd_luo_ser.seals', 'memfd_luo_ser.flags']) expect(finding?.message).toContain(gone);
  });

  it('reads a device by its own layout', () => {
    const device = struct({ name: 'vfio_pci_core_device_ser', ...about, fields: { flags: u32(''), bdf: u16(''), domain: u32('') } });
    const dump = readsBack(write({ other: { compatible: 'vfio-pci-v7', struct: device, values: { flags: 1, bdf: 0x123, domain: 2 } } }));
    const decoded = dump.handovers[0]?.luo?.sessions?.[1]?.files[0]?.decoded;
    expect(decoded?.kind === 'struct' && [decoded.reading.integer('bdf'), decoded.reading.integer('domain'), decoded.contract.measured?.from]).toEqual([
      0x123n,
      2n,
      'btf',
    ]);
  });

  it('a known string over another layout: the BTF wins, and it is said', () => {
    const file = withFields(usual.file, { compatible: cstring(48, ''), token: u64(''), data: u64('') });
    const dump = readsBack(write({ file, luoString: 'luo-v5', memfdString: 'memfd-v2' }), ['compat/layout-changed']);
    const [finding] = diagnose(dump, { log: null }).filter(({ rule }) => rule === 'compat/layout-changed');
    expect(finding?.message).toContain('luo_file_ser.data stands at 48 against 56');
  });

  it('is not read as its neighbour where no BTF is given', () => {
    const file = withFields(usual.file, { compatible: cstring(48, ''), data: u64(''), extra: u64(''), token: u64('') });
    const dump = decodeHandovers({ memory: write({ file }).memory });
    expect(dump.handovers[0]?.luo?.sessions).toBeNull();
    expect(diagnose(dump, { log: null }).map(({ rule }) => rule)).toContain('abi/not-decoded');
  });

  it('leaves open what its BTF does not lead to', () => {
    const file = withFields(usual.file, { compatible: cstring(48, ''), where: u64(''), token: u64('') });
    const dump = decode(write({ file }));
    expect(dump.handovers[0]?.luo?.sessions?.map(({ unreadable }) => unreadable)).toEqual([true, true]);
    const said = diagnose(dump, { log: null }).filter(({ rule }) => rule === 'abi/not-decoded');
    expect(said[0]?.message).toContain('luo_file_ser.data');
  });
});
