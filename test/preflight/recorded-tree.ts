/** A recorded tree of a machine on which a live update works, written to a folder, for tests to change in one place. */
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

export const GOOD_CONFIG = [
  'CONFIG_KEXEC_FILE=y',
  'CONFIG_KEXEC_HANDOVER=y',
  'CONFIG_KEXEC_HANDOVER_DEBUGFS=y',
  'CONFIG_LIVEUPDATE=y',
  'CONFIG_LIVEUPDATE_MEMFD=y',
  'CONFIG_VFIO_DEVICE_CDEV=y',
  'CONFIG_VFIO_PCI_LIVEUPDATE=y',
  '# CONFIG_VFIO_PCI_ZDEV_KVM is not set',
];

/** Writes hand-placed bytes, as lspci -xxx would show them: an endpoint with PM at 0x40, MSI at 0x50, MSI-X at 0x70. */
export function endpointConfig({ msi = false, msix = false, power = 0, intxDisabled = true } = {}): Uint8Array {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x8086, true);
  view.setUint16(2, 0x10d3, true);
  view.setUint16(4, 0x0006 | (intxDisabled ? 0x400 : 0), true);
  view.setUint16(6, 0x0010, true);
  bytes.set([0x00, 0x00, 0x00, 0x02], 8);
  bytes[0x34] = 0x40;
  bytes[0x3d] = 1;
  bytes.set([0x01, 0x50, 0, 0, power, 0, 0, 0], 0x40);
  bytes.set([0x05, 0x70, msi ? 0x81 : 0x80, 0], 0x50);
  bytes.set([0x11, 0x00, 0x04, msix ? 0x80 : 0x00], 0x70);
  return bytes;
}

/** A bridge from bus 0 to bus `secondary`. */
export function bridgeConfig(secondary: number): Uint8Array {
  const bytes = new Uint8Array(256);
  bytes[0x0e] = 1;
  bytes.set([0, secondary, secondary], 0x18);
  return bytes;
}

type Files = Record<string, string | Uint8Array | { link: string } | null>;

export const DEVICE = '0000:00:05.0';
export const deviceFile = (name: string, address = DEVICE): string => `sys/bus/pci/devices/${address}/${name}`;

const goodTree = (): Files => ({
  'manifest.json': JSON.stringify({ schema: 'luo-inspect.capture/1', release: '7.3.4' }),
  'proc/version': 'Linux version 7.3.4 (builder@host) #1 SMP',
  'proc/cmdline': 'console=ttyS0 kho=on liveupdate=on kho_scratch=64M,4M,4M',
  'proc/config.gz': gzipSync(GOOD_CONFIG.join('\n')),
  'proc/descriptors.txt': '101\tvmm\t7\tanon_inode:[luo_session] vm-web\n101\tvmm\t8\t/memfd:ram (deleted)\n',
  'sys/kernel/kexec_loaded': '1\n',
  'dev/liveupdate': '',
  'debugfs/kho/out/scratch_len': '0x4000000\n0x400000\n0x400000\n',
  'debugfs/kho/out/scratch_phys': '0x4000000\n0x8000000\n0x9000000\n',
  [deviceFile('vendor')]: '0x8086\n',
  [deviceFile('device')]: '0x10d3\n',
  [deviceFile('class')]: '0x020000\n',
  [deviceFile('config')]: endpointConfig(),
  [deviceFile('power_state')]: 'D0\n',
  [deviceFile('reset_method')]: 'flr bus\n',
  [deviceFile('driver')]: { link: '../../../../bus/pci/drivers/vfio-pci' },
  [deviceFile('iommu_group')]: { link: '../../../../kernel/iommu_groups/3' },
  [deviceFile('vfio-dev/vfio0/name')]: 'vfio0\n',
});

/** @param changes files in place of those of the good tree; null leaves one out */
export function recordTree(changes: Files = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'luo-inspect-tree-'));
  for (const [path, contents] of Object.entries({ ...goodTree(), ...changes })) {
    if (contents === null) continue;
    const at = join(root, 'luo-capture', path);
    mkdirSync(dirname(at), { recursive: true });
    if (typeof contents === 'string' || contents instanceof Uint8Array) writeFileSync(at, contents);
    else symlinkSync(contents.link, at);
  }
  return root;
}
