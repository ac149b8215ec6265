/**
 * The vCPU's mapping as KVM writes it: only the fields of an exit are touched, so that what an earlier exit left stays, as it does
 * in a real one. Source: 7.3 arch/x86/kvm/x86.c and include/linux/kvm_host.h (kvm_prepare_memory_fault_exit).
 */
import { KVM_MEMORY_EXIT_FLAG_PRIVATE } from '../../../abi/kvm/ioctls.js';
import { kvmArches } from '../../../abi/kvm/arch.js';
import { exitReasons } from '../../../abi/kvm/exits.js';
import { emulationFailure, hypercall, internal, io, memoryFault, mmio, msr } from '../../../abi/kvm/payloads.js';
import { kvmRunX86 } from '../../../abi/kvm/run.js';
import { MEMORY_FAULT, SEED_MEMORY_FAULT } from '../../../abi/kvm/seed-v13.js';
import type { Struct } from '../../../abi/layout.js';
import { decodeStruct } from '../../codec/decode.js';
import { type EncodableStruct, encodeInto } from '../../codec/encode.js';
import { offsetOf } from '../../codec/layout-table.js';
import { PAGE } from './guest-memory.js';

/** `mainline`: as released. `seed-v13`: as the patches of October 2023 number memory faults. */
export type Numbering = 'mainline' | 'seed-v13';

const EXIT = offsetOf(kvmRunX86, 'exit');
const { mappedPages, pioPage } = kvmArches.x86_64;
const PIO = (pioPage ?? 1) * PAGE;
/** The first processor's APIC, enabled, where it is after reset. */
const APIC_BASE = 0xfee00900n;

/** A nested page fault of AMD SVM, and the error code of a fetch: what the captured kernel put into an emulation failure. */
const SVM_EXIT_NPF = 0x400n;
const NPF_FETCH = 0x1_0000_0014n;
const EMULATION_WORDS = 6;

type ReasonName = 'UNKNOWN' | 'IO' | 'HYPERCALL' | 'HLT' | 'MMIO' | 'SHUTDOWN' | 'INTR' | 'INTERNAL_ERROR' | 'X86_RDMSR';

const numbers = new Map(exitReasons.map(({ name, number }) => [name, number]));

export class RunPage {
  readonly bytes = new Uint8Array(mappedPages * PAGE);
  readonly #memoryFault: number;

  constructor(numbering: Numbering) {
    this.#memoryFault = numbering === 'seed-v13' ? SEED_MEMORY_FAULT : MEMORY_FAULT;
    this.#header({ apic_base: APIC_BASE });
  }

  get immediateExit(): boolean {
    return decodeStruct(kvmRunX86, this.bytes).immediate_exit !== 0;
  }

  set immediateExit(value: boolean) {
    this.#header({ immediate_exit: value ? 1 : 0 });
  }

  reason(name: ReasonName): void {
    this.#header({ exit_reason: numbers.get(`KVM_EXIT_${name}`) ?? 0 });
  }

  io(direction: 0 | 1, port: number, data: Uint8Array): void {
    this.bytes.set(data, PIO);
    this.reason('IO');
    this.#exit(io, { direction, size: data.length, port, count: 1, data_offset: PIO });
  }

  ioData(size: number): Uint8Array {
    return this.bytes.slice(PIO, PIO + size);
  }

  /** @param written null for a read: data keeps its previous value */
  mmio(gpa: number, length: number, written: Uint8Array | null): void {
    this.reason('MMIO');
    this.#exit(mmio, { phys_addr: gpa, len: length, is_write: written === null ? 0 : 1 });
    if (written === null) return;
    const data = this.mmioData(8);
    data.set(written);
    this.#exit(mmio, { data });
  }

  mmioData(length: number): Uint8Array {
    return decodeStruct(mmio, this.bytes, EXIT).data.slice(0, length);
  }

  /** @param args the three that KVM passes on; the others keep their previous values */
  hypercall(nr: bigint, args: readonly [bigint, bigint, bigint], longMode: boolean): void {
    const kept = decodeStruct(hypercall, this.bytes, EXIT).args.slice(args.length);
    this.reason('HYPERCALL');
    this.#exit(hypercall, { nr, args: [...args, ...kept], ret: 0, flags: longMode ? 1 : 0 });
  }

  hypercallResult(): bigint {
    return decodeStruct(hypercall, this.bytes, EXIT).ret;
  }

  /** An MSR KVM does not know. */
  readMsr(index: number): void {
    this.reason('X86_RDMSR');
    this.#exit(msr, { error: 0, pad: new Uint8Array(7), reason: 2, index, data: 0 });
  }

  msrAnswer(): { readonly data: bigint; readonly error: boolean } {
    const { data, error } = decodeStruct(msr, this.bytes, EXIT);
    return { data, error: error !== 0 };
  }

  /** The guest ran where no instructions are. */
  emulationFailure(gpa: number): void {
    this.reason('INTERNAL_ERROR');
    this.#exit(emulationFailure, { suberror: 1, ndata: EMULATION_WORDS });
    const kept = decodeStruct(internal, this.bytes, EXIT).data.slice(EMULATION_WORDS);
    this.#exit(internal, { data: [0n, SVM_EXIT_NPF, NPF_FETCH, BigInt(gpa), 0n, 0n, ...kept] });
  }

  memoryFault(gpa: number, isPrivate: boolean): void {
    this.#header({ exit_reason: this.#memoryFault });
    this.#exit(memoryFault, { flags: isPrivate ? KVM_MEMORY_EXIT_FLAG_PRIVATE : 0n, gpa: gpa - (gpa % PAGE), size: PAGE });
  }

  #header(values: EncodableStruct<typeof kvmRunX86>): void {
    encodeInto(kvmRunX86, values, this.bytes, 0);
  }

  #exit<S extends Struct>(struct: S, values: EncodableStruct<S>): void {
    encodeInto(struct, values, this.bytes, EXIT);
  }
}
