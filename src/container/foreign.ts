/** Files that are not dumps of a kind we read, but that people hand over: told by content, so that the error says what to do instead. */

interface Foreign {
  readonly at: number;
  readonly text: string;
  readonly what: string;
  readonly instead: string;
}

const foreign: readonly Foreign[] = [
  { at: 0, text: 'QEVM', what: "a QEMU migration stream (savevm), which mixes memory with devices' state", instead: 'use dump-guest-memory' },
  { at: 0, text: 'LibvirtQemudSave', what: 'a libvirt save file', instead: 'use virsh dump --memory-only' },
  { at: 0, text: 'PAGEDU64', what: 'a Windows crash dump', instead: 'use dump-guest-memory without -w' },
  { at: 0, text: 'DISKDUMP', what: 'a dump of the old diskdump tool', instead: 'take one with makedumpfile' },
  { at: 0, text: 'QFI\xfb', what: "a QEMU disk image, not a machine's memory", instead: 'use dump-guest-memory' },
  { at: 0, text: 'AVML', what: 'an AVML dump (compressed)', instead: 'turn it into LiME with avml-convert' },
  { at: 257, text: 'ustar', what: 'a tar archive', instead: 'unpack it and give the dump in it' },
  { at: 0, text: 'PK\x03\x04', what: 'a zip archive', instead: 'unpack it and give the dump in it' },
  { at: 0, text: '7z\xbc\xaf', what: 'a 7z archive', instead: 'unpack it and give the dump in it' },
  { at: 0, text: 'BZh', what: 'a bzip2 file', instead: 'unpack it with bzip2 -d' },
  { at: 0, text: '\x04\x22\x4d\x18', what: 'an lz4 file', instead: 'unpack it with lz4 -d' },
];

/** Bytes of a file's head that are looked at. */
export const FOREIGN_HEAD = 512;

export function foreignFormat(head: Uint8Array): { readonly what: string; readonly instead: string } | null {
  const matches = ({ at, text }: Foreign): boolean => [...text].every((char, index) => head[at + index] === char.charCodeAt(0));
  return foreign.find(matches) ?? null;
}

/** No byte that text does not have, and valid UTF-8 (a sequence cut at the end of the head is no objection). */
export function looksLikeText(head: Uint8Array): boolean {
  if (head.some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0c && byte !== 0x0d && byte !== 0x1b)) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}
