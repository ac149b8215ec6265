/**
 * Handovers of kernels that nobody described: layouts made up here, memory written by the project's own codec, BTF made from the same
 * layouts; and a real one, where its capture is at hand.
 */
import { describe, expect, it } from 'vitest';
import { khoKexecMetadata } from '../../abi/kexec-metadata/v1.js';
import { array, bits, cstring, nested, phys, struct, type Struct, u16, u32, u64 } from '../../abi/layout.js';
import { openBtf } from '../../src/compat/btf/btf.js';
import { contractsOfBtf } from '../../src/compat/btf-contracts.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import type { Finding } from '../../src/diagnosis/finding.js';
import { readContents } from '../../src/handover/contents.js';
import { type DecodedDump, decodeHandovers } from '../../src/handover/decode.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { about, FILES, fileSet, type Layouts, NEW, usual, vmalloc, write, type Written } from './foreign-kernel.js';
import { fires } from '../diagnosis/fires.js';

const idsOf = (found: readonly Finding[]): readonly string[] => found.map(({ rule }) => rule);
const memoryOf = ({ image }: Written) => bufferMemory([{ start: 0, bytes: image.bytes }]);

const decode = (written: Written): DecodedDump =>
  decodeHandovers({ memory: memoryOf(written), contracts: contractsOfBtf(openBtf(written.btf, 'made-up.BTF'), { source: 'made-up.BTF', trusted: true }) });

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
    for (const piece of readContents(first.decoded, memoryOf(written))) expect('bytes' in piece && [1, 2, 3].includes(piece.bytes[0] ?? 0)).toBe(true);
  expect(luo?.flbs?.map(({ count }) => count)).toEqual([BigInt(FILES + 1)]);
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
    [
      'renamed fields in their old places',
      {
        ser: withFields(usual.ser, { version: cstring(8, ''), update_number: u64(''), sessions_pa: phys(''), flbs_pa: phys('') }),
        file: withFields(usual.file, { compatible: cstring(48, ''), serialized_data: u64(''), id: u64('') }),
        block: withFields(usual.block, { next_pa: phys(''), nr: u64('') }),
        renamed: { version: 'compatible', update_number: 'liveupdate_num', serialized_data: 'data', id: 'token', next_pa: 'next', nr: 'count' },
      },
    ],
    [
      'renamed fields that moved with their neighbours',
      {
        file: withFields(usual.file, { compatible: cstring(64, ''), handle: u64(''), token: u64('') }),
        memfd: struct({
          name: 'memfd_luo_ser',
          ...about,
          fields: { version: u64(''), pos: u64(''), i_size: u64(''), seals: u32(''), flags: u32(''), count: u64(''), folios: nested(vmalloc, '') },
        }),
        folio: withFields(usual.folio, {
          word: bits(8, '', { frame: { width: 52, role: 'pfn', meaning: '' }, flags: { width: 12, role: 'flags', meaning: '' } }),
          index: u64(''),
        }),
        renamed: { handle: 'data', i_size: 'size', count: 'nr_folios', word: 'pfn_flags', frame: 'pfn' },
      },
    ],
    [
      'a version string behind a magic',
      { ser: withFields(usual.ser, { magic: u64(''), compatible: cstring(16, ''), sessions_pa: phys(''), flbs_pa: phys('') }) },
    ],
    ['blocks of two pages', { blockPages: 2 }],
    ['blocks of four pages with a longer header', { blockPages: 4, block: withFields(usual.block, { next: phys(''), prev: phys(''), count: u64('') }) }],
    ['a higher number', { luoString: 'luo-v10', memfdString: 'memfd-v12', khoString: 'kho-v5', flbString: 'liveupdate-test-flb-v3' }],
    [
      'metadata with more in it, memory blocks of another version',
      {
        metadata: {
          struct: withFields(khoKexecMetadata, { version: u32(''), kexec_count: u32(''), previous_release: cstring(128, ''), more: u64('') }),
          version: 2,
        },
        memblock: ['memblock-v2', 'reserve-mem-v2'],
      },
    ],
    ['a handler and an object of families nobody knows', { other: { compatible: 'acme-engine-v2', struct: usual.ser, values: {} }, flbString: 'acme-flb' }],
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
    const found = diagnose(dump, { log: null });
    fires('abi/unknown-version', idsOf(found));
    const [finding] = found.filter(({ rule }) => rule === 'abi/unknown-version');
    expect(finding?.message).toContain('luo-v6 (in the form of luo-v5), memfd-v3 (in the form of memfd-v2)');
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
    const found = diagnose(dump, { log: null });
    fires('compat/layout-changed', idsOf(found));
    const [finding] = found.filter(({ rule }) => rule === 'compat/layout-changed');
    expect(finding?.message).toContain('luo_file_ser.data is at 48 against 56');
  });

  it('is not read as its neighbour where no BTF is given', () => {
    const file = withFields(usual.file, { compatible: cstring(48, ''), data: u64(''), extra: u64(''), token: u64('') });
    const dump = decodeHandovers({ memory: memoryOf(write({ file })) });
    expect(dump.handovers[0]?.luo?.sessions).toBeNull();
    fires('abi/not-decoded', idsOf(diagnose(dump, { log: null })));
    // Of a root with other fields nothing but the string is believed: neither a number nor a size.
    const ser = withFields(usual.ser, { compatible: cstring(8, ''), flbs_pa: phys(''), features: u64(''), sessions_pa: phys(''), liveupdate_num: u64('') });
    const moved = decodeHandovers({ memory: memoryOf(write({ ser })) });
    expect(moved.handovers[0]?.luo?.liveupdateNumber).toBeNull();
    const worse = diagnose(moved, { log: null }).filter(({ severity }) => severity !== 'info');
    expect(idsOf(worse)).toEqual(['luo/version-unknown', 'abi/not-decoded']);
  });

  it('leaves open what its BTF does not lead to', () => {
    const file = withFields(usual.file, { compatible: cstring(48, ''), token: u64('') });
    const dump = decode(write({ file }));
    expect(dump.handovers[0]?.luo?.sessions?.map(({ unreadable }) => unreadable)).toEqual([true, true]);
    const said = diagnose(dump, { log: null }).filter(({ rule }) => rule === 'abi/not-decoded');
    expect(said[0]?.message).toContain('luo_file_ser.data');
  });

  it('says which fields it takes to be renamed, and which handlers are of no family', () => {
    const file = withFields(usual.file, { compatible: cstring(48, ''), serialized_data: u64(''), token: u64('') });
    const memfd = struct({
      name: 'memfd_luo_ser',
      ...about,
      fields: { mtime: u64(''), size: u64(''), seals: u32(''), flags: u32(''), nr_folios: u64(''), folios: nested(vmalloc, '') },
    });
    const dump = readsBack(
      write({
        file,
        memfd,
        renamed: { serialized_data: 'data' },
        other: { compatible: 'acme-engine-v2', struct: usual.ser, values: {} },
        flbString: 'acme-flb',
      }),
    );
    const [finding] = diagnose(dump, { log: null }).filter(({ rule }) => rule === 'abi/unknown-version');
    expect(finding?.message).toContain('luo_file_ser.data (serialized_data)');
    expect(finding?.message).toContain('"acme-engine-v2", "acme-flb"');
    // A field nobody needs that is gone is gone, whatever stands in its place.
    expect(finding?.message).toContain('it has no memfd_luo_ser.pos;');
    const [first] = dump.handovers[0]?.luo?.sessions?.[0]?.files ?? [];
    expect(first?.decoded?.kind === 'memfd' && first.decoded.pos).toBeNull();
  });
});
