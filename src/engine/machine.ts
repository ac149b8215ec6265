/** The machine: its memory, what is recorded of the run, and the words with which the kernel's code records it. Knows no kernel. */
import type { DecodedStruct, Struct } from '../../abi/layout.js';
import { decodeStruct } from '../codec/decode.js';
import { encodeField, encodeStruct, type Encodable, type EncodableStruct } from '../codec/encode.js';
import { layoutTable, sizeOf, typeSize } from '../codec/layout-table.js';
import { findRange, type MemoryRange, PHYSICAL_LIMIT, type PhysicalMemory } from '../memory/memory.js';
import { FaultPlan } from './faults.js';
import { TracedMemory } from './memory/traced-memory.js';
import { flip } from './flip.js';
import type { Fault, Moment } from './scenario/types.js';
import { StateLog } from './trace/state-log.js';
import { ReadLog, Trace } from './trace/trace.js';
import type { Actor, StepArgs } from './trace/step.js';
import { Work } from './work.js';

/** Kernel code that can be stopped after every step: it yields once for each and returns `T`. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Runs kernel code to its end without stopping. */
export function runThrough<T>(steps: Steps<T>): T {
  let next = steps.next();
  while (next.done !== true) next = steps.next();
  return next.value;
}

/** A page that a dump does not hold was needed: what the kernel would have done can't be known. */
export class MissingPageError extends Error {
  override readonly name = 'MissingPageError';
  readonly address: number;
  constructor(address: number) {
    super(`the page at physical address 0x${address.toString(16)} is not in this dump: what the kernel would do cannot be known`);
    this.address = address;
  }
}

/** The kernel stopped for good. */
export class PanicError extends Error {
  override readonly name = 'PanicError';
}

/** A smaller gap is one of the dump's, not of the machine's memory. */
const SMALLEST_HOLE = 64 << 20;
/** phys_addr_t */
const ADDRESS_BYTES = 8;

interface MachineOptions {
  readonly arch: 'x86_64' | 'aarch64';
  /** bytes */
  readonly memory: number;
  /** bytes */
  readonly pageSize: number;
  readonly faults: readonly Fault[];
  /** memory found in a dump, beneath everything that the run writes */
  readonly base: PhysicalMemory | null;
  /** keep what was read, for who asks why; absent: no */
  readonly logReads?: boolean;
  /** tables of folios that are as they should be are taken whole, without a step for each; absent: no */
  readonly inBulk?: boolean;
}

/** A moment that a run passed, and the step after which memory is as it was then. */
export interface PassedMoment {
  readonly moment: Moment;
  readonly step: number;
  /** jumps made before it */
  readonly kernel: number;
}

interface WrittenStruct {
  readonly struct: Struct;
  readonly address: number;
}

export class Machine {
  readonly arch: 'x86_64' | 'aarch64';
  readonly pageSize: number;
  readonly pageShift: number;
  /** bytes */
  readonly size: number;
  readonly memory: TracedMemory;
  readonly trace: Trace;
  /** what the run may still cost */
  readonly work = new Work();
  readonly state = new StateLog();
  readonly faults: FaultPlan;
  /** the memory beneath is a dump's: pages may be missing from it */
  readonly fromDump: boolean;
  /** what was read, where that is kept */
  readonly reads: ReadLog | null;
  /** nobody is going to look at single folios unless something is wrong with them */
  readonly inBulk: boolean;
  /** does a preserved block cover the address? Asked of a dump that lacks the page; the kernel sets it once it has walked the map */
  isPreserved: (address: number) => boolean = () => false;
  /** what the dump beneath holds */
  readonly #held: readonly MemoryRange[];
  /** jumps made */
  kernel = 0;
  /** 0-based place of the scenario's step being carried out, or -1 */
  action = -1;
  readonly #written = new Map<string, { readonly inOrder: WrittenStruct[]; readonly addresses: Set<number> }>();
  readonly moments: PassedMoment[] = [];
  readonly #structs = new Map<string, Struct>();
  readonly #calls: { readonly step: number; readonly actor: Actor; readonly op: string }[] = [];
  #lines: string[] = [];
  /** every console line so far */
  readonly console: string[] = [];

