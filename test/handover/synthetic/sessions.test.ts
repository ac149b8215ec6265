/** Sessions, files and FLBs in numbers, names and versions that no capture has, written by hand and read as `report --json`. */
import { describe, expect, it } from 'vitest';
import { Image, cText, chunkChain, fdtBytes, khoRoot, little, setupData } from './image.js';
import { type FileSource, type SessionSource, blob, handOver, luoFdt, luoStruct, memfd } from './luo.js';
import { findingsAt, read } from './read.js';
import { fires } from '../../diagnosis/fires.js';

/** An FLB-like file no handler of a release knows: nothing is read behind its value. */
const opaque = (token: bigint): FileSource => ({ token, compatible: 'made-up-v1', data: token + 0x1000n });
const sessions = (count: number, files = 0): SessionSource[] =>
  Array.from({ length: count }, (_, index) => ({ name: `vm-${index}`, files: Array.from({ length: files }, (_, token) => opaque(BigInt(token))) }));

describe('blocks of 7.2 and later (51 sessions, 63 files a page of 4 KiB)', () => {
  it.each([1, 50, 51, 52, 102, 103, 1000])('%i sessions', async (count) => {
    const image = new Image();
    handOver(image, [luoStruct(image, sessions(count), { number: 7 })]);
    const [handover] = (await read(image)).at('handovers').list;
    expect(handover?.at('role').json).toBe('incoming');
    expect(handover?.at('luo', 'liveupdateNumber').json).toBe(7);
    expect(handover?.at('luo', 'sessions').list.map((session) => session.at('name').json)).toEqual(sessions(count).map(({ name }) => name));
  });

  it.each([62, 63, 64, 126, 127, 700])('%i files in a session', async (count) => {
    const image = new Image();
    handOver(image, [luoStruct(image, [{ name: 'empty', files: [] }, ...sessions(1, count)])]);
    const report = await read(image);
    expect(report.at('handovers', 0, 'luo', 'sessions', 0).json).toMatchObject({ name: 'empty', files: [] });
    const files = report.at('handovers', 0, 'luo', 'sessions', 1, 'files').list;
    expect(files.map((file) => file.at('token').json)).toEqual(Array.from({ length: count }, (_, token) => `0x${token.toString(16)}`));
    expect(files.map((file) => file.at('data').json)).toEqual(Array.from({ length: count }, (_, token) => `0x${(token + 0x1000).toString(16)}`));
  });

  it('51 sessions and the empty block that a refused duplicate name leaves: all are read, and the panic is foretold', async () => {
    const image = new Image();
    handOver(image, [luoStruct(image, sessions(51), { trailingBlock: true })]);
    const report = await read(image);
    expect(report.at('handovers', 0, 'luo', 'sessions').list.length).toBe(51);
    const findings = report
      .at('findings')
      .list.filter((finding) => finding.at('reaction', 'kind').json === 'panic' || finding.at('reaction', 'kind').json === 'open-fails');
    expect(findings.map((finding) => finding.at('message').text).join('\n')).toMatch(/count of the session block is 0/);
  });

  it.each([
    [16384, 204, 255],
    [65536, 819, 1023],
  ])('pages of %i bytes hold %i sessions and %i files', async (pageSize, perBlock, filesPerBlock) => {
    const image = new Image({ pageSize, size: 48 << 20 });
    const list = [...sessions(perBlock), ...sessions(1, filesPerBlock + 1).map((session) => ({ ...session, name: 'last' }))];
    handOver(image, [luoStruct(image, list)]);
    const report = await read(image);
    expect(report.at('source', 'pageSize').json).toBe(pageSize);
    const found = report.at('handovers', 0, 'luo', 'sessions').list;
    expect(found.length).toBe(perBlock + 1);
    expect(found.at(-1)?.at('files').list.length).toBe(filesPerBlock + 1);
  });
});

describe('contiguous areas of 6.19 to 7.1 (819 sessions, 128 files)', () => {
  it.each([1, 744, 819])('%i sessions', async (count) => {
    const image = new Image();
    handOver(image, [blob(image, 'LUO', luoFdt(image, sessions(count)), true)], { compatible: 'kho-v3' });
    const found = (await read(image)).at('handovers', 0, 'luo');
    expect(found.at('sessions').list.length).toBe(count);
    expect(found.at('sessions', count - 1, 'name').json).toBe(`vm-${count - 1}`);
  });

  it('128 files, and a session without any', async () => {
    const image = new Image();
    handOver(image, [blob(image, 'LUO', luoFdt(image, [...sessions(1, 128), { name: 'none', files: [] }]), true)], { compatible: 'kho-v3' });
    const found = (await read(image)).at('handovers', 0, 'luo', 'sessions');
    expect(found.at(0, 'files').list.length).toBe(128);
    expect(found.at(1).json).toMatchObject({ name: 'none', files: [] });
  });
});

