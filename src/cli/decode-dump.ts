/** Decodes an opened dump, with what its memory tells of the kernel where the container does not. For every command that takes a dump. */
import type { OpenedDump } from '../container/opened-dump.js';
import { type DecodedDump, decodeHandovers } from '../handover/decode.js';
import { pageSizeFromMemory, runningKernel, withPageSize } from '../handover/kernel/running.js';
import type { DumpReport } from '../report/dump-report.js';

export interface DecodedFile {
  /** as opened, with page size and VMCOREINFO as the memory tells them */
  readonly opened: OpenedDump;
  readonly decoded: DecodedDump;
  readonly kernel: (NonNullable<DumpReport['kernel']> & { readonly evidence: string | null }) | null;
}

/** Decodes a dump. Where it carries no VMCOREINFO, its memory is asked for the kernel and the size of pages. */
export function decodeDump(opened: OpenedDump, khoFdt: number | null): DecodedFile {
  const input = { files: opened.handoverFiles, khoFdt };
  const release = opened.vmcoreinfo?.get('OSRELEASE') ?? null;
  const decoded = decodeHandovers({ ...input, memory: opened.memory, runningRelease: release, searchKernels: release === null });
  if (opened.recorded?.release != null && release === null) {
    const { text, foundBy } = opened.recorded.release;
    return { opened, decoded: decodeHandovers({ ...input, memory: opened.memory, runningRelease: text }), kernel: { release: text, foundBy, evidence: null } };
  }
  if (release !== null) return { opened, decoded, kernel: { release, foundBy: 'vmcoreinfo', evidence: null } };
  const pageSize = opened.pageSizeFromDump === null ? pageSizeFromMemory(decoded) : null;
  const memory = pageSize === null || pageSize === opened.memory.pageSize ? opened.memory : withPageSize(opened.memory, pageSize);
  const inPages = memory === opened.memory ? decoded : decodeHandovers({ ...input, memory, searchKernels: true });
  const kernel = runningKernel(inPages);
  if (kernel === null) return { opened: { ...opened, memory }, decoded: inPages, kernel: null };
  const { foundBy, evidence } = kernel;
  return {
    opened: { ...opened, memory, vmcoreinfo: kernel.vmcoreinfo },
    decoded: decodeHandovers({ ...input, memory, runningRelease: kernel.release, find: inPages.find }),
    kernel: { release: kernel.release, foundBy, evidence },
  };
}