  constructor(options: MachineOptions) {
    this.arch = options.arch;
    this.pageSize = options.pageSize;
    this.pageShift = Math.log2(options.pageSize);
    this.size = options.memory;
    this.fromDump = options.base !== null;
    this.#held = options.base?.readable ?? [];
    this.memory = new TracedMemory(options.memory, options.pageSize, options.base, this.work);
    this.reads = options.logReads === true ? new ReadLog() : null;
    this.inBulk = options.inBulk === true && options.faults.length === 0;
    this.trace = new Trace(this.memory.log, this.reads);
    this.faults = new FaultPlan(options.faults);
    for (const fault of options.faults) {
      if (fault.kind === 'flip' && 'struct' in fault.where) this.#written.set(fault.where.struct, { inOrder: [], addresses: new Set() });
    }
  }

  /** A call begins. */
  enter(actor: Actor, op: string, args: StepArgs | null = null): undefined {
    const step = this.#push(actor, 'enter', op, args, 0);
    this.#calls.push({ step, actor, op });
  }

  /** The innermost call ends. */
  exit(result = 0, args: StepArgs | null = null): undefined {
    const call = this.#calls.pop();
    this.#push(call?.actor ?? 'kernel', 'exit', call?.op ?? '', args, result);
  }

  /** A call whole: the result of its exit is the number that `body` returns, or 0. @param told arguments of the exit */
  *call<T>(actor: Actor, op: string, args: StepArgs | null, body: Steps<T>, told: (result: T) => StepArgs | null = () => null): Steps<T> {
    yield this.enter(actor, op, args);
    const result = yield* body;
    yield this.exit(typeof result === 'number' ? result : 0, told(result));
    return result;
  }

  /** Something happens that is no call. */
  event(actor: Actor, op: string, args: StepArgs | null = null, result = 0): undefined {
    this.#push(actor, 'event', op, args, result);
  }

  /** A console line: a step of its own. */
  printk(line: string, actor: Actor = 'kernel'): undefined {
    this.#lines.push(line);
    this.console.push(line);
    this.#push(actor, 'event', 'printk', null, 0);
  }

  /** Calls that are open, outermost first. */
  get depth(): number {
    return this.#calls.length;
  }

  /** Forgets calls that a panic or a jump left open, down to `depth`. */
  unwind(depth: number): void {
    this.#calls.length = Math.min(this.#calls.length, depth);
  }

