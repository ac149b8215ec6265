/** State of nanovmm in a preserved memfd, and the tokens it gives its files. Source: nvmm.h and nvmm.c, github.com/soleen/nanovmm at ac120c4a, 2026. */
import { contract } from '../contract.js';
import { struct, u32, u64 } from '../layout.js';

const source = 'nvmm.h, github.com/soleen/nanovmm at ac120c4a';

/** NVMMSTAT; little-endian, so that the bytes read TATSMMVN */
export const NVMM_MAGIC = 0x4e564d4d53544154n;

/** Tokens of a session; vCPUs and physical CPUs count up from theirs. */
export const nvmmTokens = { vm: 0x1000n, ram: 0x1001n, state: 0x2000n, vcpu: 0x10000n, maxVcpus: 16n, pcpu: 0x100000n, maxPcpus: 1024n } as const;

export const nvmmState = struct({
  name: 'nvmm_state',
  meaning: 'What nanovmm keeps of a virtual machine over a live update',
  source,
  fields: {
    magic: u64('NVMMSTAT', { role: 'opaque' }),
    version: u32('version of this structure', { mustBe: [3] }),
    nr_vcpus: u32('virtual CPUs', { role: 'count' }),
    mem_size: u64('memory of the guest', { role: 'bytes' }),
    struct_size: u32('size of this structure', { role: 'bytes', mustBe: [64] }),
    flags: u32('state', { role: 'flags', flagNames: { 0: 'ORPHAN_CPU' } }),
    suspend_realtime_ns: u64('CLOCK_REALTIME when it was suspended, in ns'),
    suspend_monotonic_ns: u64('CLOCK_MONOTONIC before it was suspended, in ns'),
    sequence: u64('sequence number before it was suspended'),
    hw_timestamp: u64('hardware time stamp before it was suspended', { role: 'opaque' }),
  },
});

export const nanovmmV3 = contract({
  layer: 'user-space',
  id: 'nanovmm-state-v3',
  compatible: null,
  structs: [nvmmState],
  status: 'user-space',
  date: '2026',
  source,
  notes: ['The contents of the memfd with token 0x2000. The kernel does not know it.', 'Token 0x1001 is used by the kernel’s selftests as well.'],
});
