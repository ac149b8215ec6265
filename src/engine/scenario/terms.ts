/** The vocabulary of a scenario: what its words may be. For the types of its parts and for the parser's tables. */
import type { ErrnoName } from '../../../abi/errno.js';

/** A place in the scenario's file, both counted from 1. */
export interface SourcePosition {
  readonly line: number;
  readonly column: number;
}

/** A descriptor: the name an earlier step gave it (`as`), or a bare number (`-1`, `999`). */
export type FdRef = string | number;

export const VFIO_VARIANTS = ['seed', 'v5', 'running'] as const;
/**
 * Which of the series' patches are there: patch 07/24 of v3 alone; with its later parts, as v5 has them; and what the series is for:
 * a device that goes on running, a bus master still, while the kernel below it is replaced.
 */
export type VfioVariant = (typeof VFIO_VARIANTS)[number];

/** Kinds of descriptor that `fd` makes. `session` and `device` give another descriptor of what is open. */
export const FD_KINDS = [
  'eventfd',
  'epoll',
  'timerfd',
  'signalfd',
  'inotify',
  'pipe',
  'socket',
  'secretmem',
  'pidfd',
  'dev-null',
  'dev-zero',
  'dev-mem',
  'dev-kvm',
  'dev-vfio',
  'iommufd',
  'proc',
  'file',
  'tmpfs',
  'tmpfs-unlinked',
  'o-tmpfile',
  'session',
  'device',
] as const;

export const HANDLER_CALLBACKS = ['can_preserve', 'preserve', 'unpreserve', 'freeze', 'unfreeze', 'retrieve', 'can_finish', 'finish'] as const;
export type HandlerCallback = (typeof HANDLER_CALLBACKS)[number];

/** The moments a run passes; `--until` and damage name them. */
export const MOMENTS = ['preserved', 'frozen', 'early', 'booted'] as const;
export type Moment = (typeof MOMENTS)[number];

/** Signals that a system call of a scenario can end in: a store past the end of a file, the OOM killer. */
export type SignalName = 'SIGBUS' | 'SIGKILL';

/** What a step must answer. `errno` null: it must succeed, unless a signal is expected. */
export interface Expectation {
  readonly errno: ErrnoName | null;
  /** the exact return value, where given (-1 with an errno) */
  readonly ret: number | null;
  /** the new descriptor must be of the same file as this one */
  readonly same: string | null;
  /** get-name: the name that must come back */
  readonly name: Uint8Array | null;
  /** the process must get this signal; null: nothing is said of signals */
  readonly signal: SignalName | null;
  /** lines that must be printed on the console, by a part of their text; in this order */
  readonly console: readonly string[];
  /** whether the new descriptor must be close-on-exec; null: not looked at */
  readonly cloexec: boolean | null;
}

/** Pages of the content pattern (docs/scenarios.md): page p of seed s. */
export interface Fill {
  /** first page of the file */
  readonly page: number;
  readonly pages: number;
  readonly seed: number;
}

/** How the argument structure of an ioctl departs from the well-formed one. */
export interface IoctlShape {
  /** the `size` field; null: the structure's own */
  readonly size: number | null;
  /** the bytes after the structure, repeated up to `size`; null: zeros */
  readonly tail: Uint8Array | null;
  /** the memory that the argument pointer leads to: none (NULL, or not mapped), or memory that the answer can't be stored in */
  readonly memory: 'writable' | 'read-only' | 'unmapped' | 'null';
  /** bytes of it that are mapped; null: as many as anybody asks for */
  readonly mapped: number | null;
}

/** What every step has. */
export interface StepBase {
  /** 0-based place among the scenario's steps */
  readonly index: number;
  readonly position: SourcePosition;
  readonly expect: Expectation;
  /** the process that carries it out; null: the first */
  readonly by: string | null;
}

/** What a step must answer where it says nothing: 0, and nothing else is looked at. */
export const expectSuccess: Expectation = { errno: null, ret: null, same: null, name: null, signal: null, console: [], cloexec: null };

/** A kernel of which only the release is said. */
export const plainKernel = (release: string, position: SourcePosition) => ({
  release,
  kho: true,
  liveupdate: true,
  without: [],
  vfio: null,
  zdevKvm: false,
  speaks: [],
  position,
});