  #push(actor: Actor, phase: 'event' | 'enter' | 'exit', op: string, args: StepArgs | null, result: number): number {
    this.work.step();
    const log = this.#lines.length === 0 ? null : this.#lines;
    if (log !== null) this.#lines = [];
    const parent = this.#calls[this.#calls.length - 1]?.step ?? 0;
    return this.trace.push({
      kernel: this.kernel,
      actor,
      phase,
      op,
      args,
      result,
      log,
      parent,
      depth: this.#calls.length,
      action: this.action,
      states: this.state.length,
      injected: this.faults.struck(),
    });
  }

  /** The layout of a structure that the run has written, by the kernel's name. */
  structNamed(name: string): Struct | null {
    return this.#structs.get(name) ?? null;
  }

  /** Writes a whole structure at a physical address; fields not given are 0. */
  writeStruct<S extends Struct>(struct: S, address: number, values: EncodableStruct<S>): void {
    this.#structs.set(struct.name, struct);
    this.memory.write(address, encodeStruct(struct, values, { pageSize: this.pageSize }), struct.name);
    this.noteWritten(struct, address);
  }

  /** Writes one field of the structure at `address`. */
  writeField<S extends Struct>(struct: S, address: number, field: keyof S['fields'] & string, value: Encodable): void {
    this.#structs.set(struct.name, struct);
    const { offset } = layoutTable(struct, this.pageSize).field(field);
    this.memory.write(address + offset, encodeField(struct, field, value, { pageSize: this.pageSize }), struct.name, field);
  }

  /** Physical address of element `index` of an array field of the structure at `address`. */
  elementAt<S extends Struct>(struct: S, address: number, field: keyof S['fields'] & string, index: number): number {
    const { offset, type } = layoutTable(struct, this.pageSize).field(field);
    if (type.kind !== 'array') throw new Error(`${struct.name}.${field} is no array`);
    return address + offset + index * typeSize(type.of, this.pageSize);
  }

  /** Writes one element of an array of addresses. */
  writeElement<S extends Struct>(struct: S, address: number, field: keyof S['fields'] & string, index: number, value: number): void {
    this.#structs.set(struct.name, struct);
    const bytes = new Uint8Array(ADDRESS_BYTES);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), struct.endian === 'little');
    this.memory.write(this.elementAt(struct, address, field, index), bytes, struct.name, field);
  }

  /** Reads one element of an array of addresses. @throws MissingPageError @throws PanicError */
  readElement<S extends Struct>(struct: S, address: number, field: keyof S['fields'] & string, index: number): number {
    return this.#readAddress(this.elementAt(struct, address, field, index));
  }

  /** Reads one field that is an address. @throws MissingPageError @throws PanicError */
  readAddressField<S extends Struct>(struct: S, address: number, field: keyof S['fields'] & string): number {
    return this.#readAddress(address + layoutTable(struct, this.pageSize).field(field).offset);
  }

  #readAddress(at: number): number {
    this.reads?.push(this.trace.length + 1, at, ADDRESS_BYTES);
    if (this.fromDump && this.memory.now.page(Math.floor(at / this.pageSize)) === undefined) this.read(at, ADDRESS_BYTES);
    else if (at >= this.size && !this.fromDump) this.read(at, ADDRESS_BYTES);
    return this.memory.readU64(at);
  }

  /** Remembers where structures were written, in order, if a fault is going to name them. */
  noteWritten(struct: Struct, address: number): void {
    const seen = this.#written.get(struct.name);
    if (seen === undefined || seen.addresses.has(address)) return;
    seen.addresses.add(address);
    seen.inOrder.push({ struct, address });
  }

  /** The nth structure of that name that was written, from 1. */
  writtenStruct(name: string, nth: number): WrittenStruct | null {
    return this.#written.get(name)?.inOrder[nth - 1] ?? null;
  }

  /** Reads a structure. @throws MissingPageError where a dump beneath does not hold the page */
  readStruct<S extends Struct>(struct: S, address: number): DecodedStruct<S> {
    return decodeStruct(struct, this.read(address, sizeOf(struct, this.pageSize)), 0, { pageSize: this.pageSize });
  }

  /** Reads `length` bytes. @throws MissingPageError @throws PanicError where the machine has no memory */
  read(address: number, length: number): Uint8Array {
    this.reads?.push(this.trace.length + 1, address, length);
    const bytes = new Uint8Array(length);
    // A dump may hold firmware's ROM: no kernel maps it as memory.
    const got = this.fromDump && !this.isMemory(address) ? 0 : this.memory.now.readInto(address, length, bytes);
    if (got === length) return bytes;
    const at = address + got;
    if (!this.isMemory(at))
      throw new PanicError(`BUG: unable to handle page fault for physical address 0x${BigInt.asUintN(64, BigInt(at)).toString(16)}${this.#place()}`);
    throw new MissingPageError(at);
  }

  /** Is memory there, as far as a dump (and the map of what was preserved) tells? A page that is only missing from the dump is memory. */
  isMemory(address: number): boolean {
    if (address < 0 || address >= PHYSICAL_LIMIT) return false;
    if (!this.fromDump) return address < this.size;
    if (address >= this.size) return this.isPreserved(address);
    return this.memory.now.stateOf(address) !== 'out-of-range' || !this.#isInHole(address);
  }

  /** Far from any page that the dump holds on both sides: the gap below 4 GiB, say. */
  #isInHole(address: number): boolean {
    const { index } = findRange(this.#held, address);
    const [before, after] = [this.#held[index - 1], this.#held[index]];
    return before !== undefined && after !== undefined && after.start - before.end >= SMALLEST_HOLE;
  }

  #place(): string {
    const call = this.#calls.at(-1);
    return call === undefined ? '' : ` in ${call.op}`;
  }

  /** A moment is passed: memory that faults damage then is damaged, and the moment is marked. */
  passMoment(moment: Moment): undefined {
    const jump = moment === 'frozen' ? this.kernel + 1 : this.kernel;
    for (const fault of this.faults.faults) {
      if (fault.kind === 'flip' && fault.step === null && fault.moment === moment && fault.jump === jump) flip(this, fault);
    }
    this.event(moment === 'early' || moment === 'booted' ? 'next-kernel' : 'kernel', `moment ${moment}`);
    this.moments.push({ moment, step: this.trace.length, kernel: this.kernel });
  }

  /** The kernel touches what is not mapped. @throws PanicError always */
  fault(what: string): never {
    throw new PanicError(`BUG: unable to handle page fault: ${what}${this.#place()}`);
  }
}
