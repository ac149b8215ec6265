/**
 * Where LUO's and KHO's objects keep what is shown of them, by name: BTF gives the offsets. Several paths are several releases, the newest
 * first; the next rename is one more entry. Sources: kernel/liveupdate/luo_internal.h, luo_session.c, luo_file.c, luo_flb.c,
 * kexec_handover.c, include/linux/liveupdate.h, mm/memfd_luo.c, 6.19 to 7.3.
 */

/** Symbols, and the type of the variable that each names. */
export const variables = {
  sessions: { symbol: 'luo_session_global', type: 'struct luo_session_global' },
  flbs: { symbol: 'luo_flb_global', type: 'struct luo_flb_global' },
  khoIn: { symbol: 'kho_in', type: 'struct kho_in' },
  khoOut: { symbol: 'kho_out', type: 'struct kho_out' },
  bootParams: { symbol: 'boot_params', type: 'struct boot_params' },
} as const;

/** The variable that points to the image loaded for kexec. */
export const imagePointer = 'kexec_image';

/** What the boot loader gave an x86 kernel. Source: arch/x86/include/uapi/asm/bootparam.h, 7.3. */
export const bootParams = { setupData: ['hdr.setup_data'] } as const;

/** An image loaded for kexec. Source: include/linux/kexec.h, 7.3. */
export const image = { type: 'struct kimage', count: ['nr_segments'], segments: ['segment'], start: ['mem'], size: ['memsz'], pages: ['head'] } as const;

/** Static variables of luo_session_deserialize(): was it tried, and what did it return? Numbered by the compiler. */
export const deserialised = { tried: 'is_deserialized', errors: ['saved_err', 'saved_ret', 'err'], within: 64n } as const;

/** Of struct luo_session_header: one side's sessions. */
export const side = {
  count: ['count'],
  list: ['list'],
  active: ['active'],
  /** not 0 once the sessions are serialised: through a pointer into struct luo_ser since 7.2, a count before */
  frozen: ['sessions_pa', 'header_ser.count'],
  /** blocks of serialised sessions that were handed over, not looked at yet */
  blocks: ['block_set.blocks'],
} as const;

export const session = {
  type: 'struct luo_session',
  link: 'list',
  name: ['name'],
  retrieved: ['retrieved'],
  files: ['file_set.files_list', 'files_list'],
  count: ['file_set.count', 'count'],
} as const;

export const file = {
  type: 'struct luo_file',
  link: 'list',
  token: ['token'],
  data: ['serialized_data'],
  file: ['file'],
  /** 0, 1 or an errno since 7.0; a boolean before */
  retrieveStatus: ['retrieve_status', 'retrieved'],
  compatible: ['fh.compatible'],
  operations: ['fh.ops'],
  owner: ['fh.ops.owner'],
} as const;

export const flb = {
  type: 'struct liveupdate_flb',
  link: 'private.list',
  compatible: ['compatible'],
  operations: ['ops'],
  owner: ['ops.owner'],
  private: { incoming: ['private.incoming'], outgoing: ['private.outgoing'] },
  count: ['count', 'refcount'],
  data: ['data'],
  object: ['obj'],
  finished: ['finished'],
  retrieveStatus: ['retrieve_status', 'retrieved'],
  users: ['private.users'],
} as const;

/** Structures that were handed over, as the kernel's own BTF has them. */
export const serialised = {
  session: { type: 'struct luo_session_ser', name: ['name'], files: ['file_set_ser.files', 'files'], count: ['file_set_ser.count', 'count'] },
  file: { type: 'struct luo_file_ser', compatible: ['compatible'], data: ['data'], token: ['token'] },
  block: { type: 'struct kho_block', link: 'list', header: ['ser'] },
  blockHeader: { type: 'struct kho_block_header_ser', next: ['next'], count: ['count'] },
  memfd: { type: 'struct memfd_luo_ser', pos: ['pos'], size: ['size'], seals: ['seals'], flags: ['flags'], count: ['nr_folios'], folios: ['folios'] },
  folio: { type: 'struct memfd_luo_folio_ser', pfn: ['pfn'], flags: ['flags'], index: ['index'] },
  vmalloc: {
    first: ['first.phys'],
    totalPages: ['total_pages'],
    order: ['order'],
    chunk: 'struct kho_vmalloc_chunk',
    next: ['hdr.next.phys'],
    pages: ['phys'],
  },
} as const;

/** Of a memfd: struct file and what it leads to. */
export const memfd = {
  /** compatible strings of its handler start with this */
  handler: 'memfd-',
  operations: 'shmem_file_operations',
  size: ['f_inode.i_size'],
  position: ['f_pos'],
  inode: ['f_inode'],
  info: { type: 'struct shmem_inode_info', member: 'vfs_inode', seals: ['seals'] },
  /** in front of the name that memfd_create() was given */
  namePrefix: 'memfd:',
} as const;

export const kho = {
  in: {
    fdt: ['fdt_phys'],
    previousRelease: ['previous_release'],
    kexecCount: ['kexec_count'],
    blobs: ['dbg.fdt_list'],
  },
  out: { fdt: ['fdt'], finalised: ['finalized'], blobs: ['dbg.fdt_list'], tree: ['radix_tree.root'] },
  blob: { type: 'struct fdt_debugfs', link: 'list', data: ['wrapper.data'], size: ['wrapper.size'], file: ['file'] },
} as const;
