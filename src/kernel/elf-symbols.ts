/** The symbol table of a vmlinux: .symtab with its strings. Source: include/uapi/linux/elf.h, 7.3. */
import { elf64Sym, SHT_SYMTAB } from '../../abi/elf/elf64.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { elfHeaders, type ImageSource } from '../compat/btf/elf-image.js';
import type { LinkedSymbols } from './system-map.js';

/** A kernel has some 250,000 symbols; more is damage. */
const MAX_SYMBOLS = 4_000_000;
const MAX_STRINGS = 256 << 20;
/** STT_OBJECT, in the low bits of st_info. */
const OBJECT = 1;
const SYM = sizeOf(elf64Sym);
const AT = { name: offsetOf(elf64Sym, 'st_name'), info: offsetOf(elf64Sym, 'st_info'), value: offsetOf(elf64Sym, 'st_value') } as const;

/** Null where the file is stripped. @throws UserError where its headers are damaged */
export function elfSymbols(image: ImageSource): LinkedSymbols | null {
  const { sections, endian } = elfHeaders(image);
  const table = sections.find(({ header }) => header.sh_type === SHT_SYMTAB);
  const strings = table === undefined ? undefined : sections[table.header.sh_link];
  if (endian !== 'little' || table === undefined || strings === undefined || table.range.size > MAX_SYMBOLS * SYM || strings.range.size > MAX_STRINGS)
    return null;
  const entries = image.read(table.range.offset, table.range.size);
  const names = Buffer.from(image.read(strings.range.offset, strings.range.size));
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const symbols: { name: string; address: bigint; type: string }[] = [];
  for (let at = 0; at + SYM <= entries.length; at += SYM) {
    const nameAt = view.getUint32(at + AT.name, true);
    const end = names.indexOf(0, nameAt);
    if (nameAt === 0 || end <= nameAt) continue;
    const type = (view.getUint8(at + AT.info) & 0xf) === OBJECT ? 'd' : 't';
    symbols.push({ name: names.toString('latin1', nameAt, end), address: view.getBigUint64(at + AT.value, true), type });
  }
  return symbols.length === 0 ? null : { path: image.name, symbols };
}
