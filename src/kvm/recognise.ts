/**
 * Is a file a kvm_run snapshot? Nothing in it says so, hence the header must be one that KVM writes, and everything KVM leaves
 * empty must be. For commands that are given a file without being told what it is.
 */
import type { Endian } from '../../abi/layout.js';
import type { KvmArch } from '../../abi/kvm/arch.js';
import { exitReasons } from '../../abi/kvm/exits.js';
import { kvmRun, kvmRunParts } from '../../abi/kvm/run.js';
import { layoutTable, offsetOf, sizeOf } from '../codec/layout-table.js';
import { decodeField } from './areas.js';
import { unknownBits } from '../tree/words.js';

/** Pages of kvm_run are this large or a multiple of it. */
export const SMALLEST_PAGE = 4096;
/** More snapshots than anybody keeps in one file: beyond that it is memory. */
const MOST_PAGES = 1 << 22;
/** What BIOS and kernels leave in the APIC base register: a page, and bits 8 (BSP), 10 (x2APIC) and 11 (enabled). */
const APIC_BASE_LOW_BITS = 0xd00n;

/**
 * Conservative: false for anything doubtful, a vCPU that never ran included.
 * @param bytes the first bytes of the file, at least a page where the file has one
 * @param size of the whole file, in bytes
 */
export function looksLikeKvmRun(bytes: Uint8Array, size: number): boolean {
  if (size < SMALLEST_PAGE || size % SMALLEST_PAGE !== 0 || size / SMALLEST_PAGE > MOST_PAGES || bytes.length < SMALLEST_PAGE) return false;
  return hasRun(bytes);
}

/** Is this page a kvm_run whose vCPU ran at least once? */
export const hasRun = (page: Uint8Array): boolean => isRun(page, 'x86_64', 'little') || isRun(page, 's390', 'big') || isRun(page, 'powerpc', 'big');

function isRun(page: Uint8Array, arch: KvmArch, endian: Endian): boolean {
  const layout = kvmRun[arch];
  const value = (name: string): bigint => {
    const { type, offset, size } = layoutTable(layout).field(name);
    const decoded = decodeField(type, page, offset, size, endian);
    return typeof decoded === 'bigint' || typeof decoded === 'number' ? BigInt(decoded) : -1n;
  };
  const isBoolean = (name: string): boolean => value(name) === 0n || value(name) === 1n;
  if (page.length < sizeOf(layout) || !['request_interrupt_window', 'immediate_exit', 'ready_for_interrupt_injection', 'if_flag'].every(isBoolean))
    return false;
  const reason = value('exit_reason');
  const apicBase = value('apic_base');
  if (reason >= BigInt(exitReasons.length) || (reason === 0n && apicBase === 0n)) return false;
  if (!isApicBase(apicBase) || value('cr8') > 15n || unknownBits(value('flags'), layout.fields.flags.flagNames ?? {}) !== 0n) return false;
  const names = Object.fromEntries(kvmRunParts[arch].syncClasses.map((part) => [part.bit, part.name]));
  const shared = value('kvm_valid_regs') | value('kvm_dirty_regs');
  if (unknownBits(shared, names) !== 0n) return false;
  const padding = layoutTable(layout).field('padding1');
  const emptyFrom = shared === 0n ? offsetOf(layout, 's') : sizeOf(layout);
  return isZero(page, padding.offset, padding.offset + padding.size) && isZero(page, emptyFrom, SMALLEST_PAGE);
}

const isApicBase = (value: bigint): boolean => value === 0n || (value < 1n << 52n && (value & 0xfffn & ~APIC_BASE_LOW_BITS) === 0n && value >= 0x1000n);

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < Math.min(to, bytes.length); at++) if (bytes[at] !== 0) return false;
  return true;
}
