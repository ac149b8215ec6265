/** A decoded kvm_run snapshot as every view of it sees it. */
import type { PartialValues, CoalescedRing, IoData } from './areas.js';
import type { Endian } from '../../abi/layout.js';
import type { KvmArch } from '../../abi/kvm/arch.js';
import type { ExitReason } from '../../abi/kvm/exits.js';
import type { KvmRun } from '../../abi/kvm/run.js';
import type { KvmFinding } from './finding.js';
import type { Payload } from './payload.js';

/** `mainline`: 6.8 and later. `seed-v13`: the patches of October 2023. */
export type KvmAbi = 'mainline' | 'seed-v13';

export interface KvmSnapshotOptions {
  /** told from the bytes where not given */
  readonly arch?: KvmArch;
  readonly endian?: Endian;
  readonly abi?: KvmAbi;
  /** of the KVM_RUN before the snapshot; 0 where it returned 0 */
  readonly errno?: number;
  /** of the host, in bytes; 4096 unless given */
  readonly pageSize?: number;
}

export interface KvmSnapshot {
  readonly arch: KvmArch;
  readonly endian: Endian;
  readonly abi: KvmAbi;
  readonly errno: number | null;
  /** of the host, in bytes */
  readonly pageSize: number;
  readonly layout: KvmRun;
  /** kvm_run from its first byte, with the pages after it as far as they are there */
  readonly bytes: Uint8Array;
  /** kvm_run's own fields by the kernel's names; null where the bytes ended */
  readonly header: PartialValues;
  /** null where the bytes end before it */
  readonly exitReason: number | null;
  /** null where this ABI does not know the number */
  readonly exit: ExitReason | null;
  /** can exitReason not be believed? null where no errno is given */
  readonly stale: boolean | null;
  /** null for an unknown reason and for one without payload */
  readonly payload: Payload | null;
  /** of a port access */
  readonly ioData: IoData | null;
  readonly ring: CoalescedRing | null;
  readonly syncRegs: PartialValues | null;
  /** worst first */
  readonly findings: readonly KvmFinding[];
}
