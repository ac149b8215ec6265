/** The text of VMCOREINFO, which /proc/kcore carries as a note: what a dump of this kernel is read by. Source: fs/proc/kcore.c, 7.3. */
import { closeSync, openSync, readSync } from 'node:fs';
import { ELFMAG, elf64Ehdr, elf64Nhdr, elf64Phdr, PT_NOTE } from '../../abi/elf/elf64.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';

/** The notes stand at the front, behind the program headers; VMCOREINFO has a page. */
const HEAD_BYTES = 64 << 10;
const MOST_HEADERS = 1024;
const NAME = 'VMCOREINFO';
const aligned = (size: number): number => Math.ceil(size / 4) * 4;

/** The text, lines of KEY=value; or why there is none. */
export function readVmcoreinfo(path = '/proc/kcore'): string | { readonly why: string } {
  let fd: number | null = null;
  try {
    fd = openSync(path, 'r');
    const head = new Uint8Array(HEAD_BYTES);
    let got = 0;
    for (let piece = -1; piece !== 0 && got < head.length; got += piece) piece = readSync(fd, head, got, head.length - got, got);
    return vmcoreinfoOf(head.subarray(0, got)) ?? { why: 'it holds no such note' };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    return { why: code === 'ENOENT' ? 'not there' : code === 'EACCES' || code === 'EPERM' ? 'permission denied' : 'not readable' };
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** From the first bytes of an ELF core; null where no note of that name is in them. */
function vmcoreinfoOf(head: Uint8Array): string | null {
  if (head.length < sizeOf(elf64Ehdr) || !ELFMAG.every((byte, index) => head[index] === byte)) return null;
  const { e_phoff, e_phnum } = decodeStruct(elf64Ehdr, head);
  for (let index = 0; index < Math.min(e_phnum, MOST_HEADERS); index++) {
    const at = Number(e_phoff) + index * sizeOf(elf64Phdr);
    if (at + sizeOf(elf64Phdr) > head.length) return null;
    const { p_type, p_offset, p_filesz } = decodeStruct(elf64Phdr, head, at);
    if (p_type !== PT_NOTE) continue;
    const text = noteIn(head, Number(p_offset), Number(p_offset) + Number(p_filesz));
    if (text !== null) return text;
  }
  return null;
}

function noteIn(head: Uint8Array, from: number, to: number): string | null {
  const end = Math.min(to, head.length);
  for (let at = from; at + sizeOf(elf64Nhdr) <= end; ) {
    const { n_namesz, n_descsz } = decodeStruct(elf64Nhdr, head, at);
    const name = at + sizeOf(elf64Nhdr);
    const desc = name + aligned(n_namesz);
    if (new TextDecoder().decode(head.subarray(name, name + NAME.length)) === NAME && n_namesz >= NAME.length && n_namesz <= NAME.length + 1) {
      const bytes = head.subarray(desc, Math.min(desc + n_descsz, end));
      const zero = bytes.indexOf(0);
      return new TextDecoder().decode(zero === -1 ? bytes : bytes.subarray(0, zero));
    }
    at = desc + aligned(n_descsz);
  }
  return null;
}
