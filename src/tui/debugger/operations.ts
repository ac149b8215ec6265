/**
 * What the kernel does at an operation of the trace, in a few sentences, with the function and the file of the release: for somebody who
 * learns live update by stepping through it. Sources: kernel/liveupdate/, mm/memfd_luo.c, and the symbols of a 7.3.4 (drivers/vfio/pci/ and
 * drivers/pci/liveupdate.c as the series have them); kernel/kexec_handover.c up to 6.18.
 */

import { findStruct } from '../../../abi/registry.js';

interface About {
  /** a sentence or two */
  readonly does: string;
  readonly refuses: string;
  /** with its brackets; of what is no kernel code: who acts */
  readonly call: string;
  readonly file: string;
}

interface Row {
  readonly op: RegExp;
  readonly does: string;
  readonly refuses?: string;
  readonly call: string | ((op: string) => string);
  readonly file: string | ((op: string) => string);
}

const LUO = 'kernel/liveupdate';
const CORE = `${LUO}/luo_core.c`;
const SESSION = `${LUO}/luo_session.c`;
const FILE = `${LUO}/luo_file.c`;
const FLB = `${LUO}/luo_flb.c`;
/** moved in 6.19 */
const KHO = `${LUO}/kexec_handover.c`;
const KHO_BEFORE = 'kernel/kexec_handover.c';
const VFIO = 'drivers/vfio/pci/vfio_pci_liveupdate.c';
const VFIO_CORE = 'drivers/vfio/pci/vfio_pci_core.c';
const PCI = 'drivers/pci/liveupdate.c';
const BLOCK = `${LUO}/kho_block.c`;

const NOTHING = 'Nothing.';
const same = (op: string): string => `${op.replace(/[^\w].*$/, '')}()`;

/** Operations of one kind: what they do and what refuses them is the same, function and file are each one's own. */
const calls = (does: string, refuses: string, rows: readonly (readonly [op: RegExp, call: string, file: string])[]): Row[] =>
  rows.map(([op, call, file]): Row => ({ op, does, refuses, call, file }));

/** Where the layout of a structure was read. */
const sourceOf = (struct: string): string => /^[\w./-]+\.[ch]/.exec(findStruct(struct)[0]?.struct.source ?? '')?.[0] ?? 'include/linux/kho/abi/';

