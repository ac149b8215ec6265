/** ELF cores: states of pages, overlaps, many program headers, notes, and what is refused. */
import { describe, expect, test } from 'vitest';
import { elf64Ehdr, elf64Shdr, PN_XNUM, PT_LOAD } from '../../abi/elf/elf64.js';
import { encodeInto } from '../../src/codec/encode.js';
import { offsetOf, sizeOf } from '../../src/codec/layout-table.js';
import { UserError } from '../../src/codec/user-error.js';
import { openDump } from '../../src/container/open.js';
import { readBytes } from '../../src/memory/memory.js';
import { concat, elfCore, fixture, note, page, refusal, scratchFolder } from './inputs.js';

const { fileOf, opened } = scratchFolder();

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('memory', () => {
  test('a page is present, excluded between ranges, and out of range behind the last', async () => {
    const dump = await opened(
      'two.elf',
      elfCore({
        segments: [
          { paddr: 0x1000, bytes: page(1) },
          { paddr: 0x5000, bytes: concat(page(5), page(6)) },
        ],
      }),
    );
    expect(dump.container).toBe('elf-core');
    expect(dump.arch).toBe('x86_64');
    expect(dump.memory.readable).toEqual([
      { start: 0x1000, end: 0x2000 },
      { start: 0x5000, end: 0x7000 },
    ]);
    expect([0, 0x1000, 0x1fff, 0x2000, 0x4fff, 0x6fff, 0x7000].map((at) => dump.memory.stateOf(at))).toEqual([
      'out-of-range',
      'present',
      'present',
      'excluded',
      'excluded',
      'present',
      'out-of-range',
    ]);
    expect(readBytes(dump.memory, 0x5ff0, 32)).toEqual({ ok: true, bytes: concat(page(5).subarray(0xff0), page(6).subarray(0, 16)) });
    expect(readBytes(dump.memory, 0x1ff8, 16)).toMatchObject({ ok: false, state: 'excluded', at: 0x2000, bytes: page(1).subarray(0xff8) });
    dump.close();
  });

  test('what p_memsz has beyond p_filesz is zeros', async () => {
    const dump = await opened('tail.elf', elfCore({ segments: [{ paddr: 0x1000, bytes: page(1), memsz: 0x3000 }] }));
    expect([0x1000, 0x2000, 0x3fff, 0x4000].map((at) => dump.memory.stateOf(at))).toEqual(['present', 'zero', 'zero', 'out-of-range']);
    expect(readBytes(dump.memory, 0x1ffc, 8)).toEqual({ ok: true, bytes: concat(page(1).subarray(0xffc), new Uint8Array(4)) });
    dump.close();
  });

  test('where the next range starts right behind such a tail, makedumpfile filtered it: not zeros, but excluded', async () => {
    const dump = await opened(
      'filtered.elf',
      elfCore({
        segments: [
          { paddr: 0x1000, bytes: page(1), memsz: 0x3000 },
          { paddr: 0x4000, bytes: page(4) },
        ],
      }),
    );
    expect([0x1000, 0x2000, 0x3000, 0x4000].map((at) => dump.memory.stateOf(at))).toEqual(['present', 'excluded', 'excluded', 'present']);
    expect(dump.evidence.join('\n')).toContain('makedumpfile -E');
    dump.close();
  });

  test('memory that QEMU has no bytes of (offset -1) is excluded', async () => {
    const none = { paddr: 0x8000, bytes: new Uint8Array(0), memsz: 0x1000, offset: 0xffffffffffffffffn };
    const dump = await opened('none.elf', elfCore({ segments: [{ paddr: 0x1000, bytes: page(1) }, none] }));
    expect(dump.memory.stateOf(0x8000)).toBe('excluded');
    dump.close();
  });

  test('of ranges that overlap the first holds', async () => {
    const segments = [
      { paddr: 0x2000, bytes: concat(page(2), page(3)) },
      { paddr: 0x1000, bytes: concat(page(11), page(12), page(13), page(14)) },
    ];
    const dump = await opened('overlap.elf', elfCore({ segments }));
    expect(dump.memory.readable).toEqual([{ start: 0x1000, end: 0x5000 }]);
    expect(readBytes(dump.memory, 0x1000, 0x4000)).toEqual({ ok: true, bytes: concat(page(11), page(2), page(3), page(14)) });
    dump.close();
  });

  test('more than 65534 program headers are counted by section header 0', async () => {
    const count = 66000;
    const segments = Array.from({ length: count }, (_, index) => ({ paddr: 0x1000 + index * 0x2000, bytes: Uint8Array.of(index & 255, index >> 8) }));
    const plain = elfCore({ segments, header: { e_phnum: PN_XNUM } });
    const core = concat(plain, new Uint8Array(sizeOf(elf64Shdr)));
    encodeInto(elf64Ehdr, { e_shoff: plain.length, e_shnum: 1 }, core, 0);
    encodeInto(elf64Shdr, { sh_info: count + 1 }, core, plain.length);
    const dump = await opened('xnum.elf', core);
    expect(dump.memory.readable).toHaveLength(count);
    expect(readBytes(dump.memory, 0x1000 + 65999 * 0x2000, 2)).toEqual({ ok: true, bytes: Uint8Array.of(65999 & 255, 65999 >> 8) });
    dump.close();
  });

  test('a large read crosses ranges and the block cache alike', async () => {
    const pages = Array.from({ length: 40 }, (_, index) => page(index));
    const dump = await opened(
      'large.elf',
      elfCore({
        segments: [
          { paddr: 0, bytes: concat(...pages.slice(20)) },
          { paddr: 20 * 4096, bytes: concat(...pages.slice(0, 20)) },
        ],
      }),
    );
    const expected = concat(...pages.slice(20), ...pages.slice(0, 20));
    expect(readBytes(dump.memory, 0, expected.length)).toEqual({ ok: true, bytes: expected });
    for (const at of [1, 4095, 32760, 32768, 81919]) expect(readBytes(dump.memory, at, 100)).toEqual({ ok: true, bytes: expected.subarray(at, at + 100) });
    dump.close();
  });

  test('a closed dump is not read', async () => {
    const dump = await opened('closed.elf', elfCore({ segments: [{ paddr: 0, bytes: page(1) }] }));
    dump.close();
    dump.close();
    expect(() => dump.memory.readInto(0, 8, new Uint8Array(8))).toThrow(UserError);
  });
});