describe('names', () => {
  const long = 'n'.repeat(63);
  const names = ['a/b', 'a%2Fb', 'a#2', 'line\nbreak', '\u001b[31m', 'Zürich', long, ' ', '..', 'a', 'a', 'a'];

  it('stay what they are, and are percent-encoded in paths', async () => {
    const image = new Image();
    handOver(image, [
      luoStruct(
        image,
        names.map((name) => ({ name, files: [opaque(5n), opaque(5n)] })),
      ),
    ]);
    const report = await read(image);
    expect(report.at('handovers', 0, 'luo', 'sessions').list.map((session) => session.at('name').json)).toEqual(names);
    const paths = new Set(report.at('findings').list.map((finding) => finding.at('path').text));
    for (const part of ['a%2Fb', 'a%252Fb', 'a%232', 'line%0Abreak', '%1B%5B31m', 'Z%C3%BCrich', long, '%20', '..', 'a', 'a#2', 'a#3'])
      for (const token of ['0x5', '0x5#2'])
        expect([...paths].some((path) => `${path}/`.startsWith(`incoming/luo/sessions/${part}/files/${token}/`))).toBe(true);
  });

  it('that are no UTF-8 come with their bytes', async () => {
    const image = new Image();
    const name = Uint8Array.of(0x76, 0xff, 0xc3, 0x28);
    handOver(image, [luoStruct(image, [{ name, files: [] }], { flbs: [{ name: 'flb', data: 0, count: 1 }] })]);
    const report = await read(image);
    expect(report.at('handovers', 0, 'luo', 'sessions', 0).json).toMatchObject({ name: 'v\ufffd\ufffd(', nameBytes: '76ffc328', files: [] });
    expect(report.at('handovers', 0, 'luo', 'flbs', 0, 'name').json).toBe('flb');
  });

  it('without a NUL, or empty, are found', async () => {
    const image = new Image();
    handOver(image, [
      luoStruct(image, [
        { name: 'x'.repeat(64), files: [] },
        { name: '', files: [] },
      ]),
    ]);
    const report = await read(image);
    expect(report.at('handovers', 0, 'luo', 'sessions', 0, 'name').json).toBe('x'.repeat(64));
    expect(report.at('handovers', 0, 'luo', 'sessions', 1, 'name').json).toBe('');
    expect(findingsAt(report, `incoming/luo/sessions/${'x'.repeat(64)}`).length).toBeGreaterThan(0);
  });
});

describe('numbers beyond 2^53 are text', () => {
  it('tokens, data, counts, live update number', async () => {
    const image = new Image();
    const file = { token: 0xffffffffffffffffn, compatible: 'made-up', data: 0x8000000000000000n };
    handOver(image, [luoStruct(image, [{ name: 's', files: [file] }], { number: 2n ** 63n, flbs: [{ name: 'f', data: 2n ** 64n - 1n, count: 2n ** 60n }] })]);
    const luo = (await read(image)).at('handovers', 0, 'luo');
    expect(luo.at('liveupdateNumber').json).toBe('0x8000000000000000');
    expect(luo.at('sessions', 0, 'files', 0).json).toMatchObject({
      token: '0xffffffffffffffff',
      compatible: 'made-up',
      data: '0x8000000000000000',
      decoded: null,
    });
    expect(luo.at('flbs', 0).json).toMatchObject({ name: 'f', data: '0xffffffffffffffff', count: '0x1000000000000000', decoded: null });
  });

  it('a blob-size', async () => {
    const image = new Image();
    const page = image.alloc();
    handOver(image, [luoStruct(image, []), { name: 'other', address: page, size: 2n ** 64n - 1n }]);
    const report = await read(image);
    expect(report.at('handovers', 0, 'kho', 'subtrees', 1, 'size').json).toBe('0xffffffffffffffff');
    expect(findingsAt(report, 'incoming/kho').length).toBeGreaterThan(0);
  });
});

