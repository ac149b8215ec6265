/** Each PCI device against what the vfio-pci handler and the PCI core demand of it (abi/vfio-pci/restrictions.ts). */
import { ZDEV_OPTION } from '../../abi/kernel/options.js';
import {
  BRIDGES_PRESERVED_SINCE,
  type DeviceRestriction,
  type DeviceRestrictionId,
  deviceRestrictions,
  PCI_BASE_CLASS_DISPLAY,
  PCI_VENDOR_ID_INTEL,
} from '../../abi/vfio-pci/restrictions.js';
import type { HostTree } from '../host/host-tree.js';
import { isSet, type KernelConfig } from '../host/kernel-config.js';
import { bridgesAbove, type PciFunction, pciAddress, pciFunctions } from '../host/pci-function.js';
import { PCI_FOLDER } from '../host/recorded.js';
import { UserError } from '../codec/user-error.js';
import { blocks, cannotTell, fine, type PreflightLine } from './line.js';

/** What is known of one restriction: it holds, it does not, or nothing tells. The text is the value found. */
interface Found {
  readonly holds: boolean | null;
  readonly value: string;
}

const yes = (value: string): Found => ({ holds: true, value });
const no = (value: string): Found => ({ holds: false, value });
const untold = (value: string): Found => ({ holds: null, value });

interface DeviceContext {
  readonly tree: HostTree;
  readonly config: KernelConfig | null;
  /** version text of the kernel that hands over (`7.3.4`); null where it is not known */
  readonly version: string | null;
}

/**
 * The devices to look at: those named, else every function bound to vfio-pci.
 * @throws UserError where a name is no PCI address
 */
export function chosenDevices(
  tree: HostTree,
  named: readonly string[],
): { readonly devices: readonly PciFunction[]; readonly all: readonly PciFunction[]; readonly lines: readonly PreflightLine[] } {
  const all = pciFunctions(tree);
  if (named.length === 0) return { devices: all.filter((one) => one.driver === 'vfio-pci'), all, lines: [] };
  const lines: PreflightLine[] = [];
  const devices = named.flatMap((text) => {
    const address = pciAddress(text);
    if (address === null) throw new UserError(`${JSON.stringify(text)} is no PCI address; write it as 0000:00:05.0`);
    const found = all.find((one) => one.address === address);
    if (found !== undefined) return [found];
    lines.push(
      all.length === 0
        ? cannotTell(`device/${address}`, `${address}: ${tree.where(PCI_FOLDER)} names no function`)
        : blocks(`device/${address}`, `${address}: no such function in ${tree.where(PCI_FOLDER)}`, 'check the address with lspci -D'),
    );
    return [];
  });
  return { devices, all, lines };
}

/** A line a restriction, in the order in which the kernel would meet them. @param all functions of the tree */
export function deviceLines(fn: PciFunction, context: DeviceContext, all: readonly PciFunction[]): readonly PreflightLine[] {
  return (Object.keys(questions) as DeviceRestrictionId[]).map((id) => lineOf(fn, deviceRestrictions[id], questions[id](fn, context, all)));
}

function lineOf(fn: PciFunction, restriction: DeviceRestriction, { holds, value }: Found): PreflightLine {
  const check = `device/${fn.address}/${restriction.id}`;
  const text = `${fn.address}: ${value}`;
  if (holds === true) return fine(check, text);
  if (holds === null) return cannotTell(check, `${text}; demanded: ${restriction.demand}`);
  const refused = restriction.refusedAt === null ? '' : `${restriction.refusedAt}${restriction.errno === null ? '' : ` gives ${restriction.errno}`}: `;
  return blocks(check, `${text}; ${refused}${restriction.consequence}`, restriction.remedy);
}

type Question = (fn: PciFunction, context: DeviceContext, all: readonly PciFunction[]) => Found;

