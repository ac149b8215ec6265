/** Parts of a handover, as both the kernel that gives it and the one that takes it see them. Addresses are physical, sizes in bytes. */

export interface ScratchArea {
  readonly addr: number;
  readonly size: number;
}

/** A subtree of the root FDT: where its blob is. */
export interface Subtree {
  readonly name: string;
  readonly address: number;
  readonly size: number;
}
