/**
 * Distance of the snapshots of one file. A file of vCPU mappings holds kvm_run and the data pages after it, over and
 * over (12288 bytes on x86-64); a file of kvm_run pages alone holds a snapshot every 4096 bytes. Told by the pages between: in
 * a file of mappings they never read as a kvm_run that ran.
 */
import { type KvmArch, kvmArches } from '../../abi/kvm/arch.js';
import { hasRun, SMALLEST_PAGE } from './recognise.js';

/** Reads up to `length` bytes at `offset` of the file; fewer where it ends. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

interface Stride {
  /** bytes from one snapshot to the next */
  readonly stride: number;
  /** of the host, in bytes */
  readonly pageSize: number;
}

/** Groups of pages looked at, spread over the file. */
const SAMPLES = 64;
const LARGE_PAGES: readonly number[] = [16384, 65536];

/** @param size of the file, in bytes. @param pageSize of the host in bytes, where it is known */
export function strideOf(read: ReadAt, size: number, arch: KvmArch, pageSize: number | null = null): Stride {
  const { mappedPages } = kvmArches[arch];
  const smallest = pageSize ?? SMALLEST_PAGE;
  // x86 and s390 have one page size. Elsewhere a larger one shows where the file is exactly one mapping of such pages.
  const larger = pageSize === null && arch !== 'x86_64' && mappedPages > 1 ? LARGE_PAGES.filter((page) => size === page * mappedPages) : [];
  for (const page of [...larger, smallest]) {
    if (mappedPages > 1 && isMappings(read, size, mappedPages * page)) return { stride: mappedPages * page, pageSize: page };
  }
  return { stride: smallest, pageSize: smallest };
}

/** Does the file hold one mapping of `stride` bytes after the other? The last may be cut short. */
function isMappings(read: ReadAt, size: number, stride: number): boolean {
  const groups = Math.ceil(size / stride);
  const step = Math.max(1, Math.floor(groups / SAMPLES));
  for (let group = 0; group < groups; group += step) {
    const bytes = read(group * stride, stride);
    for (let at = SMALLEST_PAGE; at < bytes.length; at += SMALLEST_PAGE) if (hasRun(bytes.subarray(at, at + SMALLEST_PAGE))) return false;
  }
  return size > 0;
}
