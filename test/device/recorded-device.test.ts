/** A device that starts from a recorded configuration space: `sim --device pci:<bdf> --root <dir>`. The bytes are those of the preflight tests, written as lspci -xxx shows them. */
import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/codec/user-error.js';
import { isPciDevice, withRealDevice } from '../../src/cli/sim-device.js';
import { SimulatedPciDevice } from '../../src/device/simulated/pci-device.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { DEVICE, deviceFile, endpointConfig, recordTree } from '../preflight/recorded-tree.js';

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});
const tree = (changes: Parameters<typeof recordTree>[0]): string => {
  const root = recordTree(changes);
  made.push(root);
  return root;
};

const options = { name: 'nic', domain: 0, bdf: 0x28, vendor: 1, device: 2, classCode: 3, reset: 'flr', vf: false, stubborn: false } as const;

describe('a device with recorded registers', () => {
  it('has the identity, the capabilities and the state of the function that was recorded', () => {
    const device = new SimulatedPciDevice({ ...options, recorded: endpointConfig({ msix: true, power: 2 }) });
    expect([device.vendor, device.deviceId, device.classCode]).toEqual([0x8086, 0x10d3, 0x020000]);
    expect([device.interrupts, device.power, device.busMaster]).toEqual(['msix', 'D2', true]);
    expect(device.config.capability(0x05)).toBe(0x50);
    expect(device.config.capability(0x10)).toBeNull();
  });

  it('loses in a reset what software had programmed, and keeps where its capabilities are', () => {
    const device = new SimulatedPciDevice({ ...options, recorded: endpointConfig({ msix: true }) });
    expect(device.reset()).toBe(true);
    expect([device.interrupts, device.power, device.busMaster]).toEqual(['none', 'D0', false]);
    device.setInterrupts('msi');
    expect(device.interrupts).toBe('msi');
    expect(device.config.bytes[0x52]).toBe(0x81);
  });

  it('without a capability there is nothing to program', () => {
    const bare = endpointConfig();
    bare[0x34] = 0;
    const device = new SimulatedPciDevice({ ...options, recorded: bare });
    device.setInterrupts('msix');
    device.setPower('D3hot');
    expect([device.interrupts, device.power]).toEqual(['none', 'D0']);
  });

  it('a capability list that leads back into itself ends', () => {
    const circle = endpointConfig();
    circle[0x71] = 0x40;
    expect(new SimulatedPciDevice({ ...options, recorded: circle }).config.capability(0x11)).toBe(0x70);
  });
});

const scenario = `schema: luo-inspect.scenario/1
vfio: v5
devices: [ { name: nic, bdf: "0000:00:09.0", driver: vfio-pci, interrupts: none } ]
steps:
  - { do: open, as: luo }
  - { do: create-session, name: vm, as: s }
  - { do: vfio, device: nic, as: dev }
  - { do: preserve, session: s, fd: dev, token: 1 }
  - { do: kexec }
`;

/** What the kexec answers with the device of a recorded tree in place of the scenario's. */
function kexecWith(changes: Parameters<typeof recordTree>[0]): { readonly kexec: number | null; readonly said: string } {
  const { scenario: real, said } = withRealDevice(parseScenario(scenario, 'nic.yaml'), `pci:${DEVICE}`, tree(changes));
  const client = EngineClient.ofScenario(real);
  client.toEnd();
  return { kexec: [...client.briefSteps()].find(({ op }) => op === 'kexec')?.result ?? null, said };
}

describe('sim --device pci:<bdf>', () => {
  it('interrupts that are on in the recorded function refuse the kexec; those that are off do not', () => {
    const off = kexecWith({});
    expect(off.said).toContain('nic is 0000:00:05.0');
    expect(off.said).toContain('8086:10d3, reset flr, interrupts none');
    expect(off.kexec).toBe(0);
    expect(kexecWith({ [deviceFile('config')]: endpointConfig({ msix: true }) }).kexec).toBe(-22);
  });

  it('says in one line what is not there', () => {
    const parsed = parseScenario(scenario, 'nic.yaml');
    expect(() => withRealDevice(parsed, 'pci:0000:00:1f.0', tree({}))).toThrow(/no such function/);
    expect(() => withRealDevice(parsed, 'pci:eth0', tree({}))).toThrow(/"eth0" is no PCI address/);
    expect(() => withRealDevice(parsed, `pci:${DEVICE}`, tree({ [deviceFile('config')]: endpointConfig().slice(0, 64) }))).toThrow(
      /no capabilities; run as root/,
    );
    expect(() => withRealDevice({ ...parsed, devices: [] }, `pci:${DEVICE}`, tree({}))).toThrow(UserError);
    expect([isPciDevice('pci:00:05.0'), isPciDevice('kvm'), isPciDevice(undefined)]).toEqual([true, false, false]);
  });
});
