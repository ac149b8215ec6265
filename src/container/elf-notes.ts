/** The notes of an ELF core: finds VMCOREINFO and tells a process's core from a machine's. */
import { elf64Nhdr, NT_FILE, NT_PRPSINFO } from '../../abi/elf/elf64.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { type ByteSource, readAt } from './byte-source.js';
import { parseVmcoreinfo, VMCOREINFO_LIMIT } from './vmcoreinfo.js';

interface NoteFindings {
  vmcoreinfo: ReadonlyMap<string, string> | null;
  /** in the file, in bytes */
  vmcoreinfoOffset: number | null;
  /** notes that only a process's core has */
  ofProcess: boolean;
  /** notes by QEMU's own name */
  ofQemu: boolean;
  /** notes read so far */
  count: number;
}

export const noNotes = (): NoteFindings => ({ vmcoreinfo: null, vmcoreinfoOffset: null, ofProcess: false, ofQemu: false, count: 0 });

/** In all: a few per CPU. A guard against damage. */
const MAX_NOTES = 65536;
const LONGEST_NAME = 64;

const padded = (size: number): number => Math.ceil(size / 4) * 4;

/** Reads the notes in `size` bytes at `offset`, as far as they are whole, into `findings`. */
export function readNotes(source: ByteSource, offset: number, size: number, findings: NoteFindings): void {
  const end = Math.min(source.size, offset + size);
  const head = sizeOf(elf64Nhdr);
  let at = offset;
  while (at + head <= end && findings.count++ < MAX_NOTES) {
    const { n_namesz, n_descsz, n_type } = decodeStruct(elf64Nhdr, readAt(source, at, head));
    const nameAt = at + head;
    const contents = nameAt + padded(n_namesz);
    if (contents + n_descsz > end) return;
    const name = n_namesz <= LONGEST_NAME ? new TextDecoder().decode(readAt(source, nameAt, n_namesz)).replace(/\0+$/, '') : '';
    if (name === 'VMCOREINFO' && findings.vmcoreinfo === null && n_descsz <= VMCOREINFO_LIMIT) {
      findings.vmcoreinfo = parseVmcoreinfo(readAt(source, contents, n_descsz));
      findings.vmcoreinfoOffset = contents;
    }
    if (name === 'QEMU') findings.ofQemu = true;
    if (name === 'CORE' && (n_type === NT_PRPSINFO || n_type === NT_FILE)) findings.ofProcess = true;
    at = contents + padded(n_descsz);
  }
}