const ROWS: readonly Row[] = [
  // what user space asks of LUO
  {
    op: /^(CREATE_SESSION|create-session|luo_session_create)$/,
    does: 'Creates a session: a named container of files that are handed over together, and a file descriptor that keeps it alive. Closing the descriptor before the kexec gives up what was preserved in it.',
    refuses: 'EEXIST where the name is taken, EINVAL for an empty name, ENOMEM.',
    call: 'luo_session_create()',
    file: SESSION,
  },
  {
    op: /^(PRESERVE_FD|preserve|luo_preserve_file)$/,
    does: 'Asks each registered handler whether it can preserve the file; the first that can is told to do so, and the file is listed in the session under its token.',
    refuses: 'EEXIST for a token in use, EBUSY for a file that is preserved already, ENOENT where no handler wants the file, and whatever the handler answers.',
    call: 'luo_preserve_file()',
    file: FILE,
  },
  {
    op: /^(RETRIEVE_SESSION|retrieve-session|luo_session_retrieve)$/,
    does: 'In the next kernel: finds a session that came over by its name and gives user space a descriptor of it. A session can be retrieved once.',
    refuses: 'ENOENT for a name nobody knows, EINVAL for one that was retrieved already.',
    call: 'luo_session_retrieve()',
    file: SESSION,
  },
  {
    op: /^(RETRIEVE_FD|retrieve|luo_retrieve_file)$/,
    does: 'In the next kernel: finds the file by its token and asks its handler to make it again from what was handed over.',
    refuses: 'ENOENT for a token nobody knows; what the handler answers, which is remembered and answered again to a second try.',
    call: 'luo_retrieve_file()',
    file: FILE,
  },
  {
    op: /^(FINISH|SESSION_FINISH|finish|luo_session_finish(_one)?)$/,
    does: 'Ends a session in the next kernel: handlers give up what was not retrieved, and the pages that only the handover needed are freed.',
    refuses: 'What can_finish of a handler answers, EBUSY as a rule; the session then stays as it is.',
    call: 'luo_session_finish()',
    file: SESSION,
  },
  {
    op: /^(GET_NAME|get-name)$/,
    does: 'Gives back the name of a session by its descriptor.',
    call: 'luo_session_get_name()',
    file: SESSION,
  },
  {
    op: /^(open|luo_open)$/,
    does: 'Opens /dev/liveupdate, for one process at a time; in the next kernel the first open brings the sessions that came over back to life.',
    refuses: 'EBUSY while it is open, and what deserialising the sessions answered, again at every later open.',
    call: 'luo_open()',
    file: CORE,
  },
  { op: /^luo_release$/, does: 'The last descriptor of /dev/liveupdate is gone: it can be opened again.', call: same, file: CORE },
  // sessions through the reboot
  {
    op: /^luo_session_freeze/,
    does: 'Freezes every file of a session in the order in which they were preserved, and writes their entries into the blocks that are handed over.',
    refuses: 'What a handler refuses. Files frozen so far are unfrozen, in reverse order.',
    call: 'luo_session_freeze_one()',
    file: SESSION,
  },
  {
    op: /^luo_session_unfreeze/,
    does: 'A later file or session refused: what was frozen is as it was before.',
    call: 'luo_session_unfreeze_one()',
    file: SESSION,
  },
  {
    op: /^luo_session_serialize$/,
    does: 'Freezes all sessions and writes them for the next kernel: from here on the handover in memory is whole.',
    refuses: 'The errno of the first session that cannot be frozen; the reboot is then given up.',
    call: same,
    file: SESSION,
  },
  {
    op: /^luo_session_deserialize$/,
    does: 'Makes sessions and their files of what the kernel before wrote. It is tried once: its errno is remembered.',
    refuses: 'EINVAL for lists that contradict each other, ENOENT for a handler nobody registered, ENOMEM.',
    call: same,
    file: SESSION,
  },
  {
    op: /^luo_session_release$/,
    does: 'The last descriptor of a session is gone: before the kexec its files are given up, after it the session is finished.',
    call: same,
    file: SESSION,
  },
  {
    op: /^luo_flb_/,
    does: 'State that is no file but goes with files (a file-lifecycle-bound object): written when the first file that needs it is preserved, given up with the last.',
    refuses: 'ENOMEM, and what its own callback answers.',
    call: same,
    file: FLB,
  },
  {
    op: /^(liveupdate_reboot)$/,
    does: "LUO's part of the reboot: all sessions are frozen and serialised.",
    refuses: 'The errno of whoever refuses to freeze; the kexec is then not made.',
    call: same,
    file: CORE,
  },
  {
    op: /^liveupdate_early_init$/,
    does: 'Early in the boot: looks whether KHO brought a LUO subtree, and reads its head.',
    refuses: 'A subtree that contradicts itself is a panic: going on would lose memory of guests.',
    call: same,
    file: CORE,
  },
  {
    op: /^luo_late_startup$/,
    does: "Later in the boot: LUO's own FDT for the kernel after this one is made, and /dev/liveupdate is registered.",
    refuses: 'ENOMEM; live update is then off.',
    call: same,
    file: CORE,
  },
  // handlers
  {
    op: /^memfd\.(can_)?(preserve|unpreserve|freeze|retrieve|finish|can_finish)$/,
    does: 'The handler of memfds: preserving pins the folios, lists them in a table and has the pages of both preserved by KHO; retrieving restores each folio of the table and puts it into a new file.',
    refuses: 'EINVAL or EBUSY for files it cannot hand over as they are, EIO where a folio cannot be restored, ENOMEM.',
    call: (op) => `memfd_luo_${op.split('.')[1]}()`,
    file: 'mm/memfd_luo.c',
  },
  {
    op: /^vfio-pci\.|^vfio_pci_liveupdate_/,
    does: 'The handler of VFIO PCI devices: writes which device it is, and finds it again in the next kernel.',
    refuses: 'EINVAL for a device whose interrupts still run, EBUSY where it is held, EOPNOTSUPP for what the series has not got yet.',
    call: (op) => (op.includes('.') ? `vfio_pci_liveupdate_${op.split('.')[1]}()` : same(op)),
    file: VFIO,
  },
  {
    op: /^(pci-v\d+\.|pci_flb_)/,
    does: "The PCI core's own state: every device that goes over, and the buses that lead to it, so that the next kernel leaves them alone.",
    refuses: 'EINVAL and ENOMEM.',
    call: (op) => (op.includes('.') ? `pci_flb_${op.split('.')[1]}()` : same(op)),
    file: PCI,
  },
  {
    op: /^(pci_liveupdate_inherit_buses|liveupdate_frozen)$/,
    does: 'A device that was handed over keeps its bus numbers, and is left as it was frozen.',
    call: same,
    file: PCI,
  },
  {
    op: /^liveupdate-test-flb-v\d+\./,
    does: "The kernel's own test of FLBs: a page with a number in it goes along with every file.",
    refuses: 'ENOMEM.',
    call: (op) => `test_flb_${op.split('.')[1]}()`,
    file: 'lib/tests/liveupdate.c',
  },
  {
    op: /\.(can_)?(preserve|unpreserve|freeze|unfreeze|retrieve|finish|can_finish)$| answers$/,
    does: 'A callback of a file handler that the scenario describes, or that this simulation does not know better: LUO asks, the handler answers.',
    refuses: 'Any errno.',
    call: (op) => (op.endsWith(' answers') ? 'struct liveupdate_file_ops' : `liveupdate_file_ops.${op.split('.').at(-1)}`),
    file: 'include/linux/liveupdate.h',
  },
  // KHO
  {
    op: /^kho_mem_phys_bits$/,
    does: 'The preserved memory map up to 7.0 as bitmaps: one for each stretch of memory and order, a bit for each block.',
    refuses: 'ENOMEM.',
    call: 'struct kho_mem_phys_bits',
    file: KHO,
  },
  {
    op: /^kho_restore_(folio|pages)/,
    does: 'Turns preserved pages back into pages of the page allocator. The struct page of the first must carry the tag and the order that the preserved memory map gave it in early boot.',
    refuses: 'NULL, with a warning, where the page was not preserved or was preserved at another order: there is no errno, the caller makes one.',
    call: same,
    file: KHO,
  },
  {
    op: /^kho_(preserve|unpreserve)_/,
    does: 'Puts pages into the preserved memory map, so that the next kernel leaves them alone, or takes them out again.',
    refuses: 'EEXIST or ENOMEM; EINVAL for pages inside scratch memory.',
    call: same,
    file: KHO,
  },
  {
    op: /^kho_restore_vmalloc/,
    does: 'Maps preserved pages that were a vmalloc area again as one, in the order in which the chunks list them.',
    refuses: 'NULL where a page cannot be restored.',
    call: same,
    file: KHO,
  },
  {
    op: /^kho_(add|remove|retrieve)_subtree/,
    does: "A subtree hangs a subsystem's own data into KHO's FDT by name; the next kernel looks it up by the same name.",
    refuses: 'ENOENT where nothing of that name came over.',
    call: same,
    file: KHO,
  },
  { op: /^kho_finalize/, does: 'The preserved memory map is written for the next kernel.', refuses: 'ENOMEM.', call: same, file: KHO },
  {
    op: /^kho_(populate|memory_init|mem_deserialize|reserve_scratch|init)$/,
    does: 'KHO at boot: takes the FDT that the kernel before left, reserves what it preserved before anything is allocated, and makes scratch memory for the next time.',
    refuses: 'A version it does not know: the boot goes on as if nothing had been handed over.',
    call: same,
    file: KHO,
  },
  {
    op: /^kho_(radix|mem_phys)/,
    does: 'The preserved memory map as a radix tree: a bit for each page, by order; walked in early boot to reserve them.',
    refuses: 'ENOMEM.',
    call: same,
    file: KHO,
  },
  {
    op: /^kho_block/,
    does: 'A chain of pages, each a header with a count and that many entries: sessions, and the files of each.',
    refuses: 'EINVAL for a count of 0 or beyond the block, and for a chain that leads back to itself; ENOSPC beyond 10,000 blocks.',
    call: same,
    file: BLOCK,
  },
  {
    op: /^(prepare_kho_fdt|setup_kho)$/,
    does: "The image for the kexec is told where KHO's FDT and scratch memory are: on x86 by a setup_data node, on arm64 by /chosen of the devicetree.",
    refuses: 'ENOMEM.',
    call: (op) => (op === 'setup_kho' ? 'setup_kho()' : 'kho_fill_kimage()'),
    file: (op) => (op === 'setup_kho' ? 'arch/x86/kernel/kexec-bzimage64.c' : KHO),
  },
  {
    op: /^(write|read) (?!pci$|hwpoison$)\w+$/,
    does: 'A structure of the handover in memory, written by one kernel and read by the next: an ABI that the layout of its version fixes.',
    call: (op) => `struct ${op.replace(/^\w+ /, '')}`,
    file: (op) => sourceOf(op.replace(/^\w+ /, '')),
  },
  {
    op: /^write LUO FDT$/,
    does: "LUO's own FDT up to 7.2: it names the list of sessions and the list of FLBs for the next kernel.",
    refuses: 'ENOMEM.',
    call: 'luo_fdt_setup()',
    file: CORE,
  },
  {
    op: /^(write|read) (?!hwpoison$)/,
    does: 'What a handler or an FLB writes of its own, in a form that it alone knows, for itself in the next kernel.',
    refuses: 'ENOMEM.',
    call: 'struct liveupdate_file_ops',
    file: 'include/linux/liveupdate.h',
  },
  {
    op: /^vfio_pci_core_device_ser$/,
    does: 'The record of a device in the handover: its domain, and its bus, device and function.',
    call: 'struct vfio_pci_core_device_ser',
    file: VFIO,
  },
  // the kexec and the boot
  {
    op: /^(kexec|reboot\(KEXEC\)|reboot)$/,
    does: 'The system call that starts the next kernel. LUO serialises all sessions first, which freezes their files; then devices are shut down and the jump is made.',
    refuses: 'EINVAL without a loaded image, and the errno of whoever refuses to freeze.',
    call: 'kernel_kexec()',
    file: 'kernel/kexec_core.c',
  },
  {
    op: /^(kexec-load|kexec_file_load|kexec_load|kexec-unload)$/,
    does: 'Loads the image of the next kernel, or throws it away. kexec_file_load() adds what KHO hands over; the older kexec_load() cannot.',
    refuses: 'EINVAL, ENOMEM; EBUSY while another load goes on.',
    call: (op) => (op === 'kexec_load' ? 'sys_kexec_load()' : 'sys_kexec_file_load()'),
    file: (op) => (op === 'kexec_load' ? 'kernel/kexec.c' : 'kernel/kexec_file.c'),
  },
  {
    op: /^(relocate_kernel|machine_kexec: jump|machine reset|power on)$/,
    does: 'The machine changes hands: the image is copied to its place and entered, or, at power on and reset, the firmware starts over.',
    call: (op) => (op === 'relocate_kernel' ? 'relocate_kernel()' : op.startsWith('machine_kexec') ? 'machine_kexec()' : 'firmware'),
    file: (op) =>
      op === 'relocate_kernel'
        ? 'arch/x86/kernel/relocate_kernel_64.S'
        : op.startsWith('machine_kexec')
          ? 'arch/x86/kernel/machine_kexec_64.c'
          : 'no file: firmware',
  },
  {
    op: /^start_kernel$/,
    does: 'The next kernel boots: its command line, its memory, then every subsystem.',
    refuses: 'A panic ends everything.',
    call: same,
    file: 'init/main.c',
  },
  {
    op: /^memblock_/,
    does: 'Memory that nobody reserved goes to the page allocator: from here on pages are handed out, and those that were not preserved in time are lost.',
    call: same,
    file: 'mm/memblock.c',
  },
  // devices
  {
    op: /^(vfio_pci_core_|vfio_pci_zap)/,
    does: 'VFIO takes a device over or gives it back: it is enabled, reset where it can be, and its BARs are unmapped while it is.',
    refuses: 'EBUSY where somebody holds it.',
    call: same,
    file: VFIO_CORE,
  },
  ...calls(
    'User space and a VFIO device: its character device is opened, bound to an iommufd, asked what it is, its registers and interrupts are used.',
    'EBUSY, EINVAL, ENODEV.',
    [
      [/^(vfio|vfio-open|vfio_device_fops_cdev_open)$/, 'vfio_device_fops_cdev_open()', 'drivers/vfio/device_cdev.c'],
      [/^(vfio-bind|VFIO_DEVICE_BIND_IOMMUFD)$/, 'vfio_df_ioctl_bind_iommufd()', 'drivers/vfio/device_cdev.c'],
      [/^VFIO_GROUP_/, 'vfio_group_fops_unl_ioctl()', 'drivers/vfio/group.c'],
      [/^VFIO_DEVICE_FEATURE$/, 'vfio_pci_core_ioctl_feature()', VFIO_CORE],
      [/^(vfio-info|VFIO_\w+)$/, 'vfio_pci_core_ioctl()', VFIO_CORE],
      [/^(vfio-region|vfio_pci_rw)$/, 'vfio_pci_rw()', VFIO_CORE],
      [/^(vfio-mmap|vfio_pci_mmap)$/, 'vfio_pci_core_mmap()', VFIO_CORE],
      [/^irq$/, 'vfio_pci_set_irqs_ioctl()', 'drivers/vfio/pci/vfio_pci_intrs.c'],
      [/^power$/, 'vfio_pci_set_power_state()', VFIO_CORE],
      [/^check-device$/, 'vfio_pci_config_rw()', 'drivers/vfio/pci/vfio_pci_config.c'],
    ],
  ),
  ...calls('A driver takes a device, or gives it back.', 'EBUSY where the device is in use, ENODEV.', [
    [/^(driver|driver_bind)$/, 'device_driver_attach()', 'drivers/base/dd.c'],
    [/^(driver_unbind|vfio-unbind)$/, 'device_driver_detach()', 'drivers/base/dd.c'],
  ]),
  {
    op: /^pci_liveupdate_/,
    does: 'A device and the bridges above it are noted as going over, or given up again.',
    refuses: 'EINVAL, ENOMEM.',
    call: same,
    file: PCI,
  },
  ...calls('The buses are looked through, and what is there gets its numbers.', NOTHING, [
    [/^(pci_scan|pci_assign_bus)$/, 'pci_scan_bridge_extend()', 'drivers/pci/probe.c'],
  ]),
  {
    op: /^(pci_|__pci_)/,
    does: 'The PCI core: devices are locked, enabled and reset, and their configuration space is saved and loaded.',
    refuses: 'EAGAIN where the lock is held, ENOTTY for a device that has no reset.',
    call: same,
    file: 'drivers/pci/pci.c',
  },
  {
    op: /^dma$/,
    does: 'The device itself reads or writes memory, whatever the kernels are doing.',
    call: 'nobody of the machine',
    file: 'no file: a device does it',
  },
  { op: /^mutex_/, does: 'A lock is taken or given back; who finds it taken waits, or is told EAGAIN.', call: same, file: 'kernel/locking/mutex.c' },
  // virtual machines
  ...calls(
    'A virtual machine and its VMM: memory slots, private and shared pages, and a vCPU that runs until something has to be answered in kvm_run.',
    'EFAULT with KVM_EXIT_MEMORY_FAULT for an access the VMM has to prepare; EINTR where a signal comes.',
    [
      [/^(KVM_RUN|vcpu-run|vcpu-answer|guest)$/, 'kvm_arch_vcpu_ioctl_run()', 'arch/x86/kvm/x86.c'],
      [/^registers$/, 'kvm_arch_vcpu_ioctl_get_regs()', 'arch/x86/kvm/x86.c'],
      [/^(vcpu|pre-fault|KVM_\w+)$/, 'kvm_vcpu_ioctl()', 'virt/kvm/kvm_main.c'],
      [/^(vm|vmm)$/, 'kvm_dev_ioctl()', 'virt/kvm/kvm_main.c'],
      [/^vm-check$/, 'kvm_vm_ioctl_check_extension_generic()', 'virt/kvm/kvm_main.c'],
      [/^(vm-enable|attributes)$/, 'kvm_vm_ioctl()', 'virt/kvm/kvm_main.c'],
      [/^memslot$/, 'kvm_set_memory_region()', 'virt/kvm/kvm_main.c'],
      [/^guest-memfd$/, 'kvm_gmem_create()', 'virt/kvm/guest_memfd.c'],
      [/^guest-memfd-punch$/, 'kvm_gmem_fallocate()', 'virt/kvm/guest_memfd.c'],
      [/^guest-memfd-/, 'kvm_gmem_release()', 'virt/kvm/guest_memfd.c'],
      [/^(poison|write hwpoison)$/, 'memory_failure()', 'mm/memory-failure.c'],
      [/^mapping$/, 'do_mmap()', 'mm/mmap.c'],
    ],
  ),
  // files and processes of user space
  ...calls('A file in memory that has no name in any file system: what most sessions preserve.', 'EINVAL for flags that cannot be together, ENOMEM.', [
    [/^(memfd|memfd ready|memfd_create)$/, 'sys_memfd_create()', 'mm/memfd.c'],
  ]),
  ...calls(
    'User space works on a file. A preserved memfd is frozen in its size and its pages only from the kexec on.',
    'EPERM where a seal forbids it, EINVAL.',
    [
      [/^seal$/, 'memfd_add_seals()', 'mm/memfd.c'],
      [/^seek$/, 'vfs_llseek()', 'fs/read_write.c'],
      [/^truncate$/, 'do_truncate()', 'fs/open.c'],
      [/^write$/, 'vfs_write()', 'fs/read_write.c'],
      [/^check$/, 'vfs_read()', 'fs/read_write.c'],
      [/^fallocate$/, 'vfs_fallocate()', 'fs/open.c'],
      [/^mmap$/, 'do_mmap()', 'mm/mmap.c'],
      [/^munmap$/, 'sys_munmap()', 'mm/mmap.c'],
      [/^shmem_file_open$/, 'shmem_file_open()', 'mm/shmem.c'],
    ],
  ),
  ...calls('User space opens, copies, sends or closes a descriptor. The last one of a session that is closed gives up what is in it.', 'EBADF, EMFILE.', [
    [/^close$/, 'filp_close()', 'fs/open.c'],
    [/^dup$/, 'sys_dup()', 'fs/file.c'],
    [/^send-fd$/, 'receive_fd()', 'fs/file.c'],
    [/^fd$/, 'get_unused_fd_flags()', 'fs/file.c'],
    [/^reopen$/, 'do_sys_openat2()', 'fs/open.c'],
  ]),
  ...calls(
    'An ioctl of /dev/liveupdate as user space gives it, its number and size included.',
    'ENOTTY for a number nobody knows, EINVAL for a size that is too small, E2BIG for bytes that are not 0.',
    [[/^ioctl/, 'luo_ioctl()', CORE]],
  ),
  ...calls(
    'A process begins, becomes another program, is told something, or ends; descriptors go with it, as far as close-on-exec lets them.',
    'EPERM, ENOMEM.',
    [
      [/^fork$/, 'kernel_clone()', 'kernel/fork.c'],
      [/^exec$/, 'bprm_execve()', 'fs/exec.c'],
      [/^kill$/, 'do_send_sig_info()', 'kernel/signal.c'],
      [/^(exit|do_exit)$/, 'do_exit()', 'kernel/exit.c'],
      [/^rlimit$/, 'do_prlimit()', 'kernel/sys.c'],
    ],
  ),
  ...calls('A module goes, and with it its handlers and FLBs.', 'EBUSY while somebody uses it.', [
    [/^(rmmod|delete_module)$/, 'sys_delete_module()', 'kernel/module/main.c'],
  ]),
  // what is no kernel code
  {
    op: /^moment /,
    does: 'No operation: a moment that is worth a dump. preserved: before the reboot call; frozen: serialised, not jumped; early: the next kernel before it looks at the map; booted: user space is up.',
    call: 'a moment of the run',
    file: 'no file: nothing runs here',
  },
  {
    op: /^take up a dump$/,
    does: 'The run begins where the dump was taken: its memory is what the next kernel finds.',
    call: 'the dump',
    file: 'no file: the dump’s kernel made the jump',
  },
  {
    op: /^(flip|edit memory)$/,
    does: 'Damage from outside: a fault of the scenario, or your edit, changes bytes that the kernel did not write.',
    call: 'nobody of the machine',
    file: 'no file: it is done to the machine',
  },
  { op: /^printk$/, does: 'The kernel prints a line to its log.', call: 'vprintk_emit()', file: 'kernel/printk/printk.c' },
];

