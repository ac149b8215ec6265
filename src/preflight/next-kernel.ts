/** The next kernel: whether its image fits into scratch, what its command line switches on, and whether it can read what is handed over. */
import { withErrno } from '../../abi/errno.js';
import { ARM64_IMAGE_MAGIC, arm64ImageHeader, SETUP_HEADER_MAGIC, SETUP_HEADER_OFFSET, x86SetupHeader } from '../../abi/boot/kernel-image.js';
import { scratchNames } from '../../abi/boot/scratch-names.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { checkCompat } from '../compat/check.js';
import type { Side } from '../compat/side.js';
import { NOT_REACHED } from '../compat/verdict.js';
import type { HostTree } from '../host/host-tree.js';
import { textOf } from '../host/host-tree.js';
import type { KernelConfig } from '../host/kernel-config.js';
import { commandLineLines } from './kernel.js';
import { blocks, cannotTell, fine, type PreflightLine } from './line.js';

export interface NextKernel {
  readonly path: string;
  /** first bytes of the file */
  readonly head: Uint8Array;
  readonly side: Side;
  readonly config: KernelConfig | null;
}

/** Bytes of a kernel file that tell how much memory it needs. */
export const HEAD_BYTES = SETUP_HEADER_OFFSET + sizeOf(x86SetupHeader);

interface NextContext {
  readonly tree: HostTree;
  readonly next: NextKernel | null;
  /** as the user gave it */
  readonly cmdline: string | null;
  /** what is handed over */
  readonly from: Side | null;
}

export function nextKernelLines(context: NextContext): readonly PreflightLine[] {
  return [...imageLines(context), ...cmdlineLines(context), ...contractLines(context)];
}

function imageLines({ next, tree }: NextContext): readonly PreflightLine[] {
  if (next === null) return [cannotTell('next/image', 'the next kernel is not named', '--next <vmlinuz>')];
  const needs = memoryNeeded(next.head);
  const scratch = scratchSizes(tree);
  const check = 'next/scratch';
  if (scratch === null) return [cannotTell(check, 'the size of scratch is not known: debugfs kho/out/scratch_len (or bootmem_len)')];
  const largest = Math.max(...scratch);
  const areas = scratch.map(mib).join(', ');
  if (needs === null) return [cannotTell(check, `scratch has ${areas}; how much memory ${next.path} needs is not told by its header`)];
  return largest < needs
    ? [
        blocks(
          check,
          `scratch: the largest of ${areas} is smaller than the ${mib(needs)} that ${next.path} needs: kexec_file_load(2) finds no place for it`,
          'boot this kernel with a larger kho_scratch=',
        ),
      ]
    : [fine(check, `scratch: ${areas}; the next kernel needs ${mib(needs)}, and its initramfs comes on top`)];
}

const mib = (bytes: number): string => (bytes % (1 << 20) === 0 ? `${bytes / (1 << 20)} MiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`);

/** Bytes of physical memory in one piece; null where its head does not say it. */
function memoryNeeded(head: Uint8Array): number | null {
  if (head.length >= HEAD_BYTES) {
    const setup = decodeStruct(x86SetupHeader, head, SETUP_HEADER_OFFSET);
    if (Number(setup.header) === SETUP_HEADER_MAGIC) return Number(setup.init_size);
  }
  if (head.length >= sizeOf(arm64ImageHeader)) {
    const image = decodeStruct(arm64ImageHeader, head);
    if (Number(image.magic) === ARM64_IMAGE_MAGIC) return Number(image.image_size);
  }
  return null;
}

/** Sizes of the scratch areas as debugfs lists them, whatever this kernel calls them; null where it does not. */
const scratchFile = (tree: HostTree): string | null => firstOf(scratchNames.map(({ debugfs }) => textOf(tree, `debugfs/kho/out/${debugfs.sizes}`)));

const firstOf = <T>(values: readonly (T | null)[]): T | null => values.find((value) => value !== null) ?? null;

/** Sizes of the scratch areas in bytes, as this kernel has them. */
function scratchSizes(tree: HostTree): readonly number[] | null {
  const sizes = (scratchFile(tree) ?? '')
    .split(/\s+/)
    .filter((word) => /^(0x[0-9a-f]{1,13}|\d{1,15})$/i.test(word))
    .map(Number);
  return sizes.length === 0 ? null : sizes;
}

function cmdlineLines({ cmdline, next, tree }: NextContext): readonly PreflightLine[] {
  const names = next === null ? null : (scratchNames.find(({ status }) => status === (next.side.scratchNames ?? 'released')) ?? null);
  if (cmdline !== null) return commandLineLines('next/cmdline', cmdline, next?.config ?? null, names);
  const own = textOf(tree, 'proc/cmdline');
  if (own === null) return [cannotTell('next/cmdline', 'the command line of the next kernel is not known', '--cmdline <text>')];
  return commandLineLines('next/cmdline', own, next?.config ?? null, names).map((line) => ({
    ...line,
    text: `with the command line of this kernel: ${line.text}`,
  }));
}

/** `abi check` on what is handed over, a line a layer that matters. */
function contractLines({ from, next }: NextContext): readonly PreflightLine[] {
  if (from === null) return [cannotTell('next/contracts', 'what this kernel hands over is not known, so its contracts cannot be held against the next one')];
  if (next === null) return [cannotTell('next/contracts', 'the next kernel is not named, so its contracts are not known', '--next <vmlinuz>')];
  const result = checkCompat(from, next.side);
  const lines = result.layers
    .filter(({ text }) => text !== NOT_REACHED)
    .map((row): PreflightLine => {
      const check = `next/contracts/${row.layer}`;
      const versions = `${row.layer}: ${row.from ?? '-'} handed over, ${row.to ?? '-'} spoken`;
      if (row.severity === 'info') return fine(check, `${versions}: ${row.text}`);
      if (row.outcome === 'unknown') return cannotTell(check, `${versions}: ${row.text}`);
      return blocks(check, `${versions}: ${withErrno(row.outcome, row.errno)}: ${row.text}`);
    });
  return lines.length === 0 ? [cannotTell('next/contracts', 'no layer could be compared')] : lines;
}
