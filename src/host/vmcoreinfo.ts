/** The text of VMCOREINFO, which /proc/kcore carries as a note: what a dump of this kernel is read by. Source: fs/proc/kcore.c, 7.3. */
import { closeSync, openSync, readSync } from 'node:fs';
import { PT_NOTE } from '../../abi/elf/elf64.js';
import { elfHead, elfNotes, programHeaders } from '../codec/elf.js';

/** The notes follow the program headers at the start of the file; VMCOREINFO has a page. */
const HEAD_BYTES = 64 << 10;
const MOST_HEADERS = 1024;

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
  const elf = elfHead(head);
  if (elf === null || elf.header === null) return null;
  const { e_phoff, e_phentsize, e_phnum } = elf.header;
  const read = (offset: number, length: number): Uint8Array => head.subarray(offset, offset + length);
  for (const { type, offset, filesz } of programHeaders(read, {
    offset: Number(e_phoff),
    each: e_phentsize,
    count: Math.min(e_phnum, MOST_HEADERS),
    endian: elf.endian,
  })) {
    if (type !== PT_NOTE) continue;
    for (const note of elfNotes(read, offset, Math.min(offset + filesz, head.length)))
      if (note.name === 'VMCOREINFO') return new TextDecoder().decode(read(note.offset, note.size)).split('\0', 1)[0] ?? '';
  }
  return null;
}
