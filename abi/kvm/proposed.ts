/**
 * What is proposed for KVM after 7.3: conversion on the guest_memfd itself, flags of memory faults. None of it is in a release, and every
 * number up to 251 is taken there. Source: "guest_memfd in-place conversion", v8, 19 Jun 2026, Ackerley Tng; "KVM userfault", v2 and v3,
 * 2025, James Houghton; RFC of 2024, Nikita Kalyazin.
 */
import { contract } from '../contract.js';
import { array, struct, u64 } from '../layout.js';

const source = 'mail series "guest_memfd in-place conversion", v8, 19 Jun 2026';

/** Argument of KVM_SET_MEMORY_ATTRIBUTES2, on the guest_memfd. */
const kvmMemoryAttributes2 = struct({
  name: 'kvm_memory_attributes2',
  meaning: 'a range of a guest_memfd that is to become private or shared',
  source,
  packed: false,
  btfName: null,
  fields: {
    offset: u64('offset in the file, page-aligned', { role: 'bytes' }),
    size: u64('length, whole pages, not 0', { role: 'bytes' }),
    attributes: u64('attributes', { role: 'flags', flagNames: { '3': 'KVM_MEMORY_ATTRIBUTE_PRIVATE' } }),
    flags: u64('must be 0', { role: 'flags', mustBe: [0] }),
    error_offset: u64('out: the page that stopped it', { role: 'bytes' }),
    reserved: array(u64('0', { role: 'reserved' }), 11, '0'),
  },
});

/** The request: type 0xae, number 0xd2, read and write, 128 bytes. Drafts had 0xc040aed6, with 64 bytes. */
export const KVM_SET_MEMORY_ATTRIBUTES2 = 0xc080aed2;

/** Bits of kvm_run.memory_fault.flags that a series wants, and none has. */
export const proposedFaultFlags = [
  {
    bit: 0x10n,
    name: 'KVM_MEMORY_EXIT_FLAG_USERFAULT',
    source: 'KVM userfault, v2 and v3, 2025',
    means: 'user space asked for this fault by a bitmap of the memslot',
  },
  {
    bit: 0x20n,
    name: 'KVM_MEMORY_EXIT_FLAG_ASYNC_PF_USER',
    source: 'RFC of 2024, Nikita Kalyazin',
    means: 'the guest can go on; a token for the answer is at byte 56 of kvm_run',
  },
] as const;

/** What KVM_CHECK_EXTENSION is asked for in v8 of the series. */
export const IN_PLACE_CAPABILITY_V8 = 250;

/** Where a conversion goes if this capability is above 0; KVM_CAP_MEMORY_ATTRIBUTES is 0 then. Its number changed from mail to mail. */
export const inPlaceConversion = {
  capability: 'KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES',
  number: 'not settled: 250 in v8, which 7.3 uses for PPC_COMPAT_CAPS',
} as const;

export const kvmInPlaceConversion = contract({
  layer: 'kvm-run',
  id: 'kvm-in-place-conversion',
  compatible: null,
  format: 'struct',
  structs: [kvmMemoryAttributes2],
  status: 'review',
  date: '2026-06-19',
  source,
  notes: [
    'Issued on the guest_memfd, as request 0xc080aed2.',
    'EAGAIN: a page has unexpected references; error_offset says which. Unpin it and try again.',
    'EINVAL: unaligned, zero, overflowing, or an unknown attribute or flag.',
    'Where it is on, KVM_CAP_MEMORY_ATTRIBUTES returns 0 and the ioctl of the VM is unusable.',
  ],
});
