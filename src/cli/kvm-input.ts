/** Where the `kvm` command takes its snapshots from: a file, a folder, standard input, each file also compressed. */
import { closeSync, createReadStream, openSync, statSync } from 'node:fs';
import { UserError } from '../codec/user-error.js';
import { bufferSource, type ByteSource, fileSource, readAt } from '../container/byte-source.js';
import { compressionOf, decompress } from '../container/compression.js';
import { openSnapshotFiles, type SnapshotFiles, type SnapshotFilesOptions, snapshotsInBytes } from '../kvm/snapshot-files.js';
import { atEnd } from '../codec/at-end.js';

/** What may come out of a pipe or a compressed file: it is held in memory. */
const MOST_BYTES = 1 << 30;
const HEAD = 16;
const MEMORY = [
  { magic: '\u007fELF', what: 'an ELF file (a memory dump)' },
  { magic: 'KDUMP   ', what: 'a kdump-compressed memory dump' },
  { magic: 'makedumpfile', what: 'a flattened kdump' },
  { magic: 'EMiL', what: 'a LiME memory dump' },
] as const;

/** @param path `-` for standard input. @throws UserError if nothing can be read there */
export async function openSnapshots(path: string, options: SnapshotFilesOptions): Promise<SnapshotFiles> {
  if (path === '-') {
    if (process.stdin.isTTY) throw new UserError('standard input: a terminal, not a snapshot; pipe one into it, or give a path');
    const bytes = await gather('standard input', process.stdin);
    const source = bufferSource('standard input', bytes);
    const kind = compressionOf(bytes.subarray(0, HEAD));
    return snapshotsInBytes('standard input', kind === null ? bytes : await gather('standard input', decompress(source, kind)), options);
  }
  const unpacked = await unpack(path);
  if (unpacked === null) return openSnapshotFiles(path, options);
  refuseMemory(path, unpacked.subarray(0, HEAD));
  return snapshotsInBytes(path, unpacked, options);
}

/** Memory dumps are no kvm_run pages, however many pages they have. @throws UserError that names the command that reads them */
function refuseMemory(path: string, head: Uint8Array): void {
  const found = MEMORY.find(({ magic }) => Buffer.from(head).subarray(0, magic.length).equals(Buffer.from(magic, 'latin1')));
  if (found !== undefined)
    throw new UserError(`${path}: ${found.what}, not a kvm_run page; luo-inspect report reads it, and kvm wants what a VMM has mapped of a vCPU's descriptor`);
}

/** The contents of a pipe or a compressed file; null for any other, which is then read in place. */
async function unpack(path: string): Promise<Uint8Array | null> {
  const opened = tryOpen(path);
  if (opened === null) return null;
  if (opened === 'pipe') return await gather(path, createReadStream(path));
  const { fd, size } = opened;
  using _fd = atEnd(() => closeSync(fd));
  const source: ByteSource = fileSource(path, fd, size);
  const head = readAt(source, 0, Math.min(HEAD, size));
  refuseMemory(path, head);
  const kind = compressionOf(head);
  return kind === null ? null : await gather(path, decompress(source, kind));
}

/** null for a folder, and for what can't be opened: whoever reads it next says why. */
function tryOpen(path: string): { readonly fd: number; readonly size: number } | 'pipe' | null {
  try {
    const stat = statSync(path);
    if (stat.isFIFO() || stat.isSocket()) return 'pipe';
    return stat.isFile() ? { fd: openSync(path, 'r'), size: stat.size } : null;
  } catch {
    return null;
  }
}

async function gather(name: string, pieces: AsyncIterable<unknown>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    if (!(piece instanceof Uint8Array)) continue;
    size += piece.length;
    if (size > MOST_BYTES) throw new UserError(`${name}: more than ${MOST_BYTES} bytes of snapshots come out; unpack them into a file first`);
    parts.push(Uint8Array.from(piece));
  }
  return Buffer.concat(parts);
}
