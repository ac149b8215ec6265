/**
 * A file that says what a kernel's types are: raw BTF, /sys/kernel/btf/vmlinux, an ELF vmlinux, or a compressed vmlinuz;
 * each also gzip-, xz-, zstd- or lz4-compressed. Recognised by content. For `abi check` and `abi diff`.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { currentBudget, raise } from '../../codec/budget.js';
import { isElf } from '../../codec/elf.js';
import { readOpen, reasonOf } from '../../codec/named-file.js';
import { UserError } from '../../codec/user-error.js';
import { type Btf, openBtf } from './btf.js';
import { btfStarts, type ElfImage, type ImageSource, isArm64Image, openElfImage } from './elf-image.js';
import { decompressPayload, payloadHead, type PayloadKind, payloadKindOf, payloadMagics } from '../../compress/payload.js';
import { findBtf } from './section.js';
import { tooLarge } from '../../compress/too-large.js';

export interface KernelFile {
  readonly path: string;
  readonly kind: 'btf' | 'vmlinux' | 'vmlinuz';
  /** null for a kernel without BTF */
  readonly btf: Btf | null;
  /** the kernel's image, where there is more than its BTF */
  readonly image: ElfImage | null;
  /** how it was recognised, in words */
  readonly evidence: string;
  close(): void;
}

/** Files that are no ELF are read whole: no compressed kernel or BTF is larger. */
const MAX_WHOLE = 256 << 20;

/**
 * Opens a kernel's file. BTF is indexed, not decoded.
 * @throws UserError where the file can't be read, is none of these, or is damaged
 */
export async function openKernelFile(path: string): Promise<KernelFile> {
  const fd = openOrExplain(path);
  let keepOpen = false;
  try {
    const { size, isFolder } = statOf(fd);
    if (isFolder) throw new UserError(`${path}: is a folder; give a BTF file, a vmlinux or a vmlinuz`);
    const source: ImageSource = { name: path, size, read: (offset, length) => readAt(fd, offset, Math.max(0, Math.min(length, size - offset))) };
    if (isElf(source.read(0, 4))) {
      const image = openElfImage(source);
      keepOpen = true;
      return fromImage(path, 'vmlinux', image, 'an ELF file', () => closeSync(fd));
    }
    if (size > MAX_WHOLE) throw unrecognised(path);
    // sysfs files have no size worth trusting, so they are read to their end.
    const bytes = readOpen(fd, MAX_WHOLE);
    if (bytes === null) throw unrecognised(path);
    return await fromBytes(path, bytes);
  } finally {
    if (!keepOpen) closeSync(fd);
  }
}

/** As `openKernelFile`, from bytes that were read already. */
export async function fromBytes(path: string, bytes: Uint8Array): Promise<KernelFile> {
  if (isElf(bytes)) return fromImage(path, 'vmlinux', openElfImage(bufferImage(path, bytes)), 'an ELF file', () => {});
  if (isArm64Image(bytes)) return fromArm64(path, bytes, 'an arm64 Image');
  if (findBtf(bytes) !== null) return { path, kind: 'btf', btf: openBtf(bytes, path), image: null, evidence: 'raw BTF', close: () => {} };
  const kind = payloadKindOf(bytes);
  let refused: string | null = null;
  if (kind !== null) {
    const inner = await unpack(path, kind, bytes).catch((error: unknown) => {
      if (error instanceof UserError) throw error;
      refused = error instanceof Error ? error.message : String(error);
      return null;
    });
    if (inner !== null && isElf(inner)) return fromImage(path, 'vmlinux', openElfImage(bufferImage(path, inner)), `an ELF file, ${kind}-compressed`, () => {});
    if (inner !== null && isArm64Image(inner)) return fromArm64(path, inner, `an arm64 Image, ${kind}-compressed`);
    if (inner !== null && findBtf(inner) !== null)
      return { path, kind: 'btf', btf: openBtf(inner, path), image: null, evidence: `raw BTF, ${kind}-compressed`, close: () => {} };
  }
  const found = await findPayload(path, bytes);
  if (found !== null) {
    const evidence = `a kernel image with a ${found.kind} payload at offset 0x${found.offset.toString(16)}`;
    return isElf(found.inner)
      ? fromImage(path, 'vmlinuz', openElfImage(bufferImage(path, found.inner)), evidence, () => {})
      : fromArm64(path, found.inner, evidence);
  }
  if (refused !== null) throw new UserError(`${path}: its ${kind} stream is damaged or cut short (${refused}); copy the file again`);
  throw unrecognised(path);
}

