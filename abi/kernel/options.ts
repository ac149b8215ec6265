/**
 * Configuration options and command line parameters a live update needs, and what lacks without them. Source: kernel/liveupdate/Kconfig,
 * mm/memfd_luo.c, drivers/vfio/pci/Kconfig, 6.19 to 7.3; the option for VFIO: [PATCH v3 07/24] vfio/pci.
 */
import type { Release } from '../contract.js';

/** What an option is needed for: the update itself, files of one kind, or only a look at what was handed over. */
export type OptionPurpose = 'update' | 'memfd' | 'vfio-pci' | 'inspection';

interface KernelOption {
  readonly name: string;
  readonly purpose: OptionPurpose;
  /** first release with it; null where no release has it yet */
  readonly since: Release | null;
  /** what happens without it */
  readonly without: string;
}

export const kernelOptions: readonly KernelOption[] = [
  { name: 'CONFIG_KEXEC_FILE', purpose: 'update', since: '6.16', without: 'kexec_file_load(2) is not there, and KHO data goes with no other image' },
  { name: 'CONFIG_KEXEC_HANDOVER', purpose: 'update', since: '6.16', without: 'KHO is not built in: nothing is handed over' },
  { name: 'CONFIG_LIVEUPDATE', purpose: 'update', since: '6.19', without: 'there is no /dev/liveupdate' },
  { name: 'CONFIG_LIVEUPDATE_MEMFD', purpose: 'memfd', since: '7.1', without: 'PRESERVE_FD of a memfd fails with ENOENT' },
  {
    name: 'CONFIG_VFIO_DEVICE_CDEV',
    purpose: 'vfio-pci',
    since: '6.16',
    without: 'there is no /dev/vfio/devices, and a group descriptor cannot be preserved',
  },
  { name: 'CONFIG_VFIO_PCI_LIVEUPDATE', purpose: 'vfio-pci', since: null, without: 'PRESERVE_FD of a VFIO device fails with ENOENT: no handler' },
  { name: 'CONFIG_KEXEC_HANDOVER_DEBUGFS', purpose: 'inspection', since: '6.19', without: '/sys/kernel/debug/kho is not there to look at' },
];

/** With it KHO is on although the command line does not say so. */
export const KHO_DEFAULT_ON = 'CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT';
/** Must be off for a VFIO device to be preserved. Source: [PATCH v3 07/24] vfio/pci, "Restrictions". */
export const ZDEV_OPTION = 'CONFIG_VFIO_PCI_ZDEV_KVM';