describe('versions', () => {
  it.each(['luo-v5', 'luo-v5;block-v1', 'block-v1;luo-v5', 'luo-v5;block-v12;memfd-v2', 'luo-v15'])(
    'luo_ser of %s: its string moves what follows',
    async (compatible) => {
      const image = new Image();
      handOver(image, [luoStruct(image, sessions(3, 2), { compatible, number: 3, flbs: [{ name: 'f', data: 1, count: 2 }] })]);
      const luo = (await read(image)).at('handovers', 0, 'luo');
      expect(luo.at('compatible').json).toBe(compatible);
      expect(luo.at('liveupdateNumber').json).toBe(3);
      expect(luo.at('sessions').list.map((session) => session.at('files').list.length)).toEqual([2, 2, 2]);
      expect(luo.at('flbs', 0, 'count').json).toBe(2);
    },
  );

  it.each([
    ['luo-v3', 'pages', 'pages'],
    ['luo-v4', 'blocks', 'pages'],
  ] as const)('%s: sessions in %s, files in %s', async (compatible, first, second) => {
    const image = new Image();
    handOver(image, [luoStruct(image, sessions(60, 70), { compatible, form: { sessions: first, files: second } })]);
    const report = await read(image);
    const list = report.at('handovers', 0, 'luo', 'sessions').list;
    expect(list.map((session) => session.at('files').list.length)).toEqual(Array.from({ length: 60 }, () => 70));
    const rules = report.at('findings').list.map((finding) => finding.at('rule').text);
    fires('luo/version-unreleased', rules);
    expect(rules).not.toContain('luo/version-unknown');
  });

  it('luo-v2: an FDT that leads to a struct without a string', async () => {
    const image = new Image();
    const { address } = luoStruct(image, sessions(2, 3), { compatible: null, number: 4, form: { sessions: 'pages', files: 'pages' } });
    const fdt = blob(image, 'LUO', fdtBytes({ properties: { compatible: cText('luo-v2'), 'luo-abi-header': little(8, address) } }), false);
    handOver(image, [{ ...fdt, property: 'preserved-data' }], { compatible: 'kho-v2' });
    const report = await read(image);
    expect(report.at('handovers', 0, 'luo', 'compatible').json).toBe('luo-v2');
    expect(report.at('handovers', 0, 'luo', 'liveupdateNumber').json).toBe(4);
    expect(report.at('handovers', 0, 'luo', 'sessions').list.map((session) => session.at('files').list.length)).toEqual([3, 3]);
  });

  it('6.19: kho-v1 over chunks, no luo-flb node, memfd-v1 without seals', async () => {
    const image = new Image();
    const folio = image.alloc(0);
    const ser = memfd(image, { size: 100, pos: 9, seals: null, folios: [{ pfn: folio / 4096, index: 0, flags: 1 }] });
    const luo = blob(image, 'LUO', luoFdt(image, [{ name: 's', files: [{ token: 1n, compatible: 'memfd-v1', data: ser }] }]), false);
    const fdt = image.alloc();
    khoRoot(image, 'kho-v1', chunkChain(image), [luo], fdt);
    setupData(image, fdt, [[0x80000, 0x40000]]);
    const report = await read(image);
    const handover = report.at('handovers', 0);
    expect(handover.at('kho', 'subtrees', 0).json).toEqual({ name: 'LUO', address: `0x${luo.address.toString(16)}`, size: null, format: 'fdt' });
    expect(handover.at('luo', 'flbCompatible').json).toBeNull();
    expect(handover.at('luo', 'sessionCompatible').json).toBe('luo-session-v2');
    expect(handover.at('luo', 'sessions', 0, 'files', 0, 'decoded').json).toMatchObject({
      struct: 'memfd_luo_ser',
      pos: 9,
      size: 100,
      folios: { count: 1, runs: [{ index: 0, pfn: `0x${(folio / 4096).toString(16)}`, pages: 1, flags: '0x1' }] },
    });
  });

  it('a root of several strings', async () => {
    const image = new Image();
    handOver(image, [luoStruct(image, sessions(1))], { compatible: Uint8Array.from([...cText('kho-v4'), ...cText('radix-v1'), ...cText('vmalloc-v1')]) });
    const report = await read(image);
    expect(report.at('handovers', 0, 'kho', 'compatible').json).toBe('kho-v4');
    expect(report.at('handovers', 0, 'luo', 'sessions').list.length).toBe(1);
  });

  it('a root of strings joined by semicolons', async () => {
    const image = new Image();
    handOver(image, [luoStruct(image, sessions(1))], { compatible: 'kho-v4;radix-v1;vmalloc-v1' });
    const report = await read(image);
    expect(report.at('handovers', 0, 'kho', 'compatible').json).toBe('kho-v4;radix-v1;vmalloc-v1');
    expect(report.at('handovers', 0, 'kho', 'preserved', 'format').json).toBe('radix');
  });
});
