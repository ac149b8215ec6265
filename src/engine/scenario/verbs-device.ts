/** Verbs on the simulated PCI devices and on the VFIO files of them. Source of the operations: 7.3 include/uapi/linux/vfio.h. */
import { optional, required, withDefault } from './keys.js';
import { bool, fdRef, label, number, oneOf, text } from './values.js';
import { asKey, verb } from './verb.js';

const deviceKey = required(label, "the device's name in `devices`");
const irqMode = oneOf(['none', 'intx', 'msi', 'msix']);
const powerState = oneOf(['D0', 'D1', 'D2', 'D3hot', 'D3cold']);
const groupKey = withDefault(bool, 'through VFIO_GROUP_GET_DEVICE_FD instead of the character device', false, 'false');
const byFd = {
  fd: optional(fdRef, "the device file's descriptor"),
  device: optional(label, 'the device, in place of `fd`: its descriptor opened or retrieved last'),
};

type ByFd = { readonly fd: string | number | null; readonly device: string | null };
function one(values: ByFd, cursor: { error(what: string): Error }): ByFd {
  if ((values.fd === null) === (values.device === null)) throw cursor.error('it needs either fd or device; write fd: <name>');
  return values;
}

export const deviceVerbs = {
  vfio: verb('opens a device and binds the file to an iommufd', { device: deviceKey, group: groupKey, ...asKey }),
  'vfio-open': verb('opens /dev/vfio/devices/…', { device: deviceKey, group: groupKey, ...asKey }),
  'vfio-bind': verb('VFIO_DEVICE_BIND_IOMMUFD', byFd, one),
  'vfio-info': verb('VFIO_DEVICE_GET_INFO', byFd, one),
  'vfio-region': verb("reads the first bytes of the device's configuration space", byFd, one),
  'vfio-mmap': verb('maps BAR 0', byFd, one),
  'vfio-unbind': verb('takes the driver away from the device', { device: deviceKey }),
  driver: verb('binds a driver to the device', { device: deviceKey, driver: withDefault(text, 'which', 'vfio-pci', 'vfio-pci') }),
  rmmod: verb('delete_module(2): `.owner = THIS_MODULE` keeps the module of a file handler while LUO holds a file of it (up to 7.0: always)', {
    module: withDefault(oneOf(['vfio-pci']), 'which', 'vfio-pci', 'vfio-pci'),
  }),
  irq: verb('VFIO_DEVICE_SET_IRQS', { device: deviceKey, mode: required(irqMode, 'which interrupts, or `none`') }),
  power: verb(
    'puts the device into a power state',
    { device: deviceKey, state: optional(powerState, 'the state'), mode: optional(powerState, 'another word for `state`') },
    ({ device, state, mode }, cursor) => {
      const wanted = state ?? mode;
      if (wanted === null) throw cursor.error('a power step needs a state; write state: D3hot');
      return { device, state: wanted };
    },
  ),
  dma: verb(
    "has the device write into a file's pages, again and again, or stop",
    {
      device: deviceKey,
      mode: withDefault(oneOf(['start', 'stop']), 'start or stop', 'start', 'start'),
      fd: optional(fdRef, 'the file (start)'),
      page: withDefault(number(0, 2 ** 32), 'its first page', 0, '0'),
      pages: withDefault(number(1, 4096), 'how many pages', 1, '1'),
    },
    (values, cursor) => {
      if (values.mode === 'start' && values.fd === null) throw cursor.error('a dma step that starts needs the file it writes to; write fd: <name>');
      return values;
    },
  ),
  'check-device': verb("what the device's registers and the kernel say of it; the step fails with EILSEQ where something differs", {
    device: deviceKey,
    power: optional(powerState, 'power state'),
    interrupts: optional(irqMode, 'which interrupts user space has on'),
    busMaster: optional(bool, 'PCI_COMMAND_MASTER'),
    memoryDecode: optional(bool, 'PCI_COMMAND_MEMORY'),
    frozen: optional(bool, 'the file refuses access because it is frozen'),
    resets: optional(number(), 'function resets since the machine was switched on'),
    needsReset: optional(bool, 'needs_reset: no reset has worked since it was last closed'),
    dma: optional(bool, 'it is writing into memory'),
    driver: optional(text, 'the driver bound; `none` for none'),
  }),
};
