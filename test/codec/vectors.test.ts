/** Bytes worked out by hand, decoded and encoded: byte order, bit-fields, text, values beyond 2^53. */
import { describe, expect, test } from 'vitest';
import { fdtHeader } from '../../abi/fdt/header.js';
import { khoKexecMetadata } from '../../abi/kexec-metadata/v1.js';
import { luoFileSer } from '../../abi/luo/entries.js';
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { vfioPciCoreDeviceSer } from '../../abi/vfio-pci/v1.js';
import { decodeStruct } from '../../src/codec/decode.js';
import { encodeStruct } from '../../src/codec/encode.js';

const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));

describe('memfd_luo_folio_ser', () => {
  // pfn 0x12345, flags DIRTY | UPTODATE in bits 52 and 53, index 7
  const bytes = fromHex('4523010000003000 0700000000000000');
  test('pfn and flags share one little-endian word', () => {
    expect(decodeStruct(memfdLuoFolioSer, bytes)).toEqual({ pfn_flags: { pfn: 0x12345, flags: 3 }, index: 7n });
  });
  test('and are written back', () => {
    expect(encodeStruct(memfdLuoFolioSer, { pfn_flags: { pfn: 0x12345, flags: 3 }, index: 7 })).toEqual(bytes);
  });
  test('the widest page frame survives', () => {
    const widest = encodeStruct(memfdLuoFolioSer, { pfn_flags: { pfn: 2 ** 52 - 1, flags: 0xfff }, index: 2n ** 64n - 1n });
    expect(widest).toEqual(new Uint8Array(16).fill(0xff));
    expect(decodeStruct(memfdLuoFolioSer, widest)).toEqual({ pfn_flags: { pfn: 2 ** 52 - 1, flags: 0xfff }, index: 0xffffffffffffffffn });
  });
});

test('kho_kexec_metadata has a number at an odd offset', () => {
  const bytes = new Uint8Array(73);
  bytes.set([1, 0, 0, 0], 0);
  bytes.set(new TextEncoder().encode('7.3.4'), 4);
  bytes.set([0x78, 0x56, 0x34, 0x12], 69);
  const { version, previous_release, kexec_count } = decodeStruct(khoKexecMetadata, bytes);
  expect([version, previous_release.text, kexec_count]).toEqual([1, '7.3.4', 0x12345678]);
});

test('fdt_header is big-endian', () => {
  const bytes = fromHex('d00dfeed 00000195 00000038 0000015c 00000028 00000011 00000010 00000000 00000039 00000124');
  expect(decodeStruct(fdtHeader, bytes)).toMatchObject({ magic: 0xd00dfeed, totalsize: 405, off_dt_struct: 0x38, size_dt_struct: 0x124 });
});

test('text ends at the first NUL, and what follows is counted', () => {
  const bytes = new Uint8Array(64);
  bytes.set(new TextEncoder().encode('memfd-v2\0junk'), 0);
  const { compatible } = decodeStruct(luoFileSer, bytes);
  expect(compatible).toMatchObject({ text: 'memfd-v2', terminated: true, trailing: 4, validUtf8: true });
});

test('text without a NUL, and text that is no UTF-8', () => {
  const full = decodeStruct(luoFileSer, new Uint8Array(64).fill(0x61)).compatible;
  expect(full).toMatchObject({ text: 'a'.repeat(48), terminated: false });
  const bytes = new Uint8Array(64);
  bytes.set([0xff, 0x41], 0);
  expect(decodeStruct(luoFileSer, bytes).compatible).toMatchObject({ text: '\ufffdA', validUtf8: false, bytes: Uint8Array.of(0xff, 0x41) });
});

test('the device of the seed: domain, then bdf', () => {
  expect(decodeStruct(vfioPciCoreDeviceSer, fromHex('000000002800'))).toEqual({ domain: 0, bdf: 0x28 });
});

test('what does not fit its field is refused', () => {
  expect(() => encodeStruct(vfioPciCoreDeviceSer, { bdf: 0x10000 })).toThrow(RangeError);
  expect(() => encodeStruct(memfdLuoFolioSer, { pfn_flags: { pfn: 2 ** 52 } })).toThrow(RangeError);
  expect(() => encodeStruct(luoFileSer, { compatible: 'x'.repeat(49) })).toThrow(RangeError);
});