/** Releases before this one have KHO in a file of its own. */
const KHO_MOVED = [6, 19] as const;

/** @param release of the kernel that acts, `7.3`; null where it is not known. @returns null where nothing is written down */
export function operationFacts(op: string, release: string | null): About | null {
  const row = ROWS.find((one) => one.op.test(op));
  if (row === undefined) return null;
  const { does, refuses = NOTHING, call, file } = row;
  const where = typeof file === 'string' ? file : file(op);
  return { does, refuses, call: typeof call === 'string' ? call : call(op), file: where === KHO && isBefore(release, KHO_MOVED) ? KHO_BEFORE : where };
}

function isBefore(release: string | null, [major, minor]: readonly [number, number]): boolean {
  const parts = /^(\d+)\.(\d+)/.exec(release ?? '');
  return parts !== null && (Number(parts[1]) < major || (Number(parts[1]) === major && Number(parts[2]) < minor));
}

/** The same as paragraphs for a page. */
export function aboutOperation(op: string, release: string | null = null): readonly string[] | null {
  const facts = operationFacts(op, release);
  if (facts === null) return null;
  const { does, refuses, call, file } = facts;
  return [does, '', `What can refuse: ${refuses}`, '', `Where: ${call}, ${file}${release === null ? '' : `, ${release}`}`];
}
