/** The symbol table of a vmlinux: .symtab with its strings. Source: include/uapi/linux/elf.h, 7.3. */
import { elf64Ehdr, elf64Shdr, elf64Sym } from '../../abi/elf/elf64.js';
import { SHT_SYMTAB } from '../../abi/elf/sections.js';
import { decodeStruct } from '../codec/decode.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import type { ImageSource } from '../compat/btf/elf-image.js';
import type { LinkedSymbols } from './system-map.js';

/** A kernel has some 250,000 symbols; more is damage. */
const MAX_SYMBOLS = 4_000_000;
const MAX_STRINGS = 256 << 20;
/** STT_OBJECT, in the low bits of st_info. */
const OBJECT = 1;
const SYM = sizeOf(elf64Sym);
const AT = { name: offsetOf(elf64Sym, 'st_name'), info: offsetOf(elf64Sym, 'st_info'), value: offsetOf(elf64Sym, 'st_value') } as const;

/** Null where the file is stripped. `image` was opened as an ELF file before: its headers are sound. */
export function elfSymbols(image: ImageSource): LinkedSymbols | null {
  const ehdr = decodeStruct(elf64Ehdr, image.read(0, sizeOf(elf64Ehdr)));
  const bytes = image.read(Number(ehdr.e_shoff), ehdr.e_shnum * ehdr.e_shentsize);
  const sections = Array.from({ length: Math.floor(bytes.length / Math.max(1, ehdr.e_shentsize)) }, (_, index) =>
    decodeStruct(elf64Shdr, bytes, index * ehdr.e_shentsize),
  );
  const table = sections.find(({ sh_type }) => sh_type === SHT_SYMTAB);
  const strings = table === undefined ? undefined : sections[table.sh_link];
  if (table === undefined || strings === undefined || table.sh_size > BigInt(MAX_SYMBOLS * SYM) || strings.sh_size > BigInt(MAX_STRINGS)) return null;
  const entries = image.read(Number(table.sh_offset), Number(table.sh_size));
  const names = Buffer.from(image.read(Number(strings.sh_offset), Number(strings.sh_size)));
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
