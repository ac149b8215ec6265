/**
 * The bytes of a BTF section, its header checked: where types and strings are, in which byte order. For btf.ts.
 * Source: include/uapi/linux/btf.h and the checks of kernel/bpf/btf.c, 7.3.
 */
import { BTF_MAGIC, BTF_VERSION, btfHeader } from '../../../abi/btf/types.js';
import { decodeStruct } from '../../codec/decode.js';
import { offsetOf, sizeOf } from '../../codec/layout-table.js';
import { UserError } from '../../codec/user-error.js';

export interface BtfSection {
  /** as messages name it */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly little: boolean;
  /** offsets into `bytes`, ends exclusive */
  readonly typeStart: number;
  readonly typeEnd: number;
  readonly stringStart: number;
  readonly stringEnd: number;
}

const ADVICE = 'the BTF is damaged or cut short: take it from the kernel again (objcopy --dump-section .BTF=file vmlinux)';

/** @param offset into the section's bytes */
export const btfError = (name: string, offset: number, what: string): UserError =>
  new UserError(`${name}: BTF at offset 0x${offset.toString(16)}: ${what}; ${ADVICE}`);

/** Where a BTF header starts in `bytes`: at 0, or after the zeros that objcopy -O binary leaves in front; null if there is none. */
export function findBtf(bytes: Uint8Array): number | null {
  let at = 0;
  while (at < bytes.length && bytes[at] === 0) at++;
  const low = bytes[at];
  const high = bytes[at + 1];
  if (low === undefined || high === undefined) return null;
  return low + high * 256 === BTF_MAGIC || low * 256 + high === BTF_MAGIC ? at : null;
}

/**
 * Checks the header of the BTF in `given` and that types and strings are there.
 * @throws UserError
 */
export function openSection(given: Uint8Array, name: string): BtfSection {
  const start = findBtf(given);
  if (start === null)
    throw new UserError(`${name}: no BTF here: it does not start with the magic 0xeb9f; give a raw .BTF file, /sys/kernel/btf/vmlinux, a vmlinux or a vmlinuz`);
  const bytes = given.subarray(start);
  const little = bytes[offsetOf(btfHeader, 'magic')] === (BTF_MAGIC & 0xff);
  if (bytes.length < sizeOf(btfHeader)) throw btfError(name, 0, `the header needs ${sizeOf(btfHeader)} bytes, ${bytes.length} are there`);
  const header = decodeStruct(btfHeader, bytes, 0, { endian: little ? 'little' : 'big' });
  if (header.version !== BTF_VERSION) throw btfError(name, offsetOf(btfHeader, 'version'), `version ${header.version}, only ${BTF_VERSION} is known`);
  if (header.hdr_len < sizeOf(btfHeader) || header.hdr_len > bytes.length)
    throw btfError(name, offsetOf(btfHeader, 'hdr_len'), `a header of ${header.hdr_len} bytes in ${bytes.length} bytes`);
  const part = (what: string, offset: number, length: number): { start: number; end: number } => {
    const end = header.hdr_len + offset + length;
    if (end > bytes.length)
      throw btfError(name, header.hdr_len + offset, `${what} of ${length} bytes end ${end - bytes.length} bytes past the end of the file`);
    return { start: header.hdr_len + offset, end };
  };
  const types = part('types', header.type_off, header.type_len);
  const strings = part('strings', header.str_off, header.str_len);
  if (header.str_len === 0 || bytes[strings.start] !== 0 || bytes[strings.end - 1] !== 0)
    throw btfError(name, strings.start, 'the strings must start and end with a NUL (a module has no complete BTF of its own: give the vmlinux it belongs to)');
  return {
    name,
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    little,
    typeStart: types.start,
    typeEnd: types.end,
    stringStart: strings.start,
    stringEnd: strings.end,
  };
}
