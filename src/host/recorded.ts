/**
 * What a capture records of a machine, and where a live machine has it. The archive, the shell script and preflight are made from this
 * one table. Sources: Documentation/admin-guide/mm/kho.rst, Documentation/ABI/testing/sysfs-kernel-boot_params, sysfs-bus-pci.
 */

interface RecordedItem {
  /** path below `luo-capture/` */
  readonly recorded: string;
  /** path on a live machine */
  readonly live: string;
  /** a folder is recorded with all files below it */
  readonly folder: boolean;
  /** what a reader gets from it */
  readonly meaning: string;
}

const file = (recorded: string, live: string, meaning: string): RecordedItem => ({ recorded, live, folder: false, meaning });
const folder = (recorded: string, live: string, meaning: string): RecordedItem => ({ recorded, live, folder: true, meaning });

export const recordedItems: readonly RecordedItem[] = [
  folder('debugfs/kho', '/sys/kernel/debug/kho', 'what was handed over to this kernel, and what it hands over'),
  folder('boot_params', '/sys/kernel/boot_params', 'the setup_data node that names the incoming handover (x86)'),
  file('proc/cmdline', '/proc/cmdline', 'the command line of this kernel'),
  file('proc/iomem', '/proc/iomem', 'which physical memory there is'),
  file('proc/config.gz', '/proc/config.gz', 'the configuration of this kernel'),
  file('proc/version', '/proc/version', 'the release of this kernel'),
  file('proc/interrupts', '/proc/interrupts', 'which devices have interrupts on'),
  file('proc/meminfo', '/proc/meminfo', 'how much memory is free'),
  file('sys/kernel/vmcoreinfo', '/sys/kernel/vmcoreinfo', 'where VMCOREINFO is'),
  file('sys/kernel/btf/vmlinux', '/sys/kernel/btf/vmlinux', 'the layouts of this kernel'),
  file('sys/kernel/kexec_loaded', '/sys/kernel/kexec_loaded', 'whether a kernel is loaded for kexec'),
];

/** Of each PCI function. `driver`, `iommu_group` and `physfn` are symbolic links, of which the last part of the target is recorded. */
export const PCI_FOLDER = 'sys/bus/pci/devices';
export const pciFiles: readonly string[] = ['vendor', 'device', 'class', 'config', 'power_state', 'reset_method', 'enable', 'msi_bus'];
export const pciLinks: readonly string[] = ['driver', 'iommu_group', 'physfn'];
export const pciFolders: readonly string[] = ['vfio-dev', 'msi_irqs'];

/** What a running machine only tells in an answer to a question; recorded as text. */
export const DMESG = 'dmesg.txt';
/** The note of /proc/kcore, lines of KEY=value. */
export const VMCOREINFO = 'vmcoreinfo.txt';
/** A line a descriptor: pid, comm, fd, what /proc/<pid>/fd/<fd> links to, separated by a tab. */
export const DESCRIPTORS = 'proc/descriptors.txt';
export const MANIFEST = 'manifest.json';
export const CAPTURE_FOLDER = 'luo-capture';
export const CAPTURE_SCHEMA = 'luo-inspect.capture/1';

/** Where a live machine has what the recorded tree calls `path`. */
export function livePathOf(path: string): string {
  const item = recordedItems.find(({ recorded }) => path === recorded || path.startsWith(`${recorded}/`));
  return item === undefined ? `/${path}` : `${item.live}${path.slice(item.recorded.length)}`;
}
