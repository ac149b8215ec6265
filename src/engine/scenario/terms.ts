/** The vocabulary of a scenario: what its words may be. For the types of its parts and for the parser's tables. */

/** Where something stands in the scenario's file, both counted from 1. */
export interface SourcePosition {
  readonly line: number;
  readonly column: number;
}

/** A descriptor: the name an earlier step gave it (`as`), or a bare number (`-1`, `999`). */
export type FdRef = string | number;

export type VfioVariant = 'seed' | 'v5';
export type IrqMode = 'none' | 'intx' | 'msi' | 'msix';
export type PowerState = 'D0' | 'D1' | 'D2' | 'D3hot' | 'D3cold';
export type ResetMethod = 'flr' | 'pm' | 'bus' | 'none';
export type SealName = 'SEAL' | 'SHRINK' | 'GROW' | 'WRITE' | 'FUTURE_WRITE' | 'EXEC';
export type MemfdFlag = 'ALLOW_SEALING' | 'NOEXEC_SEAL' | 'EXEC' | 'HUGETLB' | 'CLOEXEC';

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
export type FdKind = (typeof FD_KINDS)[number];

export const HANDLER_CALLBACKS = ['can_preserve', 'preserve', 'unpreserve', 'freeze', 'unfreeze', 'retrieve', 'can_finish', 'finish'] as const;
export type HandlerCallback = (typeof HANDLER_CALLBACKS)[number];

/** The moments a run passes; `--until` and damage name them. */
export const MOMENTS = ['preserved', 'frozen', 'early', 'booted'] as const;
export type Moment = (typeof MOMENTS)[number];
