/** kallsyms in both forms: offsets from a base (up to 6.19) and from where they stand (later); tables written here as scripts/kallsyms.c writes them. */
import { describe, expect, it } from 'vitest';
import { x86Geometry } from '../../src/kernel/geometry.js';
import { readKallsyms } from '../../src/kernel/kallsyms.js';
import { VirtualMemory } from '../../src/kernel/virtual-memory.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';

const BASE = 0xffffffff81000000n;
const AT = { names: 0x1000, count: 0x800, tokenTable: 0x40000, tokenIndex: 0x41000, offsets: 0x42000, base: 0x900 };
const LONG = `a_${'very_'.repeat(40)}long_name`;
const SYMBOLS = [
  ['_stext', 0x0],
  ['do_exit', 0x100],
  ['luo_session_open', 0x240],
  [LONG, 0x400],
  ['init_task', 0x100000],
  ['is_deserialized.7', 0x100400],
  ['is_deserialized_not', 0x100500],
  ['luo_session_global', 0x100800],
] as const;

function image(relative: boolean): VirtualMemory {
  const bytes = new Uint8Array(0x50000);
  const view = new DataView(bytes.buffer);
  // Single characters stand for themselves; a few tokens for several.
  const tokens = Array.from({ length: 256 }, (_, code) => (code >= 33 && code < 127 ? String.fromCharCode(code) : ''));
  tokens[200] = 'session_';
  tokens[201] = 'luo_';
  tokens[202] = 'very_';
  let at = AT.tokenTable;
  for (const [token, text] of tokens.entries()) {
    view.setUint16(AT.tokenIndex + token * 2, at - AT.tokenTable, true);
    bytes.set(Buffer.from(`${text}\0`), at);
    at += text.length + 1;
  }
  let name = AT.names;
  for (const [index, [text, offset]] of SYMBOLS.entries()) {
    const code = [
      ...`T${text}`
        .replaceAll('session_', '\u00c8')
        .replaceAll('luo_', '\u00c9')
        .replace(/very_/g, text === LONG ? 'very_' : '\u00ca'),
    ].map((letter) => letter.charCodeAt(0));
    if (code.length < 128) bytes[name++] = code.length;
    else {
      bytes[name++] = 0x80 | (code.length & 0x7f);
      bytes[name++] = code.length >> 7;
    }
    bytes.set(code, name);
    name += code.length;
    const place = AT.offsets + index * 4;
    if (relative) view.setInt32(place, offset - place, true);
    else view.setUint32(place, offset, true);
  }
  view.setUint32(AT.count, SYMBOLS.length, true);
  view.setBigUint64(AT.base, BASE, true);
  const space = { geometry: x86Geometry(4, 0n), root: null, linear: [{ start: BASE, end: BASE + 0x50000n, offset: BASE }] };
  return new VirtualMemory(bufferMemory([{ start: 0, bytes }]), space);
}

const places = (relative: boolean) => ({
  names: BASE + BigInt(AT.names),
  count: BASE + BigInt(AT.count),
  tokenTable: BASE + BigInt(AT.tokenTable),
  tokenIndex: BASE + BigInt(AT.tokenIndex),
  offsets: BASE + BigInt(AT.offsets),
  relativeBase: relative ? null : BASE + BigInt(AT.base),
});

describe.each([true, false])('offsets from where they stand: %s', (relative) => {
  const table = readKallsyms(image(relative), places(relative));

  it('names and addresses', () => {
    for (const [name, offset] of SYMBOLS) expect(table.find(name)).toEqual([{ name, address: BASE + BigInt(offset) }]);
    expect(table.find('nobody')).toEqual([]);
    expect(table.count).toBe(SYMBOLS.length);
    expect(table.hasData).toBe(true);
  });

  it('static variables of functions, without their number', () => {
    expect(table.findNumbered('is_deserialized').map(({ name }) => name)).toEqual(['is_deserialized.7']);
  });

  it('the symbol before an address', () => {
    expect(table.nearest(BASE + 0x123n)?.name).toBe('do_exit');
    expect(table.nearest(BASE - 1n)).toBeNull();
    expect(table.nearest(BASE + 0x300000n)).toBeNull();
  });
});

it('says which page a table lacks', () => {
  const space = { geometry: x86Geometry(4, 0n), root: null, linear: [{ start: BASE, end: BASE + 0x50000n, offset: BASE }] };
  const empty = new VirtualMemory(bufferMemory([{ start: 0, bytes: new Uint8Array(4096) }]), space);
  expect(() => readKallsyms(empty, places(true))).toThrow(/kallsyms_num_syms .* is 0/);
  const none = new VirtualMemory(bufferMemory([]), space);
  expect(() => readKallsyms(none, places(true))).toThrow(/the page at 0x0 .* outside the memory of this dump/);
});
