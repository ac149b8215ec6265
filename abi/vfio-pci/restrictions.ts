/**
 * What the vfio-pci handler and the PCI core demand of a device that is to be preserved, and what the caller gets otherwise.
 * Source: [PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files, "Restrictions"; its revisions to v5; the PCI core series, v5 to the
 * branch queued for 7.4.
 */
import type { ErrnoName } from '../errno.js';

export interface DeviceRestriction {
  readonly id: string;
  /** what must hold, as a subject and its value */
  readonly demand: string;
  /** where the refusal happens: at the ioctl, at the reboot call, or nowhere (the device goes on by itself) */
  readonly refusedAt: 'PRESERVE_FD' | 'reboot' | null;
  readonly errno: ErrnoName | null;
  readonly consequence: string;
  /** what to do about it */
  readonly remedy: string;
  readonly source: string;
}

const seed = '[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files';

export const deviceRestrictions = {
  driver: {
    id: 'driver',
    demand: 'the driver is vfio-pci',
    refusedAt: 'PRESERVE_FD',
    errno: 'ENOENT',
    consequence: 'no handler takes its file',
    remedy: 'bind it to vfio-pci (driverctl, or driver_override)',
    source: seed,
  },
  cdev: {
    id: 'cdev',
    demand: 'there is a character device /dev/vfio/devices/vfioN',
    refusedAt: 'PRESERVE_FD',
    errno: 'ENOENT',
    consequence: 'only a group descriptor can be had, which no handler takes',
    remedy: 'build with CONFIG_VFIO_DEVICE_CDEV and open the device through iommufd',
    source: seed,
  },
  'intel-display': {
    id: 'intel-display',
    demand: 'it is no Intel display device',
    refusedAt: 'PRESERVE_FD',
    errno: 'ENOENT',
    consequence: 'no handler takes its file',
    remedy: 'leave it out of the session',
    source: seed,
  },
  vf: {
    id: 'vf',
    demand: 'it is no virtual function',
    refusedAt: 'PRESERVE_FD',
    errno: 'EINVAL',
    consequence: 'the PCI core refuses it',
    remedy: 'preserve a physical function, or leave it out',
    source: 'PCI core preservation, v5 and later',
  },
  zdev: {
    id: 'zdev',
    demand: 'CONFIG_VFIO_PCI_ZDEV_KVM is off',
    refusedAt: 'PRESERVE_FD',
    errno: 'ENOENT',
    consequence: 'no handler takes its file',
    remedy: 'build the kernel without it',
    source: seed,
  },
  interrupts: {
    id: 'interrupts',
    demand: 'its interrupts are off',
    refusedAt: 'reboot',
    errno: 'EINVAL',
    consequence: 'reboot(LINUX_REBOOT_CMD_KEXEC) is refused: "Freeze failed! Interrupts are still enabled."',
    remedy: 'VFIO_DEVICE_SET_IRQS with VFIO_IRQ_SET_DATA_NONE and count 0 before the reboot call',
    source: seed,
  },
  power: {
    id: 'power',
    demand: 'its power state is D0',
    refusedAt: 'reboot',
    errno: 'EINVAL',
    consequence: 'the freeze callback refuses it',
    remedy: 'wake it (power/control = on)',
    source: 'vfio-pci live update, v5',
  },
  reset: {
    id: 'reset',
    demand: 'it can be reset',
    refusedAt: null,
    errno: null,
    consequence: 'nothing refuses it: it goes on with its DMA into the next kernel, whoever then owns the memory',
    remedy: 'give it a reset method (reset_method), or leave it out',
    source: `${seed}: vfio_pci_core_try_reset()`,
  },
  'iommu-group': {
    id: 'iommu-group',
    demand: 'it is alone in its IOMMU group',
    refusedAt: 'PRESERVE_FD',
    errno: 'EINVAL',
    consequence: 'a group of several functions is refused',
    remedy: 'move it to a slot behind a bridge with ACS',
    source: 'PCI core preservation, [PATCH v3 03/24]',
  },
  bridge: {
    id: 'bridge',
    demand: 'it is on a root bus',
    refusedAt: 'PRESERVE_FD',
    errno: 'EINVAL',
    consequence: '"Cannot preserve devices behind bridges"',
    remedy: 'use a slot on the root bus, or a kernel whose PCI core preserves bridges (expected in 7.4)',
    source: 'PCI core preservation, before version 2 of the FLB "pci"',
  },
} as const satisfies Readonly<Record<string, DeviceRestriction>>;

export type DeviceRestrictionId = keyof typeof deviceRestrictions;

/** From here on (expected) a device behind bridges is accepted, and the bridges are preserved with it: version 2 of the FLB `pci`. */
export const BRIDGES_PRESERVED_SINCE = '7.4';

/** PCI vendor and class of the displays that are refused. Source: vfio_pci_is_intel_display(), drivers/vfio/pci/vfio_pci_core.c */
export const PCI_VENDOR_ID_INTEL = 0x8086;
export const PCI_BASE_CLASS_DISPLAY = 0x03;
