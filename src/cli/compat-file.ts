/**
 * The file given to `abi check` or `abi diff`: a kernel's (BTF, vmlinux, vmlinuz) or a dump; told by its content.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { ET_CORE, elf64Ehdr } from '../../abi/elf/elf64.js';
import { elfHead } from '../codec/elf.js';
import { sizeOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import { findBtf } from '../compat/btf/section.js';
import { fromBytes, type KernelFile, openKernelFile } from '../compat/btf/kernel-file.js';
import type { DiffOperand } from '../compat/diff.js';
import { handingOver, takingOver } from '../compat/dump-side.js';
import { pageSizeOf } from '../compat/fingerprint.js';
import { kernelSide } from '../compat/kernel-side.js';
import { shapeOfBtf } from '../compat/shape.js';
import type { Side } from '../compat/side.js';
import { type ByteSource, readAt } from '../container/byte-source.js';
import { reasonOf } from '../codec/named-file.js';
import { openBytesOrDump, openDump } from '../container/open.js';
import type { OpenedDump } from '../container/opened-dump.js';
import { decodeDump, decodeDumpByBtf } from './decode-dump.js';
import type { BtfOption } from './dump-contracts.js';
import { atEnd } from '../codec/at-end.js';

/** Files that are no ELF are read whole: no kernel and no BTF is larger. */
const MAX_KERNEL = 256 << 20;

/**
 * @param layouts what a dump is read by, beside the contracts that are described
 * @throws UserError where it is neither, or damaged
 */
export async function fileSide(path: string, role: 'from' | 'to', layouts: BtfOption): Promise<Side> {
  const opened = await openKernelOrDump(path);
  using _opened = atEnd(() => opened.close());
  if (!('memory' in opened)) return kernelSide(opened);
  const { opened: dump, decoded, kernel } = await decodeDumpByBtf(opened, null, layouts);
  const source = { path, pageSize: dump.memory.pageSize, runningRelease: kernel?.release ?? null };
  return role === 'from' ? handingOver(source, decoded) : takingOver(source, decoded);
}

/** The caller closes it. */
async function openKernelOrDump(path: string): Promise<KernelFile | OpenedDump> {
  if (path === '-' || isFolder(path)) return openDump(path);
  if (startsAsKernel(path)) return openKernelFile(path);
  let opened: Awaited<ReturnType<typeof openBytesOrDump>>;
  try {
    opened = await openBytesOrDump(path);
  } catch (error) {
    // An ELF that is no core: a compressed vmlinux. What is no kernel either gets the first, closer explanation.
    const kernel = await openKernelFile(path).catch(() => null);
    if (kernel === null) throw error;
    return kernel;
  }
  if ('dump' in opened) return opened.dump;
  using _openedSource = atEnd(() => opened.source.close());
  if (startsWithBtf(opened.source)) return await kernelIn(path, opened.source);
  return (await rawDump(path, opened.source)) ?? (await kernelIn(path, opened.source));
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    throw new UserError(`${path}: neither a release nor a file that is there; give a release such as 7.1, a BTF file, a vmlinux or vmlinuz, or a dump`);
  }
}

/** An ELF file that is no core, or BTF: read in place. */
function startsAsKernel(path: string): boolean {
  const head = new Uint8Array(sizeOf(elf64Ehdr));
  // Of a pipe nothing may be taken here.
  if (!statSync(path).isFile()) return false;
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw new UserError(`${path}: cannot open: ${reasonOf(error)}; check its permissions`);
  }
  using _fd = atEnd(() => closeSync(fd));
  const got = readSync(fd, head, 0, head.length, 0);
  const elf = elfHead(head.subarray(0, got));
  return elf === null ? head[0] !== 0 && findBtf(head.subarray(0, got)) === 0 : elf.header?.e_type !== ET_CORE;
}

const PIECE = 1 << 20;

/** BTF as objcopy leaves it has megabytes of zeros in front. */
function startsWithBtf(source: ByteSource): boolean {
  for (let at = 0; at < Math.min(source.size, MAX_KERNEL); at += PIECE) {
    const piece = readAt(source, at, PIECE);
    if (piece.some((byte) => byte !== 0)) return findBtf(piece) !== null;
  }
  return false;
}

/** Raw memory is only told from other bytes by the handover in it. */
async function rawDump(path: string, source: ByteSource): Promise<OpenedDump | null> {
  if (source.size === 0) throw new UserError(`${path}: empty: 0 bytes; copy it again`);
  const opened = await openDump(path).catch(() => null);
  if (opened === null) return null;
  if (decodeDump(opened, { khoFdt: null }).decoded.handovers.length > 0) return opened;
  opened.close();
  return null;
}

async function kernelIn(path: string, source: ByteSource): Promise<KernelFile> {
  if (source.size > MAX_KERNEL)
    throw new UserError(`${path}: no handover is in it, and with ${source.size} bytes it is no kernel or BTF file; give a dump, a vmlinux or a BTF file`);
  return fromBytes(path, readAt(source, 0, source.size));
}

/** One structure of a kernel's BTF, whatever it is; null where the file is a dump or has no BTF. @throws UserError where there is no such structure */
export async function structOperand(path: string, name: string): Promise<DiffOperand | null> {
  const opened = await openKernelOrDump(path);
  using _opened = atEnd(() => opened.close());
  if ('memory' in opened || opened.btf === null) return null;
  const shape = shapeOfBtf(opened.btf, name);
  if (shape === null) throw new UserError(`${path}: its BTF has no struct or union ${JSON.stringify(name)}; \`bpftool btf dump file …\` lists what it has`);
  const part = {
    layer: name,
    role: 'subtree',
    compatible: null,
    contracts: [],
    shapes: new Map([[name, shape]]),
    by: opened.evidence,
    holds: null,
    inUse: true,
  } as const;
  return { label: path, parts: [part], pageSize: pageSizeOf(opened.btf), only: name };
}
