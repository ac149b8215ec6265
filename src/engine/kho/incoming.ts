/**
 * The next kernel's early look at what it was handed: kho_populate, then kho_memory_init's walk over the preserved map. Everything
 * is read back from memory through abi/. Source: kernel/liveupdate/kexec_handover.c, 7.1.13 to 7.3.4.
 */
import { fdtHeader } from '../../../abi/fdt/header.js';
import { khoRootFdt } from '../../../abi/kho/root-fdt.js';
import { khoScratch } from '../../../abi/kho/scratch.js';
import { type Fdt, fdtInteger, type FdtNode, fdtProperty, fdtStrings, fdtTotalSize, parseFdt, LARGEST_FDT } from '../../codec/fdt.js';
import { encodeField } from '../../codec/encode.js';
import { offsetOf, sizeOf } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import type { KernelSpec } from '../kernel/release.js';
import { PHYSICAL_LIMIT } from '../../memory/memory.js';
import { type Machine, PanicError, type Steps } from '../machine.js';

/** Where the previous kernel said the handover is: setup_data on x86, /chosen on arm64. */
export interface HandoverPointer {
  /** physical */
  readonly fdt: number;
  /** physical, of the array of kho_scratch; 0 with size 0: not known (a dump taken before the jump) */
  readonly scratch: number;
  /** bytes */
  readonly scratchSize: number;
}

const FDT_ERR_NOTFOUND = -1;
/** Scratch areas start at multiples of a pageblock, 2 MiB at least. */
const AREA_UNIT = 2 << 20;

/** A handover that this kernel accepted. */
export class IncomingHandover {
  readonly pointer: HandoverPointer;
  readonly scratch: readonly ScratchArea[];
  /** physical address of the map */
  readonly map: number;
  readonly #root: FdtNode;
  readonly #record: KernelSpec['record'];
  readonly #pageSize: number;

  /** @param pageSize what a subtree is taken to have where its size is not recorded */
  constructor(pointer: HandoverPointer, scratch: readonly ScratchArea[], map: number, root: FdtNode, record: KernelSpec['record'], pageSize: number) {
    this.#record = record;
    this.#pageSize = pageSize;
    this.pointer = pointer;
    this.scratch = scratch;
    this.map = map;
    this.#root = root;
  }

  /** @returns the subtree's blob, or ENOENT (no such node) or EINVAL (a property is missing or has another size) */
  subtree(name: string): Subtree | number {
    const node = this.#root.children.find((child) => child.name === name);
    if (node === undefined) return negative('ENOENT');
    const [layout] = khoRootFdt(this.#record).children;
    const number = (property: string): number | null => {
      const value = layout === undefined ? null : fdtInteger(node, layout, property);
      return value === null ? null : Number(value);
    };
    const address = number(this.#record === 'fdt' ? 'fdt' : 'preserved-data');
    const size = this.#record === 'fdt' ? this.#pageSize : number('blob-size');
    return address === null || size === null ? negative('EINVAL') : { name, address, size };
  }
}

/**
 * kho_populate: checks the handover.
 * @returns it, or null where the kernel goes on as if it had been switched on
 * @throws MissingPageError @throws PanicError
 */
export function* populate(machine: Machine, spec: KernelSpec, pointer: HandoverPointer): Steps<IncomingHandover | null> {
  yield machine.enter('next-kernel', 'kho_populate', { fdt: pointer.fdt, scratch: pointer.scratch });
  const found = check(machine, spec, pointer);
  if (typeof found === 'string') {
    yield machine.printk(`KHO: setup: ${found}`, 'next-kernel');
    yield machine.printk('KHO: disabling KHO revival', 'next-kernel');
    yield machine.exit(negative('EINVAL'));
    return null;
  }
  yield machine.printk('KHO: found kexec handover data.', 'next-kernel');
  yield machine.exit();
  return found;
}

function check(machine: Machine, spec: KernelSpec, pointer: HandoverPointer): IncomingHandover | string {
  const at = `handover FDT (0x${pointer.fdt.toString(16)})`;
  const fdt = readFdt(machine, pointer.fdt);
  // fdt_check_header looks at the header alone. Damage after it is met, or not, by whoever reads there.
  const headers = fdt.problems.find(({ offset }) => offset < sizeOf(fdtHeader));
  if (headers !== undefined) return `${at} is invalid: ${headers.code}`;
  const { root } = fdt;
  if (root === null) return `${at} is invalid: ${fdt.problems[0]?.code ?? -11}`;
  const compatible = fdtStrings(fdtProperty(root, 'compatible'));
  if (!compatible.includes(spec.khoCompatible)) return `${at} is incompatible with '${spec.khoCompatible}': ${compatible.length === 0 ? FDT_ERR_NOTFOUND : 1}`;
  const map = fdtInteger(root, khoRootFdt(spec.record), 'preserved-memory-map');
  // A chain may be empty; a tree has a root from boot.
  if (map === null || (map === 0n && spec.map === 'radix')) return `failed to get preserved memory map from ${at}`;
  const scratch: ScratchArea[] = [];
  const each = sizeOf(khoScratch);
  for (let offset = 0; offset + each <= pointer.scratchSize; offset += each) {
    const area = machine.readStruct(khoScratch, pointer.scratch + offset);
    scratch.push({ addr: Number(area.addr), size: Number(area.size) });
  }
  checkScratch(machine, scratch);
  return new IncomingHandover(pointer, scratch, Number(map), root, spec.record, machine.pageSize);
}

// Until the map has been walked these areas are all the memory there is, and nothing checks them: seen with 7.3.4.
function checkScratch(machine: Machine, areas: readonly ScratchArea[]): void {
  for (const [index, { addr, size }] of areas.entries()) {
    if (index === 0 && size === 0) throw new PanicError('the low scratch area is empty: there is no memory to boot in');
    // A dump may leave out high memory: an address that a kernel could have chosen is believed.
    if (size > 0 && (addr % AREA_UNIT !== 0 || addr >= PHYSICAL_LIMIT) && !machine.isMemory(addr))
      throw new PanicError(`scratch area ${index} at 0x${addr.toString(16)} is no memory of this machine`);
  }
}

/** Reads the FDT at `address`. A totalsize beyond the page is believed: KHO writes nothing there. */
export function readFdt(machine: Machine, address: number): Fdt {
  const page = machine.read(address, machine.pageSize);
  const total = fdtTotalSize(page) ?? 0;
  if (total > page.length && total <= LARGEST_FDT) {
    page.set(encodeField(fdtHeader, 'totalsize', page.length), offsetOf(fdtHeader, 'totalsize'));
    return parseFdt(page);
  }
  return parseFdt(page.subarray(0, Math.max(Math.min(total, page.length), sizeOf(fdtHeader))));
}

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
