/** `sim --device pci:<bdf>`: a device of the scenario starts from a real function's configuration space and capabilities, or a recorded one's. */
import { statSync } from 'node:fs';
import { UserError } from '../codec/user-error.js';
import type { Scenario, ScenarioDevice } from '../engine/scenario/types.js';
import { folderTree, type HostTree, liveTree } from '../host/host-tree.js';
import { type PciFunction, pciAddress, pciFunctions } from '../host/pci-function.js';
import { PCI_FOLDER } from '../host/recorded.js';

const PREFIX = 'pci:';
/** What sysfs shows without root; capabilities come after it. */
const HEADER_BYTES = 64;

/** Is this a device that is taken from sysfs? */
export const isPciDevice = (device: string | undefined): device is string => device?.startsWith(PREFIX) === true;

/**
 * The scenario with a real function in place of one of its devices: that with the same address, else the first.
 * @param root a recorded tree; undefined for this machine
 * @throws UserError where the function is not there, its configuration space can't be read, or the scenario has no device
 */
export function withRealDevice(scenario: Scenario, device: string, root: string | undefined): { readonly scenario: Scenario; readonly said: string } {
  const text = device.slice(PREFIX.length);
  const address = pciAddress(text);
  if (address === null) throw new UserError(`--device ${device}: ${JSON.stringify(text)} is no PCI address; write pci:0000:00:05.0`);
  const tree = treeOf(root);
  const found = pciFunctions(tree).find((one) => one.address === address);
  if (found === undefined) throw new UserError(`--device ${device}: no such function in ${tree.where(PCI_FOLDER)}; list them with lspci -D`);
  const { config } = found;
  if (config === null || config.length <= HEADER_BYTES)
    throw new UserError(
      `--device ${device}: ${tree.where(`${PCI_FOLDER}/${address}/config`)} holds no capabilities; run as root, or record it as root (capture)`,
    );
  const bdf = bdfOf(address);
  const chosen = scenario.devices.find((one) => one.domain === bdf.domain && one.bdf === bdf.bdf) ?? scenario.devices[0];
  if (chosen === undefined) throw new UserError(`--device ${device}: the scenario has no device; add one under devices, of any address`);
  const replaced = realDevice(chosen, found, config, bdf);
  return {
    scenario: { ...scenario, devices: scenario.devices.map((one) => (one === chosen ? replaced : one)) },
    said: `${chosen.name} is ${address} of ${tree.label}: ${hex4(replaced.vendor)}:${hex4(replaced.device)}, reset ${replaced.reset}, interrupts ${replaced.interrupts}`,
  };
}

function treeOf(root: string | undefined): HostTree {
  if (root === undefined) return liveTree();
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new UserError(`${root}: no folder; give an unpacked capture (tar xf capture.tar)`);
  return folderTree(root);
}

const hex4 = (value: number): string => value.toString(16).padStart(4, '0');

function bdfOf(address: string): { readonly domain: number; readonly bdf: number } {
  const [domain = '', bus = '', slot = '', fn = ''] = address.split(/[:.]/);
  return { domain: Number.parseInt(domain, 16), bdf: (Number.parseInt(bus, 16) << 8) | (Number.parseInt(slot, 16) << 3) | Number(fn) };
}

/** What the tree does not tell stays as the scenario has it. The driver is the scenario's: what is tried is what would be after binding it. */
function realDevice(device: ScenarioDevice, fn: PciFunction, config: Uint8Array, place: { readonly domain: number; readonly bdf: number }): ScenarioDevice {
  const powers: readonly ScenarioDevice['power'][] = ['D0', 'D1', 'D2', 'D3hot', 'D3cold'];
  const group = fn.iommuGroup === null ? Number.NaN : Number(fn.iommuGroup);
  return {
    ...device,
    ...place,
    vendor: fn.vendor ?? device.vendor,
    device: fn.device ?? device.device,
    classCode: fn.classCode ?? device.classCode,
    interrupts: fn.interrupts ?? device.interrupts,
    power: powers.find((state) => state === fn.power) ?? device.power,
    reset: resetOf(fn) ?? device.reset,
    vf: fn.isVf,
    iommuGroup: Number.isInteger(group) ? group : device.iommuGroup,
    recorded: config,
    intx: fn.interrupts === 'intx',
  };
}

/** The method the kernel tries first, in the engine's words; null where the tree does not tell. Source: drivers/pci/pci.c pci_reset_fn_methods. */
function resetOf({ resetMethods }: PciFunction): ScenarioDevice['reset'] | null {
  if (resetMethods === null) return null;
  const [first] = resetMethods;
  if (first === undefined) return 'none';
  return first === 'flr' || first === 'af_flr' ? 'flr' : first === 'pm' ? 'pm' : 'bus';
}
