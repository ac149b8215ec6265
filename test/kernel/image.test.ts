/** A kernel image without VMCOREINFO: tables laid out here as scripts/kallsyms.c writes them, found again in memory by their form alone. */
import { expect, it } from 'vitest';
import { kernelImages } from '../../src/kernel/image.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';

const IMAGE = 0x1200000;
const SIZE = 0x100000;
const TEXT = IMAGE;
const AT = { linux_banner: 0x40100, level2_kernel_pgt: 0x50000, init_top_pgt: 0x51000, __pgtable_l5_enabled: 0x52000, sme_me_mask: 0x52008, pte: 0x53000 };
const FILLERS = 400;

/** Tokens as kernels have them: one for each character in use, others of more letters. */
const TOKENS = Array.from({ length: 256 }, (_, code) => (code >= 33 && code < 127 ? String.fromCharCode(code) : `tok${code}_`));

interface Options {
  /** where level2_kernel_pgt says the image is, physical */
  readonly mapped?: number;
  readonly fiveLevels?: boolean;
  /** is it mapped in pages of 4 KiB? */
  readonly small?: boolean;
}

function image({ mapped = TEXT, fiveLevels = false, small = false }: Options = {}) {
  const bytes = new Uint8Array(SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from('Linux version 7.3.4 (root@vm) #1 SMP\n'), AT.linux_banner);
  // The 37th entry of 2 MiB: 0xffffffff84a00000.
  const entry = small ? IMAGE + AT.pte : mapped - (mapped % 0x200000);
  view.setBigUint64(AT.level2_kernel_pgt + 37 * 8, BigInt(entry) | (small ? 0x63n : 0x1e3n), true);
  if (small) for (let page = 0; page < 512; page++) view.setBigUint64(AT.pte + page * 8, BigInt(mapped - (mapped % 0x200000) + page * 4096) | 0x163n, true);
  view.setUint32(AT.__pgtable_l5_enabled, fiveLevels ? 1 : 0, true);
  const symbols: [string, number][] = [
    ['_stext', 0],
    ['linux_banner', AT.linux_banner],
    ['level2_kernel_pgt', AT.level2_kernel_pgt],
    ['init_top_pgt', AT.init_top_pgt],
  ];
  symbols.push(['__pgtable_l5_enabled', AT.__pgtable_l5_enabled], ['sme_me_mask', AT.sme_me_mask]);
  for (let filler = 0; filler < FILLERS; filler++) symbols.push([`filler_${filler}`, 0x60000 + filler * 16]);
  symbols.sort((a, b) => a[1] - b[1]);
  let at = 0x80004;
  const places = { count: at, names: at + 4, markers: 0, tokens: 0, index: 0, offsets: 0 };
  view.setUint32(at, symbols.length, true);
  at += 4;
  const markers: number[] = [];
  for (const [index, [name]] of symbols.entries()) {
    if (index % 256 === 0) markers.push(at - places.names);
    const text = Buffer.from(`T${name}`);
    bytes[at++] = text.length;
    bytes.set(text, at);
    at += text.length;
  }
  places.markers = at = Math.ceil(at / 4) * 4;
  for (const marker of markers) {
    view.setUint32(at, marker, true);
    at += 4;
  }
  places.tokens = at;
  const starts = TOKENS.map((token) => {
    const start = at - places.tokens;
    bytes.set(Buffer.from(`${token}\0`), at);
    at += token.length + 1;
    return start;
  });
  places.index = at = Math.ceil(at / 4) * 4;
  for (const start of starts) {
    view.setUint16(at, start, true);
    at += 2;
  }
  places.offsets = at;
  for (const [, address] of symbols) {
    view.setInt32(at, address - at, true);
    at += 4;
  }
  return {
    memory: bufferMemory([
      { start: 0, bytes: new Uint8Array(0x3000) },
      { start: IMAGE, bytes },
    ]),
    places,
  };
}

it.each([
  { fiveLevels: false, small: false },
  { fiveLevels: true, small: true },
])('%o', (options) => {
  const { memory, places } = image(options);
  const {
    images: [found, ...others],
    ended,
  } = kernelImages(memory, 8, () => false);
  expect(ended).toBeNull();
  expect(others).toEqual([]);
  expect(found).toMatchObject({ address: IMAGE + places.tokens, release: '7.3.4' });
  // 0xffffffff80000000 + 37 * 2 MiB, where the first 2 MiB of memory from 0x1200000 are.
  const virtual = (offset: number): string => (0xffffffff84a00000n + BigInt(offset)).toString(16);
  expect(Object.fromEntries(found?.vmcoreinfo ?? [])).toEqual({
    OSRELEASE: '7.3.4',
    PAGESIZE: '4096',
    'SYMBOL(_stext)': virtual(0),
    'SYMBOL(init_top_pgt)': virtual(AT.init_top_pgt),
    'SYMBOL(swapper_pg_dir)': virtual(AT.init_top_pgt),
    'SYMBOL(kallsyms_names)': virtual(places.names),
    'SYMBOL(kallsyms_num_syms)': virtual(places.count),
    'SYMBOL(kallsyms_token_table)': virtual(places.tokens),
    'SYMBOL(kallsyms_token_index)': virtual(places.index),
    'SYMBOL(kallsyms_offsets)': virtual(places.offsets),
    'NUMBER(phys_base)': `${IMAGE - 37 * 0x200000}`,
    'NUMBER(pgtable_l5_enabled)': options.fiveLevels ? '1' : '0',
    'NUMBER(sme_mask)': '0',
  });
});

it('an image that is mapped elsewhere (a guest’s), one that is handed over, and damaged tables are none', () => {
  expect(kernelImages(image({ mapped: 0x5000000 }).memory, 8, () => false).images).toEqual([]);
  expect(kernelImages(image().memory, 8, (address) => address >= IMAGE).images).toEqual([]);
  const { memory, places } = image();
  for (const at of [places.count + 1, places.names, places.markers + 4, places.tokens + 5, places.index + 100]) {
    const bytes = new Uint8Array(SIZE);
    memory.readInto(IMAGE, SIZE, bytes);
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    expect(kernelImages(bufferMemory([{ start: IMAGE, bytes }]), 8, () => false).images).toEqual([]);
  }
});

it('a memory full of what starts like tokens is looked at in a few places, not in each', () => {
  const bytes = new Uint8Array(Buffer.alloc(2 << 20, Buffer.from(Array.from({ length: 10 }, (_, digit) => `${digit}\0`).join(''), 'latin1')));
  const memory = bufferMemory([{ start: 0, bytes }]);
  let read = 0;
  const watched = {
    ...memory,
    readInto(at: number, length: number, into: Uint8Array, offset?: number) {
      read += length;
      return memory.readInto(at, length, into, offset);
    },
  };
  expect(kernelImages(watched, 8, () => false).images).toEqual([]);
  expect(read).toBeLessThan(4 * bytes.length);
  expect(kernelImages(watched, 8, () => true).images).toEqual([]);
});
