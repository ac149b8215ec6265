/**
 * What a file handler and a file-lifecycle-bound object (FLB) are to LUO: callbacks that answer 0 or a negative errno. They are
 * written as generator functions that yield a step for everything worth stopping at. Source: include/linux/liveupdate.h, 7.3.
 */
import type { OpenFile } from './fs/open-file.js';
import type { PageAllocator } from './kernel/pages.js';
import type { KernelSpec } from './kernel/release.js';
import type { Kho } from './kho/kho.js';
import type { Machine, Steps } from './machine.js';

/** What a running kernel offers to handlers and drivers. */
export interface KernelServices {
  readonly machine: Machine;
  readonly spec: KernelSpec;
  readonly pages: PageAllocator;
  readonly kho: Kho;
  /** number of the next inode made */
  nextIno(): number;
}

/** struct liveupdate_file_op_args. */
export interface FileOpArgs {
  /** null in the next kernel until retrieve has set it */
  file: OpenFile | null;
  /** luo_file_ser.data: what is handed over */
  serializedData: bigint;
  /** the handler's own, in the old kernel only */
  privateData: unknown;
  /** can_finish and finish: 0 never retrieved, > 0 retrieved, < 0 retrieve failed with that errno */
  readonly retrieveStatus: number;
  /** for the trace */
  readonly token: bigint;
}

/** struct liveupdate_file_handler with its ops. The freezing of `compatible` in memory is LUO's business. */
export interface FileHandler {
  /** what fault points and breakpoints call it: `memfd` in `memfd.freeze` */
  readonly name: string;
  /** at most 47 bytes */
  readonly compatible: string;
  canPreserve(file: OpenFile): boolean;
  /** identity in the table of preserved files; the open file itself where it is absent */
  getId?(file: OpenFile): object;
  /** sets serializedData and privateData; undoes its own work where it fails */
  preserve(args: FileOpArgs): Steps<number>;
  unpreserve(args: FileOpArgs): Steps<void>;
  /** may change serializedData */
  freeze?(args: FileOpArgs): Steps<number>;
  unfreeze?(args: FileOpArgs): Steps<void>;
  /** sets file, whose reference passes to LUO */
  retrieve(args: FileOpArgs): Steps<number>;
  canFinish?(args: FileOpArgs): boolean;
  finish(args: FileOpArgs): Steps<void>;
}

/** struct liveupdate_flb_op_args. */
export interface FlbOpArgs {
  data: bigint;
  /** the live object, the owner's own */
  obj: unknown;
}

/** struct liveupdate_flb with its ops. */
export interface Flb {
  /** at most 47 bytes */
  readonly compatible: string;
  /** sets data and obj */
  preserve(args: FlbOpArgs): Steps<number>;
  unpreserve(args: FlbOpArgs): Steps<void>;
  /** sets obj */
  retrieve(args: FlbOpArgs): Steps<number>;
  finish(args: FlbOpArgs): Steps<void>;
}
