/**
 * What every container gives: the physical memory of a dump, and what the container itself says about the machine.
 * For the decoders and the commands; built by `open.ts`.
 */
import type { PhysicalMemory } from '../memory/memory.js';

type ContainerKind = 'elf-core' | 'kdump' | 'raw' | 'lime' | 'debugfs' | 'kho-fdt';
export type Arch = 'x86_64' | 'aarch64';

/** A file of `sub_fdts/`. */
export interface HandoverSubtree {
  /** the file's name, which is the subtree's */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** physical, from the root FDT; null where no root FDT tells it */
  readonly address: number | null;
}

/** A handover's root FDT that came as a file of its own: from a debugfs folder, or as the dump itself. */
export interface HandoverFile {
  /** by the folder it lay in; null for a bare FDT */
  readonly role: 'incoming' | 'outgoing' | null;
  /** the file's bytes; shorter than the header's totalsize where `truncated`; empty where a folder had no `fdt` */
  readonly fdt: Uint8Array;
  /** physical address, from a setup_data node beside the folder; null where nothing tells it */
  readonly fdtAddress: number | null;
  /** from `scratch_phys` and `scratch_len`, in bytes; null where the folder has no such files */
  readonly scratch: readonly { readonly start: number; readonly size: number }[] | null;
  /** the first-level blobs, as far as the folder has them */
  readonly subtrees: readonly HandoverSubtree[];
  /** fewer bytes in the file than its header's totalsize says */
  readonly truncated: boolean;
}

/** What somebody recorded of the machine beside a copy of debugfs. */
export interface RecordedFacts {
  /** version text of the kernel that ran, with the file that tells it */
  readonly release: { readonly text: string; readonly foundBy: string } | null;
  /** the kernel's log, and the file it is in */
  readonly log: { readonly text: string; readonly path: string } | null;
  readonly evidence: readonly string[];
}

/** Which part of a dump a file is. */
export interface DumpPart {
  /** the same in all its files */
  readonly key: string;
  /** page frames [start, end) */
  readonly start: number;
  readonly end: number;
  /** page frames of the whole machine */
  readonly frames: number;
}

/** What a file format tells of a dump. */
export interface DumpContents {
  readonly container: ContainerKind;
  /** size of the dump in bytes once decompressed; for a folder, the sum of the files read */
  readonly bytes: number;
  readonly arch: Arch | null;
  /** in bytes; what the dump itself says, null where it does not */
  readonly pageSizeFromDump: number | null;
  readonly memory: PhysicalMemory;
  /** the KEY=VALUE lines of the kernel's VMCOREINFO, null where the dump carries none */
  readonly vmcoreinfo: ReadonlyMap<string, string> | null;
  readonly handoverFiles: readonly HandoverFile[];
  /** what the dump's writer left out on purpose, in words; absent where the dump does not say */
  readonly filter?: string;
  /** only where it is one of several files of a dump */
  readonly part?: DumpPart;
  /** only where the dump is a recorded folder or a capture */
  readonly recorded?: RecordedFacts;
  /** how it was recognised, a sentence each */
  readonly evidence: readonly string[];
}

export interface OpenedDump extends DumpContents {
  /** as given; `-` for standard input */
  readonly path: string;
  /** What happened to its file since it was opened, in words; null where it is as it was. */
  changed(): string | null;
  /** Closes files; the memory can't be read afterwards. May be called twice. */
  close(): void;
}
