/**
 * What scratch is called, in releases and in the queue: branch kho-bootmem of liveupdate.git renames it (24 Sep 2026, expected in 7.4).
 * Source: kernel/liveupdate/kexec_handover.c, kexec_handover_debugfs.c, drivers/of/kexec.c, 7.3; the same at 85d3615cea17 and 1f18d7401651.
 */

export interface ScratchNames {
  readonly status: 'released' | 'queued';
  /** parameter of the kernel's command line; neither kernel knows the other's */
  readonly parameter: string;
  /** files of debugfs kho/out: starts and sizes, a number a line */
  readonly debugfs: { readonly starts: string; readonly sizes: string };
  /** arm64: property of /chosen, beside linux,kho-fdt */
  readonly chosen: string;
  /** the array of areas in BTF, and the variable that points to it */
  readonly struct: string;
  readonly symbol: string;
  /** the variable that says how many they are, an unsigned int */
  readonly count: string;
  /** member of kho_in */
  readonly member: string;
  /** in messages of the kernel */
  readonly word: string;
}

export const scratchNames: readonly ScratchNames[] = [
  {
    status: 'released',
    parameter: 'kho_scratch',
    debugfs: { starts: 'scratch_phys', sizes: 'scratch_len' },
    chosen: 'linux,kho-scratch',
    struct: 'kho_scratch',
    symbol: 'kho_scratch',
    count: 'kho_scratch_cnt',
    member: 'scratch_phys',
    word: 'scratch',
  },
  {
    status: 'queued',
    parameter: 'kho_bootmem',
    debugfs: { starts: 'bootmem_phys', sizes: 'bootmem_len' },
    chosen: 'linux,kho-bootmem',
    struct: 'kho_bootmem',
    symbol: 'kho_bootmem',
    count: 'kho_bootmem_cnt',
    member: 'bootmem_phys',
    word: 'bootmem',
  },
];

/** What comes of two kernels of which one has the old names and one the new. */
export const scratchNamesDiffer = {
  x86: 'x86: setup_data has the same bytes under both names, so scratch is found.',
  arm64:
    'arm64: one kernel names scratch linux,kho-scratch in /chosen, the other linux,kho-bootmem: the next kernel finds none, and boots cold without a message. A kernel that came up this way passes the old property on with stale addresses.',
  parameter: 'kho_scratch= is ignored by a kernel that knows kho_bootmem=, and the other way round: sizes given there are not in force.',
} as const;
