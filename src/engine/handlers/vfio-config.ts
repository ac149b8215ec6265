/** How the VFIO of a kernel was built: which patches, which options. */
import type { VfioVariant } from '../scenario/types.js';

export interface VfioConfig {
  readonly variant: VfioVariant;
  /** CONFIG_VFIO_PCI_ZDEV_KVM */
  readonly zdevKvm: boolean;
  /** the PCI core preserves no device that shares its IOMMU group */
  readonly singletonGroups: boolean;
}
