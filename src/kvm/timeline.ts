/**
 * What many snapshots say together: which exits there were, and memory faults that came again without progress. Fed one
 * snapshot at a time, keeps no snapshot.
 */
import { memoryFault } from '../../abi/kvm/payloads.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { finding, type KvmFinding } from './finding.js';
import type { MemoryFault } from './memory-fault.js';
import type { SnapshotEntry } from './snapshot-files.js';
import type { KvmSnapshot } from './snapshot-model.js';
import { hex } from '../tree/words.js';

/** A memory fault that is in consecutive snapshots. */
export interface RepeatedFault extends MemoryFault {
  /** index of the first snapshot that has it */
  readonly first: number;
  /** index of the last one */
  readonly last: number;
  readonly count: number;
}

/** Repeats kept one by one; more are counted. */
const MOST_REPEATS = 1000;

export class Timeline {
  readonly #exits = new Map<string, number>();
  readonly #repeats: RepeatedFault[] = [];
  #current: RepeatedFault | null = null;
  #rip: bigint | null = null;
  #count = 0;
  #dropped = 0;

  add({ index, snapshot }: SnapshotEntry): void {
    this.#count++;
    const name = snapshot.exit?.name ?? (snapshot.exitReason === null ? 'unreadable' : `unknown (${snapshot.exitReason})`);
    this.#exits.set(name, (this.#exits.get(name) ?? 0) + 1);
    const fault = reportedFault(snapshot);
    const current = this.#current;
    const rip = syncedRip(snapshot);
    // A register that moved on is progress; mostly registers are not synchronised, and then nothing tells.
    const moved = rip !== null && this.#rip !== null && rip !== this.#rip;
    this.#rip = rip;
    if (fault !== null && current !== null && !moved && fault.flags === current.flags && fault.gpa === current.gpa) {
      this.#current = { ...current, last: index, count: current.count + 1 };
      return;
    }
    this.#close();
    this.#current = fault === null ? null : { ...fault, first: index, last: index, count: 1 };
  }

  /** To be called once, after the last snapshot. */
  finish(): TimelineSummary {
    this.#close();
    this.#current = null;
    const findings = this.#repeats.map((repeat) => repeatFinding(repeat));
    if (this.#dropped > 0) findings.push(finding('kvm.repeated-fault', 'warning', 'timeline', `${this.#dropped} further repeated faults are not listed`));
    return { count: this.#count, exits: this.#exits, repeats: this.#repeats, findings };
  }

  #close(): void {
    if (this.#current === null || this.#current.count < 2) return;
    if (this.#repeats.length < MOST_REPEATS) this.#repeats.push(this.#current);
    else this.#dropped++;
  }
}

export interface TimelineSummary {
  readonly count: number;
  /** name of the exit -> snapshots */
  readonly exits: ReadonlyMap<string, number>;
  readonly repeats: readonly RepeatedFault[];
  readonly findings: readonly KvmFinding[];
}

/** The memory fault a snapshot reports, null where it reports none or one that an earlier run left. */
function reportedFault({ payload, bytes, endian, stale, header }: KvmSnapshot): MemoryFault | null {
  // With immediate_exit set KVM_RUN returns before the guest runs: what is there is the fault before.
  if (payload?.name !== 'memory_fault' || stale === true || header.immediate_exit === 1) return null;
  return bytes.length < payload.offset + sizeOf(memoryFault) ? null : decodeStruct(memoryFault, bytes, payload.offset, { endian });
}

/** RIP, where the snapshot carries it. */
function syncedRip({ syncRegs }: KvmSnapshot): bigint | null {
  const regs = syncRegs?.regs;
  return typeof regs === 'object' && regs !== null && 'rip' in regs && typeof regs.rip === 'bigint' ? regs.rip : null;
}

const repeatFinding = ({ first, last, count, flags, gpa, size }: RepeatedFault): KvmFinding =>
  finding(
    'kvm.repeated-fault',
    'warning',
    `timeline/${first}`,
    `the same memory fault ${count} times in a row, snapshots ${first} to ${last} (flags ${hex(flags)}, gpa ${hex(gpa)}, size ${hex(size)}): what was done in between made no progress; ` +
      'count identical faults and stop, as KVM_CAP_MEMORY_FAULT_INFO asks of user space',
  );
