/**
 * The image loaded for kexec, as far as the handover is concerned: the page with the setup_data node (x86) or the devicetree with
 * /chosen (arm64), and where the jump puts it and the scratch array. Source: arch/x86/kernel/kexec-bzimage64.c, drivers/of/kexec.c, 7.3.
 */
import { khoChosen } from '../../../abi/boot/chosen.js';
import { khoData, SETUP_KEXEC_KHO, setupData } from '../../../abi/boot/setup-data.js';
import { khoScratch } from '../../../abi/kho/scratch.js';
import { encodeStruct } from '../../codec/encode.js';
import { buildFdt } from '../../codec/fdt.js';
import { sizeOf } from '../../codec/layout-table.js';
import type { KernelServices } from '../handler.js';
import type { HandoverPointer } from '../kho/incoming.js';
import type { Steps } from '../machine.js';

/** Segments for the handover are at the end of the first scratch area, 64 KiB apart, as the captures have them. */
const SEGMENT_SPACING = 64 << 10;

export interface KexecImage {
  /** what the next kernel will be told; null: KHO is off, nothing is handed over */
  readonly pointer: HandoverPointer | null;
  /** physical: the page loaded, and where the jump copies it */
  readonly source: number;
  readonly destination: number;
}

/** Puts the image in place. @param withHandover it will be told of the handover @returns null where memory is short */
export function* loadImage(kernel: KernelServices, withHandover: boolean): Steps<KexecImage | null> {
  const { kho, machine, pages } = kernel;
  const source = pages.alloc();
  const [low] = kho.scratch;
  if (source === null) return null;
  if (!withHandover || !kho.enabled || kho.fdt === 0 || low === undefined) return { pointer: null, source, destination: 0 };
  const end = low.addr + low.size;
  const pointer: HandoverPointer = { fdt: kho.fdt, scratch: end - SEGMENT_SPACING, scratchSize: kho.scratch.length * sizeOf(khoScratch) };
  if (machine.arch === 'x86_64') {
    machine.writeStruct(setupData, source, { next: 0, type: SETUP_KEXEC_KHO, len: sizeOf(khoData) });
    machine.writeStruct(khoData, source + sizeOf(setupData), {
      fdt_addr: pointer.fdt,
      fdt_size: machine.pageSize,
      scratch_addr: pointer.scratch,
      scratch_size: pointer.scratchSize,
    });
  } else machine.memory.write(source, devicetree(pointer, machine.pageSize), 'fdt_header');
  yield machine.event('kernel', 'setup_kho', { address: source, fdt: pointer.fdt, scratch: pointer.scratch });
  return { pointer, source, destination: end - 2 * SEGMENT_SPACING };
}

// arm64: /chosen names both, as pairs of big-endian cells.
function devicetree(pointer: HandoverPointer, pageSize: number): Uint8Array {
  const cells = new Uint8Array([0, 0, 0, 2]);
  const pair = (address: number, size: number): Uint8Array => encodeStruct(khoChosen, { address, size });
  const chosen = {
    name: 'chosen',
    properties: [
      ['linux,kho-fdt', pair(pointer.fdt, pageSize)],
      ['linux,kho-scratch', pair(pointer.scratch, pointer.scratchSize)],
    ] as const,
    children: [],
  };
  const properties = [
    ['#address-cells', cells],
    ['#size-cells', cells],
  ] as const;
  return buildFdt({ name: '', properties, children: [chosen] });
}

/** The jump's relocation: the loaded page and the scratch array reach their destinations. */
export function* relocate(kernel: KernelServices, image: KexecImage): Steps<void> {
  const { machine, kho } = kernel;
  if (image.pointer === null) return;
  machine.memory.write(image.destination, machine.read(image.source, machine.pageSize), 'page');
  for (const [index, { addr, size }] of kho.scratch.entries())
    machine.writeStruct(khoScratch, image.pointer.scratch + index * sizeOf(khoScratch), { addr, size });
  yield machine.event('kernel', 'relocate_kernel', { address: image.destination, scratch: image.pointer.scratch });
}