const questions: Readonly<Record<DeviceRestrictionId, Question>> = {
  driver: ({ driver }) =>
    driver === undefined
      ? untold('its driver is not recorded')
      : driver === 'vfio-pci'
        ? yes('driver vfio-pci')
        : no(driver === null ? 'no driver is bound' : `driver ${driver}`),
  cdev: ({ cdev, driver }, { config }) => {
    if (cdev !== null) return yes(`character device ${cdev}`);
    if (config !== null && !isSet(config, 'CONFIG_VFIO_DEVICE_CDEV')) return no('CONFIG_VFIO_DEVICE_CDEV is not set');
    if (driver !== 'vfio-pci') return untold('no character device while it is not bound to vfio-pci');
    return config === null ? untold('no vfio-dev folder is recorded') : untold('CONFIG_VFIO_DEVICE_CDEV is set, and no vfio-dev folder is recorded');
  },
  'intel-display': ({ vendor, classCode }) => {
    if (vendor === null || classCode === null) return untold('vendor and class are not known');
    const what = `vendor 0x${vendor.toString(16).padStart(4, '0')}, class 0x${classCode.toString(16).padStart(6, '0')}`;
    return vendor === PCI_VENDOR_ID_INTEL && classCode >> 16 === PCI_BASE_CLASS_DISPLAY ? no(`${what}: an Intel display`) : yes(what);
  },
  vf: ({ isVf }) => (isVf ? no('a virtual function') : yes('no virtual function')),
  zdev: (_, { config }) => {
    if (config === null) return untold(`the configuration is not known, and so is ${ZDEV_OPTION}`);
    return isSet(config, ZDEV_OPTION) ? no(`${ZDEV_OPTION} is set`) : yes(`${ZDEV_OPTION} is off`);
  },
  interrupts: ({ interrupts }) => {
    if (interrupts === null) return untold('neither /proc/interrupts nor its configuration space tells whether interrupts are on');
    return interrupts === 'none' ? yes('interrupts off') : no(`${interrupts === 'intx' ? 'INTx' : interrupts === 'msi' ? 'MSI' : 'MSI-X'} is on`);
  },
  power: ({ power }) => {
    if (power === null || power === 'unknown') return untold('its power state is not known');
    return power === 'D0' ? yes('power state D0') : no(`power state ${power}`);
  },
  reset: ({ resetMethods }) => {
    if (resetMethods === null) return untold('reset_method is not recorded');
    return resetMethods.length > 0 ? yes(`reset by ${resetMethods.join(', ')}`) : no('it has no reset method');
  },
  'iommu-group': ({ iommuGroup, address }, { tree }, all) => {
    if (iommuGroup === null) return untold('its IOMMU group is not recorded, or it is in none');
    const others = new Set(all.filter((one) => one.iommuGroup === iommuGroup && one.address !== address).map((one) => one.address));
    for (const name of tree.list(`sys/kernel/iommu_groups/${iommuGroup}/devices`)) if (name !== address) others.add(name);
    return others.size === 0 ? yes(`alone in IOMMU group ${iommuGroup}`) : no(`IOMMU group ${iommuGroup} holds ${[...others].slice(0, 3).join(', ')} as well`);
  },
  bridge: (fn, { version }, all) => {
    const above = bridgesAbove(fn, all);
    if (above.length > 0) {
      const path = above.map((one) => one.address).join(', ');
      return version !== null && atLeast(version, BRIDGES_PRESERVED_SINCE) ? yes(`behind ${path}, which are preserved with it`) : no(`behind ${path}`);
    }
    const onRootBus = all.every((one) => one.bridgeTo !== null || one.config !== null);
    return onRootBus ? yes('on a root bus') : untold('configuration space of some function is not recorded, so a bridge above may be missed');
  },
};

/** Compares `major.minor` of two version texts. */
function atLeast(version: string, least: string): boolean {
  const numbers = (text: string): readonly number[] => text.split('.').map((part) => Number.parseInt(part, 10));
  const [major = 0, minor = 0] = numbers(version);
  const [leastMajor = 0, leastMinor = 0] = numbers(least);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}
