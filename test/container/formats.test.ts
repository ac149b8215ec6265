/** LiME, raw memory, bare FDTs, compressed files, and everything that is no dump. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { limeHeader } from '../../abi/lime/v1.js';
import { ustarHeader } from '../../abi/tar/ustar.js';
import { buildFdt } from '../../src/codec/fdt.js';
import { encodeStruct } from '../../src/codec/encode.js';
import { openDump } from '../../src/container/open.js';
import { bufferSource } from '../../src/container/byte-source.js';
import { tarFiles } from '../../src/container/tar-files.js';
import { readBytes } from '../../src/memory/memory.js';
import { concat, elfCore, fixture, page, refusal, scratchFolder } from './inputs.js';

const { fileOf, opened, temporary } = scratchFolder();

const ascii = (value: string): Uint8Array => new TextEncoder().encode(value);
const khoFdt = buildFdt({
  name: '',
  properties: [
    ['compatible', ascii('kho-v4\0')],
    ['preserved-memory-map', new Uint8Array(8)],
  ],
  children: [],
});

describe('tar', () => {
  const long = `${'d'.repeat(90)}/${'e'.repeat(60)}/fdt`;

  test.each(['ustar', 'pax', 'gnu'])('paths longer than a name field, as tar --format=%s writes them', (format) => {
    mkdirSync(temporary(`${format}/${long}`).replace(/\/fdt$/, ''), { recursive: true });
    fileOf(`${format}/${long}`, khoFdt);
    const packed = execFileSync('tar', [`--format=${format}`, '-C', temporary(format), '-c', '.']);
    expect(tarFiles(bufferSource('x.tar', packed)).read(`/${long}`)).toEqual(khoFdt);
  });

  const member = (name: string, typeflag = '0', data: Uint8Array = new Uint8Array(0), size = data.length): Uint8Array => {
    const header = { name, typeflag, size: size.toString(8), magic: 'ustar' };
    const bytes = concat(encodeStruct(ustarHeader, header), data);
    return concat(bytes, new Uint8Array((512 - (bytes.length % 512)) % 512));
  };

  test('members that cost far more than they hold end it: names for every member, folders without end, a size below 0', () => {
    const open = (...members: readonly Uint8Array[]): string[] => [...tarFiles(bufferSource('x.tar', concat(...members, new Uint8Array(1024)))).list('/')];
    expect(open(member('g', 'g', ascii('6 a=b\n'.repeat(1000))), member('f'))).toEqual(['f']);
    expect(() => open(member('g', 'x', ascii('6 a=b\n'.repeat(10_000))), member('f'))).toThrow(/header of 60000 bytes before a member at offset 0/);
    const deep = Array.from({ length: 1500 }, (_, index) => member(`${index}${'/a'.repeat(47)}`));
    expect(() => open(...deep)).toThrow(/more than 65536 folders/);
    expect(() => open(member('f', '0', new Uint8Array(0), -512))).toThrow(/no size at offset 124/);
    expect(() => open(member('f', '0', new Uint8Array(0), 5120))).toThrow(/5120 bytes of contents, 1024 are left/);
  });

  test.each([512, 1024, 1100])('cut at %i, after a whole member or within a header, it is refused', (size) => {
    const whole = concat(member('f'), member('g'), member('h'), new Uint8Array(1024));
    expect(() => tarFiles(bufferSource('x.tar', whole.subarray(0, size)))).toThrow(/x\.tar: a damaged tar archive: cut short at offset \d+; copy it again/);
  });
});

describe('LiME', () => {
  const range = (start: number, bytes: Uint8Array): Uint8Array =>
    concat(encodeStruct(limeHeader, { magic: 0x4c694d45, version: 1, s_addr: start, e_addr: start + bytes.length - 1 }), bytes);

  test('ranges stand where their headers say', async () => {
    const dump = await opened('two.lime', concat(range(0x1000, page(1)), range(0x100000, concat(page(2), page(3)))));
    expect(dump.container).toBe('lime');
    expect(dump.memory.readable).toEqual([
      { start: 0x1000, end: 0x2000 },
      { start: 0x100000, end: 0x102000 },
    ]);
    expect(readBytes(dump.memory, 0x101000, 4096)).toEqual({ ok: true, bytes: page(3) });
    expect([0x2000, 0x102000].map((at) => dump.memory.stateOf(at))).toEqual(['excluded', 'out-of-range']);
    dump.close();
  });

  test('refused: a range cut short, a damaged header, a range that is none', async () => {
    const whole = concat(range(0x1000, page(1)), range(0x5000, page(2)));
    expect(await refusal(fileOf('cut.lime', whole.subarray(0, 8000)))).toMatch(/the range at offset 4128 ends at offset 8256, the file at 8000/);
    expect(await refusal(fileOf('head.lime', whole.subarray(0, 4140)))).toMatch(/a range header at offset 4128 needs 32 bytes, 12 are left/);
    const damaged = whole.slice();
    damaged[4128] = 0;
    expect(await refusal(fileOf('magic.lime', damaged))).toMatch(/no LiME range header of version 1 at offset 4128/);
    const backwards = concat(encodeStruct(limeHeader, { magic: 0x4c694d45, version: 1, s_addr: 9, e_addr: 3 }), page(1));
    expect(await refusal(fileOf('backwards.lime', backwards))).toMatch(/names no range \(0x9 to 0x3\)/);
  });
});

describe('raw memory', () => {
  test('byte n of the file is byte n of memory', async () => {
    const dump = await opened('three.raw', concat(new Uint8Array(4096), page(1), page(2)));
    expect(dump.container).toBe('raw');
    expect(readBytes(dump.memory, 0x1000, 0x2000)).toEqual({ ok: true, bytes: concat(page(1), page(2)) });
    expect([0, 0x2fff, 0x3000].map((at) => dump.memory.stateOf(at))).toEqual(['present', 'present', 'out-of-range']);
    dump.close();
  });
});

describe('bare FDT', () => {
  test("a KHO root FDT comes as a handover's file, with no memory", async () => {
    const dump = await opened('fdt', khoFdt);
    expect(dump.container).toBe('kho-fdt');
    expect(dump.handoverFiles).toEqual([{ role: null, fdt: khoFdt, fdtAddress: null, scratch: null, subtrees: [], truncated: false }]);
    expect(dump.memory.readable).toEqual([]);
    expect(dump.memory.stateOf(0x1000)).toBe('excluded');
    dump.close();
  });

  test('the page it stands in is as good', async () => {
    const dump = await opened('fdt-page', concat(khoFdt, new Uint8Array(4096 - khoFdt.length)));
    expect(dump.handoverFiles[0]?.fdt).toEqual(khoFdt);
    dump.close();
  });

  test("refused: cut short, another's, without a name", async () => {
    expect(await refusal(fileOf('cut-fdt', khoFdt.subarray(0, 60)))).toMatch(
      new RegExp(`FDT cut short: totalsize at offset 4 is ${khoFdt.length}, the file has 60 bytes`),
    );
    expect(await refusal(fileOf('head-fdt', khoFdt.subarray(0, 20)))).toMatch(/FDT cut short: 20 bytes/);
    expect(await refusal(fixture('handover-7.3-s2-boot-kho/in/sub_fdts/memblock'))).toMatch(/compatible with "memblock-v1"/);
    expect(await refusal(fileOf('nameless', buildFdt({ name: '', properties: [], children: [] })))).toMatch(/no compatible string/);
  });
});

describe('compressed', () => {
  test.each(['handover-6.18-s1-frozen.sparse.elf.xz', 'handover-6.18-s1-frozen.sparse.elf.zst'])('%s is unpacked', async (name) => {
    const dump = await openDump(fixture(name));
    expect([dump.container, dump.bytes, dump.vmcoreinfo?.get('OSRELEASE')]).toEqual(['elf-core', 98304, '6.18.15']);
    dump.close();
  });

  test('gzip, also of several members and twice', async () => {
    const core = elfCore({ segments: [{ paddr: 0, bytes: page(1) }] });
    const twice = gzipSync(concat(gzipSync(core.subarray(0, 300)), gzipSync(core.subarray(300))));
    const dump = await opened('twice.gz', twice);
    expect(readBytes(dump.memory, 0, 4096)).toEqual({ ok: true, bytes: page(1) });
    dump.close();
  });

  test('xz of several streams, with padding between and behind them', async () => {
    const stream = readFileSync(fixture('handover-6.18-s1-frozen.sparse.elf.xz'));
    const zeros = (count: number): Uint8Array => new Uint8Array(count);
    // Three cores in a row: opened as the first, as long as all.
    const dump = await opened('streams.xz', concat(stream, zeros(8), stream, stream, zeros(4)));
    expect(dump.bytes).toBe(3 * 98304);
    dump.close();
  });

  test('more than fits into memory goes through a temporary file', async () => {
    const pages = Array.from({ length: 256 }, (_, index) => Buffer.alloc(1 << 18, page(index, 64)));
    const dump = await opened('large.raw.gz', gzipSync(concat(...pages), { level: 1 }));
    expect(dump.bytes).toBe(64 << 20);
    const read = readBytes(dump.memory, 200 << 18, 1 << 18);
    expect(read.ok && pages[200]?.equals(read.bytes)).toBe(true);
    dump.close();
  });

  const packed = [
    { kind: 'gzip', bytes: gzipSync(concat(...Array.from({ length: 8 }, (_, index) => page(index)))), cut: /the gzip stream is cut short/ },
    { kind: 'xz', name: 'sixteen-pages.elf.xz', cut: /the xz stream is cut short/ },
    { kind: 'zstd', name: 'handover-6.18-s1-frozen.sparse.elf.zst', cut: /the zstd stream is cut short or corrupt/ },
  ];
  test.each(packed)('$kind: cut short and corrupt are told', async ({ kind, bytes, name, cut }) => {
    const whole = bytes ?? readFileSync(fixture(name ?? ''));
    for (const size of [20, Math.floor(whole.length / 2), whole.length - 1]) expect(await refusal(fileOf(`cut.${kind}`, whole.subarray(0, size)))).toMatch(cut);
    const corrupt = Uint8Array.from(whole);
    corrupt[Math.floor(whole.length / 2)] = (corrupt[Math.floor(whole.length / 2)] ?? 0) ^ 0x10;
    expect(await refusal(fileOf(`corrupt.${kind}`, corrupt))).toMatch(new RegExp(`the ${kind} stream is (corrupt|cut short)`));
  });
});

describe('no dump', () => {
  const cases: readonly (readonly [string, Uint8Array | string, RegExp])[] = [
    ['empty', '', /empty: 0 bytes/],
    ['text', 'Linux version 7.3.4\n'.repeat(4096), /a text file from offset 0/],
    ['UTF-8 text', 'Grüße\n'.repeat(1000), /a text file/],
    ['odd size', concat(page(1), Uint8Array.of(1)), /not recognised: .* not 4097/],
    ['QEMU migration stream', concat(ascii('QEVM'), new Uint8Array(4092)), /QEMU migration stream .* use dump-guest-memory/],
    ['tar archive', concat(new Uint8Array(257), ascii('ustar'), new Uint8Array(4096 - 262)), /a tar archive/],
    ['compressed nothing', gzipSync(''), /empty: 0 bytes/],
    ['compressed text', gzipSync('hello\n'), /a text file/],
  ];
  test.each(cases)('%s', async (name, bytes, message) => {
    const path = fileOf(name.replaceAll(' ', '-'), bytes);
    const line = await refusal(path);
    expect(line).toMatch(message);
    expect(line.startsWith(`${path}: `)).toBe(true);
  });

  test('what is not there, or not a file', async () => {
    expect(await refusal(temporary('nowhere'))).toMatch(/cannot open: no such file or folder/);
    expect(await refusal(`${fileOf('a-file', 'x')}/in`)).toMatch(/a part of the path is not a folder/);
    expect(await refusal('/dev/null')).toMatch(/a device, not a file/);
  });

  test('a pipe with a path', async () => {
    const pipe = temporary('pipe');
    execFileSync('mkfifo', [pipe]);
    const path = fileOf('piped.elf.gz', gzipSync(elfCore({ segments: [{ paddr: 0x1000, bytes: page(1) }] })));
    const writer = spawn('sh', ['-c', 'cat "$0" > "$1"', path, pipe]);
    const dump = await openDump(pipe);
    expect(readBytes(dump.memory, 0x1000, 4096)).toEqual({ ok: true, bytes: page(1) });
    expect(dump.evidence).toContain('read from a pipe');
    dump.close();
    writer.kill();
  });

  // Root reads everything.
  if (process.getuid?.() !== 0)
    test('what may not be read', async () => {
      const path = fileOf('secret', page(1));
      chmodSync(path, 0);
      expect(await refusal(path)).toMatch(/permission denied/);
    });

  test('a folder with nothing in it, or with dumps in it', async () => {
    const folder = temporary('folder');
    mkdirSync(folder);
    expect(await refusal(folder)).toMatch(/an empty folder/);
    fileOf('folder/s1.sparse.elf.xz', 'x');
    expect(await refusal(folder)).toMatch(/give one dump in it, such as .*s1\.sparse\.elf\.xz/);
  });
});