describe('notes', () => {
  test('VMCOREINFO gives its lines and the page size', async () => {
    const notes = [
      note('CORE', 1, new Uint8Array(336)),
      note('QEMU', 0, new Uint8Array(5)),
      note('VMCOREINFO', 0, text('OSRELEASE=7.3.4\nPAGESIZE=16384\nKERNELOFFSET=0\n')),
    ];
    const dump = await opened('notes.elf', elfCore({ segments: [{ paddr: 0, bytes: page(1) }], notes }));
    expect(dump.vmcoreinfo?.get('OSRELEASE')).toBe('7.3.4');
    expect(dump.pageSizeFromDump).toBe(16384);
    expect(dump.memory.pageSize).toBe(16384);
    dump.close();
  });

  test('without it there is none, and a page size that no page has is not taken', async () => {
    const plain = await opened('plain.elf', elfCore({ segments: [{ paddr: 0, bytes: page(1) }] }));
    expect([plain.vmcoreinfo, plain.pageSizeFromDump, plain.memory.pageSize]).toEqual([null, null, 4096]);
    plain.close();
    const odd = await opened('odd.elf', elfCore({ segments: [{ paddr: 0, bytes: page(1) }], notes: [note('VMCOREINFO', 0, text('PAGESIZE=3\n'))] }));
    expect(odd.pageSizeFromDump).toBeNull();
    odd.close();
  });

  test('a real core: 6.18.15, its KHO FDT where an independent decoder found it', async () => {
    const dump = await openDump(fixture('handover-6.18-s1-frozen.sparse.elf.xz'));
    expect(dump.vmcoreinfo?.get('OSRELEASE')).toBe('6.18.15');
    expect(readBytes(dump.memory, 0x44af000, 4)).toEqual({ ok: true, bytes: Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed) });
    expect(dump.memory.stateOf(0x44b0000)).toBe('excluded');
    dump.close();
  });
});

describe('refused, with one line that says what and where', () => {
  const good = elfCore({ segments: [{ paddr: 0x1000, bytes: page(1) }] });
  const cases: readonly (readonly [name: string, bytes: Uint8Array, message: RegExp])[] = [
    ['cut inside the header', good.subarray(0, 40), /truncated ELF: 40 bytes, the header alone has 64/],
    ['cut inside the program headers', good.subarray(0, 100), /truncated ELF: the program headers need 176 bytes .* the file has 100/],
    ['cut inside the memory', good.subarray(0, 1000), new RegExp(`the memory in its PT_LOADs end at offset ${good.length}, the file at 1000`)],
    ['32-bit', elfCore({ ident: { ei_class: 1 }, segments: [] }), /class 1 \(offset 4\), not ELF64/],
    ['big-endian', elfCore({ ident: { ei_data: 2 }, segments: [] }), /big-endian ELF file \(offset 5\)/],
    ['no core', elfCore({ header: { e_type: 3 }, segments: [] }), /no core: e_type at offset 16 is 3/],
    ['without memory', elfCore({ segments: [] }), /without PT_LOAD/],
    ['program headers of another size', elfCore({ header: { e_phentsize: 32 }, segments: [] }), /e_phentsize at offset 54 is 32, not 56/],
    ['addresses that no machine has', elfCore({ segments: [{ paddr: 1n << 60n, bytes: page(1) }] }), /no PT_LOAD .* at an address that a machine has/],
    ['far more memory than the file', elfCore({ segments: [{ paddr: 0, bytes: page(1), memsz: 1n << 50n }] }), /name 1125899906842624 bytes of memory/],
    ['more program headers than a dump has', elfCore({ header: { e_phnum: PN_XNUM, e_shoff: 0 }, segments: [] }), /PN_XNUM/],
    [
      "a process's core",
      elfCore({
        segments: [
          { paddr: 0, bytes: page(1) },
          { paddr: 0, bytes: page(2) },
        ],
        notes: [note('CORE', 3, new Uint8Array(136))],
      }),
      /core of a process/,
    ],
  ];
  test.each(cases)('%s', async (name, bytes, message) => {
    const path = fileOf(`${name.replace(/[^a-z0-9]/g, '-')}.elf`, bytes);
    const line = await refusal(path);
    expect(line).toMatch(message);
    expect(line.startsWith(`${path}: `)).toBe(true);
    expect(line).not.toContain('\n');
  });

  test('notes cut short are told from memory cut short', async () => {
    const core = elfCore({ segments: [{ paddr: 0, bytes: new Uint8Array(0), memsz: 4096 }], notes: [note('VMCOREINFO', 0, text('PAGESIZE=4096\n'))] });
    expect(await refusal(fileOf('cut-notes.elf', core.subarray(0, core.length - 4)))).toMatch(/its notes end at offset/);
  });

  test('the constants of the contract are those of the header in use', () => {
    expect([offsetOf(elf64Ehdr, 'e_phoff'), offsetOf(elf64Ehdr, 'e_phnum'), PT_LOAD]).toEqual([32, 56, 1]);
  });
});
