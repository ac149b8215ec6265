/**
 * The layers of a handover in the order in which the next kernel meets them, what each is to it, and what it means that one
 * was taken over. Source: kernel/liveupdate and mm/memblock.c, 7.3.4; the series on the mailing list for what no release speaks.
 */
import type { Layer } from '../contract.js';

/** `subtree`: of the root FDT; `luo-node`: of the LUO tree; `handler`: of files; `flb`: an object beside files */
export type LayerRole = 'root' | 'subtree' | 'luo' | 'luo-node' | 'handler' | 'flb';

export interface LayerInfo {
  readonly layer: Layer;
  readonly role: LayerRole;
  readonly takenOver: string;
  /** what is lost is somebody's data: an error, not a remark */
  readonly carriesData: boolean;
  /** only kernels built with a test of their own write it */
  readonly testOnly: boolean;
}

const info = (layer: Layer, role: LayerRole, takenOver: string, options: { carriesData?: boolean; testOnly?: boolean } = {}): LayerInfo => ({
  layer,
  role,
  takenOver,
  carriesData: options.carriesData ?? true,
  testOnly: options.testOnly ?? false,
});

export const layerInfos: readonly LayerInfo[] = [
  info('kho', 'root', 'version and preserved map are the same: preserved memory stays reserved'),
  info('memblock', 'subtree', 'reserve_mem regions whose name, size and alignment fit are revived'),
  info('luo', 'luo', 'the LUO root is accepted'),
  info('luo-session', 'luo-node', 'the session node is accepted'),
  info('luo-flb', 'luo-node', 'the FLB node is accepted', { carriesData: false }),
  info('kexec-metadata', 'subtree', 'previous release and count of kexecs are read', { carriesData: false }),
  info('kho-test', 'subtree', 'the test finds its folios', { carriesData: false, testOnly: true }),
  info('liveupdate-test-flb', 'flb', 'claimed by the test object of the same string', { carriesData: false, testOnly: true }),
  info('pci', 'flb', 'claimed by the PCI core'),
  info('iommu', 'flb', 'claimed by the IOMMU core'),
  info('hugetlb', 'flb', 'claimed by hugetlb'),
  info('memfd', 'handler', 'files find their handler and can be retrieved'),
  info('vfio-pci', 'handler', 'files find their handler; retrieving them depends on the device'),
  info('kvm-vm', 'handler', 'files find their handler'),
  info('guest-memfd', 'handler', 'files find their handler'),
  info('kvm-vcpu', 'handler', 'files find their handler'),
  info('handler', 'handler', 'files find their handler'),
  info('flb', 'flb', 'claimed by its owner'),
  info('cpu', 'handler', 'files find their handler'),
  info('cpu-flb', 'flb', 'claimed by the CPU core'),
  info('iommufd', 'handler', 'files find their handler'),
  info('hwpoison', 'subtree', 'broken pages are taken out of use again', { carriesData: false }),
];
