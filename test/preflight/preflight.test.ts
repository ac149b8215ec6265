/** `preflight` on recorded trees: a good one, and each restriction violated alone, which must be the one thing that blocks. */
import { rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { folderTree } from '../../src/host/host-tree.js';
import { deviceRestrictions } from '../../abi/vfio-pci/restrictions.js';
import { releaseSide } from '../../src/compat/release-side.js';
import { preflight } from '../../src/preflight/preflight.js';
import type { NextKernel } from '../../src/preflight/next-kernel.js';
import { DEVICE, GOOD_CONFIG, bridgeConfig, deviceFile, endpointConfig, recordTree } from './recorded-tree.js';

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** A bzImage's head that asks for `size` bytes, by the offsets of Documentation/arch/x86/boot.rst. */
function bzImageHead(size: number): Uint8Array {
  const bytes = new Uint8Array(0x270);
  bytes.set(new TextEncoder().encode('HdrS'), 0x202);
  new DataView(bytes.buffer).setUint32(0x260, size, true);
  return bytes;
}

const next = (release: string, size = 48 << 20): NextKernel => ({ path: 'vmlinuz', head: bzImageHead(size), side: releaseSide(release), config: null });

function run(changes: Parameters<typeof recordTree>[0] = {}, options: { cmdline?: string; next?: NextKernel | null; devices?: string[] } = {}) {
  const root = recordTree(changes);
  made.push(root);
  return preflight({
    tree: folderTree(root),
    next: options.next === undefined ? next('7.3') : options.next,
    cmdline: options.cmdline ?? 'kho=on liveupdate=on',
    from: releaseSide('7.3'),
    devices: options.devices ?? [],
    descriptors: null,
    seesAll: true,
  });
}

const blocking = (result: ReturnType<typeof run>): readonly string[] => result.lines.filter(({ state }) => state === 'blocks').map(({ check }) => check);

it('a machine on which nothing is wrong: nothing blocks, and nothing is left untold', () => {
  const result = run();
  expect(result.lines.filter(({ state }) => state !== 'fine')).toEqual([]);
  expect(result.verdict).toBe('works');
  expect(result.sessions).toEqual([{ name: 'vm-web', holders: [{ pid: 101, comm: 'vmm', fd: 7, target: 'anon_inode:[luo_session] vm-web' }] }]);
});

describe('each restriction violated alone', () => {
  const without = (option: string): Uint8Array => gzipSync(GOOD_CONFIG.filter((line) => !line.startsWith(`${option}=`)).join('\n'));
  const cases: readonly [string, Parameters<typeof recordTree>[0]][] = [
    ['driver', { [deviceFile('driver')]: { link: '../../drivers/mlx5-vfio-pci' } }],
    ['intel-display', { [deviceFile('class')]: '0x030000\n' }],
    ['vf', { [deviceFile('physfn')]: { link: '../0000:00:04.0' } }],
    ['zdev', { 'proc/config.gz': gzipSync([...GOOD_CONFIG.slice(0, -1), 'CONFIG_VFIO_PCI_ZDEV_KVM=y'].join('\n')) }],
    ['interrupts', { [deviceFile('config')]: endpointConfig({ msi: true }) }],
    ['interrupts', { [deviceFile('config')]: endpointConfig({ msix: true }) }],
    ['interrupts', { 'proc/interrupts': ' 28: 0 PCI-MSI vfio-intx(0000:00:05.0)\n' }],
    ['power', { [deviceFile('power_state')]: 'D3hot\n' }],
    ['power', { [deviceFile('power_state')]: null, [deviceFile('config')]: endpointConfig({ power: 3 }) }],
    ['reset', { [deviceFile('reset_method')]: '\n' }],
    [
      'iommu-group',
      { [deviceFile('iommu_group', '0000:00:06.0')]: { link: '../../iommu_groups/3' }, [deviceFile('config', '0000:00:06.0')]: endpointConfig() },
    ],
  ];
  it.each(cases)('%s', (id, changes) => {
    expect(blocking(run(changes, { devices: [DEVICE] }))).toEqual([`device/${DEVICE}/${id}`]);
  });

  it('of every restriction there is one', () => {
    const without = gzipSync(GOOD_CONFIG.filter((line) => !line.startsWith('CONFIG_VFIO_DEVICE_CDEV')).join('\n'));
    const noCdev = { 'proc/config.gz': without, [deviceFile('vfio-dev/vfio0/name')]: null };
    expect(blocking(run(noCdev, { devices: [DEVICE] })).filter((check) => check.startsWith('device/'))).toEqual([`device/${DEVICE}/cdev`]);
    const violated = new Set([...cases.map(([id]) => id), 'cdev', 'bridge']);
    expect([...violated].sort()).toEqual(Object.keys(deviceRestrictions).sort());
  });

  it('a device behind a bridge; 7.4 preserves the bridge with it', () => {
    const changes = {
      [deviceFile('config', '0000:00:1c.0')]: bridgeConfig(1),
      [deviceFile('config', '0000:01:00.0')]: endpointConfig(),
      [deviceFile('driver', '0000:01:00.0')]: { link: 'x/vfio-pci' },
      [deviceFile('vfio-dev/vfio1/name', '0000:01:00.0')]: '',
      [deviceFile('reset_method', '0000:01:00.0')]: 'flr',
      [deviceFile('iommu_group', '0000:01:00.0')]: { link: '../9' },
    };
    expect(blocking(run(changes, { devices: ['01:00.0'] }))).toEqual(['device/0000:01:00.0/bridge']);
    expect(blocking(run({ ...changes, 'proc/version': 'Linux version 7.4.0-rc2 (b@h)' }, { devices: ['01:00.0'] }))).toEqual([]);
  });

  it.each(['CONFIG_KEXEC_FILE', 'CONFIG_KEXEC_HANDOVER', 'CONFIG_LIVEUPDATE', 'CONFIG_LIVEUPDATE_MEMFD', 'CONFIG_VFIO_PCI_LIVEUPDATE'])('%s', (option) => {
    expect(blocking(run({ 'proc/config.gz': without(option) }))).toEqual([`kernel/config/${option}`]);
  });

  it('command lines, /dev/liveupdate, scratch, releases', () => {
    expect(blocking(run({ 'proc/cmdline': 'kho=off liveupdate=on' }))).toEqual(['kernel/cmdline/kho']);
    expect(blocking(run({ 'proc/cmdline': 'kho=1' }))).toEqual(['kernel/cmdline/liveupdate']);
    expect(blocking(run({}, { cmdline: 'kho=off liveupdate=on' }))).toEqual(['next/cmdline/kho']);
    expect(blocking(run({}, { cmdline: 'kho=on' }))).toEqual(['next/cmdline/liveupdate']);
    expect(blocking(run({ 'dev/liveupdate': null, 'dev/null': '' }))).toEqual(['kernel/device']);
    expect(blocking(run({}, { next: next('7.3', 65 << 20) }))).toEqual(['next/scratch']);
    expect(blocking(run({ 'proc/version': 'Linux version 6.18.15 (b@h)' }))).toEqual(['kernel/release']);
    expect(blocking(run({}, { next: next('7.1') }))).toContain('next/contracts/kho');
  });
});

it('the parameter of a kernel that calls scratch otherwise is not in force', () => {
  const told = (result: ReturnType<typeof run>): readonly string[] =>
    result.lines.filter(({ check }) => check.endsWith('/scratch')).map(({ check, text }) => `${check}: ${text}`);
  expect(told(run({}, { cmdline: 'kho=on liveupdate=on kho_scratch=64M,4M,4M', next: next('7.4') })).join()).toMatch(
    /next\/cmdline\/scratch: kho_scratch= is not .* knows kho_bootmem=/,
  );
  expect(told(run({ 'proc/cmdline': 'kho=on liveupdate=on kho_bootmem=64M,4M,4M' })).join()).toMatch(
    /kernel\/cmdline\/scratch: kho_bootmem= is not .* knows kho_scratch=/,
  );
  expect(told(run({}, { cmdline: 'kho=on liveupdate=on kho_bootmem=64M,4M,4M', next: next('7.4') })).join()).not.toContain('cmdline/scratch');
});

it('scratch under its queued name', () => {
  const renamed = { 'debugfs/kho/out/scratch_len': null, 'debugfs/kho/out/bootmem_len': '0x4000000\n' };
  expect(blocking(run(renamed))).toEqual([]);
  expect(blocking(run(renamed, { next: next('7.3', 65 << 20) }))).toEqual(['next/scratch']);
});

it('what is not recorded cannot be told, and says why', () => {
  const result = run({ 'proc/config.gz': null, [deviceFile('config')]: null, [deviceFile('power_state')]: null, 'dev/liveupdate': null }, { next: null });
  expect(blocking(result)).toEqual([]);
  const untold = result.lines.filter(({ state }) => state === 'cannot-tell').map(({ check }) => check);
  expect(untold).toEqual(
    expect.arrayContaining(['kernel/config', 'kernel/device', 'next/image', 'next/contracts', `device/${DEVICE}/interrupts`, `device/${DEVICE}/power`]),
  );
});

it('a device that is not there blocks; a word that is no address is refused', () => {
  expect(blocking(run({}, { devices: ['0000:7f:00.0'] }))).toEqual(['device/0000:7f:00.0']);
  expect(() => run({}, { devices: ['eth0'] })).toThrow(/"eth0" is no PCI address/);
});

it('attributes of a device are read once, and no more of each than sysfs gives', () => {
  const root = recordTree({ 'sys/bus/pci/devices/0000:00:06.0/driver': 'vfio-pci\n', [deviceFile('power_state')]: `D0${' '.repeat(100_000)}x` });
  made.push(root);
  const tree = folderTree(root);
  const read: string[] = [];
  const counted = { ...tree, read: (path: string) => (read.push(path), tree.read(path)) };
  preflight({ tree: counted, next: null, cmdline: '', from: releaseSide('7.3'), devices: [], descriptors: null, seesAll: true });
  const attributes = read.filter((path) => path.startsWith('sys/bus/pci/'));
  expect(attributes).toContain(deviceFile('power_state'));
  expect(new Set(attributes).size).toBe(attributes.length);
  expect(tree.read(deviceFile('power_state'))).toHaveLength(4096);
});
