/**
 * What a memory fault says and asks for: range, guest frames, and the KVM_SET_MEMORY_ATTRIBUTES that would convert it.
 * Source: Documentation/virt/kvm/api.rst, KVM_EXIT_MEMORY_FAULT and KVM_SET_MEMORY_ATTRIBUTES.
 */
import { DEFAULT_PAGE_SIZE } from '../codec/layout-table.js';
import { KVM_MEMORY_ATTRIBUTE_PRIVATE, KVM_MEMORY_EXIT_FLAG_PRIVATE } from '../../abi/kvm/ioctls.js';
import { KVM_SET_MEMORY_ATTRIBUTES2, inPlaceConversion } from '../../abi/kvm/proposed.js';
import { ERRNO } from '../../abi/errno.js';
import { counted, hex } from '../tree/words.js';
import type { KvmAbi } from './snapshot-model.js';

export interface MemoryFault {
  readonly flags: bigint;
  /** guest physical, in bytes */
  readonly gpa: bigint;
  /** in bytes */
  readonly size: bigint;
}

interface Conversion {
  /** guest physical, page-aligned */
  readonly address: bigint;
  /** whole pages, in bytes */
  readonly size: bigint;
  readonly attributes: bigint;
}

interface FaultRange {
  readonly private: boolean;
  /** flag bits that no kernel defines */
  readonly unknownFlags: bigint;
  /** [start, end) in bytes, guest physical; null where size is 0 or the range wraps */
  readonly end: bigint | null;
  readonly firstGfn: bigint;
  /** null as `end` */
  readonly lastGfn: bigint | null;
  /** the range is not made of whole pages */
  readonly subPage: boolean;
  /** the call that would convert the pages of the range, null as `end` */
  readonly conversion: Conversion | null;
}

const ADDRESS_SPACE = 1n << 64n;

/** @param pageSize of the host, in bytes */
export function faultRange(fault: MemoryFault, pageSize = DEFAULT_PAGE_SIZE): FaultRange {
  const page = BigInt(pageSize);
  const isPrivate = (fault.flags & KVM_MEMORY_EXIT_FLAG_PRIVATE) !== 0n;
  const end = fault.size === 0n || fault.gpa + fault.size > ADDRESS_SPACE ? null : fault.gpa + fault.size;
  const start = fault.gpa - (fault.gpa % page);
  const roundedEnd = end === null ? null : ((end + page - 1n) / page) * page;
  return {
    private: isPrivate,
    unknownFlags: fault.flags & ~KVM_MEMORY_EXIT_FLAG_PRIVATE,
    end,
    firstGfn: fault.gpa / page,
    lastGfn: end === null ? null : (end - 1n) / page,
    subPage: fault.gpa % page !== 0n || fault.size % page !== 0n,
    conversion: roundedEnd === null ? null : { address: start, size: roundedEnd - start, attributes: isPrivate ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0n },
  };
}

/** Could these three words be a memory fault that KVM wrote? Strict, for deciding what bytes of another number are. */
export function looksLikeFault(fault: MemoryFault): boolean {
  const powerOfTwo = fault.size > 0n && (fault.size & (fault.size - 1n)) === 0n;
  const plausibleSize = powerOfTwo && fault.size >= 64n && fault.size <= 1n << 30n;
  return (fault.flags & ~KVM_MEMORY_EXIT_FLAG_PRIVATE) === 0n && plausibleSize && fault.gpa % fault.size === 0n && fault.gpa < 1n << 52n;
}

/** `private` or `shared`; null where nobody says: the patch of October 2023 defines no flags, and writes 0 whatever the access was. */
export const accessOf = ({ flags }: MemoryFault, abi: KvmAbi): 'private' | 'shared' | null =>
  (flags & KVM_MEMORY_EXIT_FLAG_PRIVATE) !== 0n ? 'private' : abi === 'seed-v13' ? null : 'shared';

/** What of a run decides how its fault is to be read. */
interface FaultContext {
  /** null where nobody says */
  readonly errno: number | null;
  readonly stale: boolean | null;
  readonly abi: KvmAbi;
  /** of the host, in bytes */
  readonly pageSize: number;
}

