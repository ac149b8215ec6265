/** What LUO's and KHO's own objects say in a running kernel: records without bytes, for handovers.ts, rules and reports. */
import type { CStringValue } from '../../abi/layout.js';
import type { Holder, Phase, SessionState } from '../handover/life.js';
import type { KernelObject } from '../kernel/object.js';
import type { LiveMemfd } from './memfd.js';

/** Something that could not be read, and why. */
export interface Trouble {
  /** what was to be read, as a reader names it */
  readonly what: string;
  readonly why: string;
  /** physical address of a page that the dump lacks; null where that is not the reason */
  readonly page: number | null;
}

export interface LiveFile {
  readonly token: bigint;
  readonly compatible: CStringValue;
  readonly phase: Phase;
  /** the kernel's own: 0 not tried, 1 done, a negative errno; null where no object exists */
  readonly retrieveStatus: number | null;
  /** physical address of what the handler serialised */
  readonly data: bigint;
  /** `vmlinux`, or the module whose handler it is; null where that can't be told */
  readonly module: string | null;
  /** the symbol of the handler's operations; null where no symbol tells */
  readonly operations: string | null;
  readonly memfd: LiveMemfd | null;
  /** who has the file itself open, beside LUO; null where processes can't be read */
  readonly openBy: readonly Holder[] | null;
  readonly object: KernelObject;
}

export interface LiveSession {
  readonly name: CStringValue;
  readonly state: SessionState;
  /** as the object says; null on the outgoing side, where it means nothing, and where no object exists */
  readonly retrieved: boolean | null;
  readonly count: bigint;
  readonly files: readonly LiveFile[];
  /** false where the list of files could not be walked to its end */
  readonly complete: boolean;
  readonly openBy: readonly Holder[] | null;
  readonly object: KernelObject;
}

export interface LiveSide {
  readonly side: 'incoming' | 'outgoing';
  /** has this side been set up? */
  readonly active: boolean;
  /** null where the list of sessions could not be read at all */
  readonly sessions: readonly LiveSession[] | null;
  readonly complete: boolean;
  /** of the outgoing side: are its sessions serialised? */
  readonly frozen: boolean;
}

export interface LiveFlb {
  readonly name: CStringValue;
  readonly module: string | null;
  readonly operations: string | null;
  readonly users: number | null;
  readonly sides: readonly {
    readonly side: 'incoming' | 'outgoing';
    readonly count: number;
    readonly data: bigint;
    readonly finished: boolean;
    readonly retrieveStatus: number | null;
  }[];
  readonly object: KernelObject;
}

/** A blob that KHO shows in debugfs. */
export interface LiveBlob {
  readonly side: 'incoming' | 'outgoing';
  readonly name: string;
  /** physical; null where it can't be told */
  readonly address: number | null;
  readonly size: number;
}

export interface LiveKho {
  /** physical address of the FDT that was handed over to this kernel; null where none was */
  readonly incomingFdt: number | null;
  /** physical address of the FDT that this kernel hands over; null where there is none */
  readonly outgoingFdt: number | null;
  /** where the release has it: was the handover finalised? */
  readonly finalised: boolean | null;
  readonly previousRelease: string | null;
  readonly kexecCount: number | null;
  readonly blobs: readonly LiveBlob[];
}

export interface LiveObjects {
  readonly incoming: LiveSide;
  readonly outgoing: LiveSide;
  /** has /dev/liveupdate been opened, so that sessions were deserialised? null where no symbol tells */
  readonly deserialised: boolean | null;
  /** what deserialising returned: 0 or a negative errno; null where it was not tried, or can't be told */
  readonly deserialiseError: number | null;
  readonly flbs: readonly LiveFlb[] | null;
  readonly kho: LiveKho;
  readonly taskCount: number | null;
  /** page frames of the memfds (and other files of shmem) that processes have open; null where processes could not all be read */
  readonly openPages: { has(pfn: number): boolean } | null;
  readonly troubles: readonly Trouble[];
}