/** @throws UserError where it holds more than a kernel, Error where it is damaged */
async function unpack(path: string, kind: PayloadKind, bytes: Uint8Array): Promise<Uint8Array> {
  const budget = currentBudget();
  const limit = budget.left('kernel-image-bytes');
  const inner = await decompressPayload(kind, bytes, limit).catch((error: unknown) => {
    if (error instanceof RangeError && error.message === tooLarge(limit).message)
      throw new UserError(
        `${path}: its ${kind} stream unpacks to more than ${limit} bytes, more than a kernel has; unpack it yourself, or ${raise(budget, 'kernel-image-bytes')}`,
      );
    throw error;
  });
  budget.spend('kernel-image-bytes', inner.length, path);
  return inner;
}

/**
 * Tries every place that looks like the start of a compressed stream, as scripts/extract-vmlinux does, until one holds a kernel.
 * How the contents start tells: nothing else is unpacked.
 * @throws UserError where there are too many such places
 */
async function findPayload(path: string, bytes: Uint8Array): Promise<{ readonly kind: string; readonly offset: number; readonly inner: Uint8Array } | null> {
  const budget = currentBudget();
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { kind, magic } of payloadMagics) {
    for (let offset = buffer.indexOf(magic); offset !== -1; offset = buffer.indexOf(magic, offset + 1)) {
      if (!budget.spend('kernel-image-attempts', 1, path))
        throw new UserError(
          `${path}: more than ${budget.allowed('kernel-image-attempts')} places start like a compressed kernel, the last at offset 0x${offset.toString(16)}, and none is one; give the vmlinux, or ${raise(budget, 'kernel-image-attempts')}`,
        );
      // Bytes that only look like a magic: the next place is tried.
      const head = await payloadHead(kind, bytes.subarray(offset)).catch(() => null);
      if (head === null || !(isElf(head) || isArm64Image(head))) continue;
      const inner = await unpack(path, kind, bytes.subarray(offset)).catch((error: unknown) => {
        if (error instanceof UserError) throw error;
        return null;
      });
      if (inner !== null && (isElf(inner) || isArm64Image(inner))) return { kind, offset, inner };
    }
  }
  return null;
}

/** No sections: texts may be anywhere, and the BTF is where its header is whole. */
function fromArm64(path: string, bytes: Uint8Array, evidence: string): KernelFile {
  const source = bufferImage(path, bytes);
  let btf: Btf | null = null;
  const budget = currentBudget();
  for (const at of btfStarts(bytes)) {
    if (!budget.spend('kernel-image-attempts', 1, path)) break;
    try {
      btf = openBtf(bytes.subarray(at), `${path} (BTF at 0x${at.toString(16)})`);
      break;
    } catch {
      // Code that compares with the magic, or a module's BTF: the next place is tried.
    }
  }
  const image = { source, btf: null, data: [{ name: 'image', offset: 0, size: bytes.length }] };
  return { path, kind: 'vmlinuz', btf, image, evidence: `${evidence}, ${btf === null ? 'without BTF' : 'with BTF'}`, close: () => {} };
}

function fromImage(path: string, kind: 'vmlinux' | 'vmlinuz', image: ElfImage, evidence: string, close: () => void): KernelFile {
  const range = image.btf;
  try {
    const btf = range === null ? null : openBtf(image.source.read(range.offset, range.size), `${path} (.BTF)`);
    return { path, kind, btf, image, evidence: `${evidence}${range === null ? ', without BTF' : ', with a .BTF section'}`, close };
  } catch (error) {
    close();
    throw error;
  }
}

const bufferImage = (name: string, bytes: Uint8Array): ImageSource => ({
  name,
  size: bytes.length,
  read: (offset, length) => bytes.subarray(offset, offset + length),
});

const unrecognised = (path: string): UserError =>
  new UserError(
    `${path}: not recognised: no dump with a handover, no BTF, no ELF vmlinux, and no gzip, xz, zstd or lz4 payload in it holds one; give a .BTF file, a vmlinux, or a vmlinuz of one of these compressions`,
  );

function openOrExplain(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new UserError(`${path}: cannot be opened: ${reasonOf(error)}; give a release such as 7.1, a BTF or kernel file, or a dump`);
  }
}

function statOf(fd: number): { readonly size: number; readonly isFolder: boolean } {
  const stat = fstatSync(fd);
  return { size: stat.size, isFolder: stat.isDirectory() };
}

function readAt(fd: number, offset: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const got = readSync(fd, out, done, length - done, offset + done);
    if (got === 0) break;
    done += got;
  }
  return out.subarray(0, done);
}