/** What the fault says and what it asks the VMM to do, a sentence a line. A fault of an earlier run asks for nothing. */
export function explainFault(fault: MemoryFault, context: FaultContext): readonly string[] {
  const lines = whatHappened(fault, context);
  if (context.stale === true) return lines;
  if (context.errno === ERRNO.EHWPOISON) return [...lines, ...poisoned(fault)];
  const range = faultRange(fault, context.pageSize);
  if (range.end === null || range.conversion === null) return lines;
  if (range.subPage) lines.push('The range is finer than a page; attributes are set for whole pages, so a conversion takes the pages around it.');
  return [...lines, ...conversion(fault, range.conversion, context), ...GUARD];
}

function whatHappened(fault: MemoryFault, { abi, pageSize }: FaultContext): string[] {
  const access = accessOf(fault, abi);
  const range = faultRange(fault, pageSize);
  const lines = [
    access === null
      ? 'Nothing tells whether the guest accessed memory as private or as shared, or whether it read, wrote or fetched: v13 09/35 defines no flags and writes 0.'
      : `The guest accessed memory as ${access}; whether it read, wrote or fetched is not told.`,
  ];
  if (range.end === null || range.lastGfn === null) {
    lines.push(fault.size === 0n ? 'The range is empty: it cannot be converted.' : 'The range runs past the end of the address space: it cannot be converted.');
    return lines;
  }
  const frames = range.firstGfn === range.lastGfn ? `gfn ${hex(range.firstGfn)}` : `gfn ${hex(range.firstGfn)} to ${hex(range.lastGfn)}`;
  lines.push(`Range: gpa ${hex(fault.gpa)} up to ${hex(range.end)} (${counted(fault.size, 'byte')}), ${frames}.`);
  return lines;
}

const poisoned = (fault: MemoryFault): readonly string[] => [
  `EHWPOISON: the host page of gpa ${hex(fault.gpa)} is poisoned, its memory has failed. No conversion brings it back, and running again faults again.`,
  'To go on: tell the guest (a machine check for that address), or put another page there (punch the hole in the guest_memfd or map anew: the contents are lost), or end the guest.',
];

const converting = ({ address, size, attributes }: Conversion): string =>
  `KVM_SET_MEMORY_ATTRIBUTES { address ${hex(address)}, size ${hex(size)}, attributes ${hex(attributes)}${attributes === 0n ? '' : ' (PRIVATE)'}, flags 0 }, then KVM_RUN again`;

/** Where the series for conversion in place is applied, the VM's ioctl is gone, and the file's takes an offset. */
const inPlace = ({ size, attributes }: Conversion): string =>
  `On a kernel with ${inPlaceConversion.capability} above 0 (proposed, in no release; number ${inPlaceConversion.number}): KVM_SET_MEMORY_ATTRIBUTES2 (${hex(KVM_SET_MEMORY_ATTRIBUTES2)}) on the guest_memfd, with the offset that the memslot gives for this gpa, size ${hex(size)}, attributes ${hex(attributes)}; EAGAIN names a page that is still pinned in error_offset.`;

function conversion(fault: MemoryFault, asked: Conversion, { abi }: FaultContext): readonly string[] {
  const access = accessOf(fault, abi);
  if (access === null)
    return [
      `Convert to what the attribute of that range is not: look it up, then ${converting({ ...asked, attributes: KVM_MEMORY_ATTRIBUTE_PRIVATE })}, or with attributes 0x0 where it is private now.`,
    ];
  return [
    `To convert: ${converting(asked)}.`,
    inPlace(asked),
    access === 'private'
      ? 'The pages must be in a memslot with guest_memfd (KVM_MEM_GUEST_MEMFD), or the same fault comes again.'
      : "The pages then come from the memslot's userspace_addr; what was private there is not copied.",
    'If the attribute already is as asked, the slot, its guest_memfd or its page is missing: converting again would loop.',
  ];
}

const GUARD: readonly string[] = [
  'It may be a bug of the guest: no hypercall asked for a conversion, and nothing guarantees that one was meant. A VMM may refuse, and stop the guest.',
  'Guard the retry: the same flags and gpa again without progress means that converting did not help.',
];
