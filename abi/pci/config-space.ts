/** A PCI function's configuration space: header and the capabilities a live update touches. Source: PCI Local Bus 3.0 chapter 6, PCI Express Base 4.0 chapter 7; names as in 7.3 include/uapi/linux/pci_regs.h. */
import { array, type FlagNames, padding, struct, u8, u16, u32 } from '../layout.js';

const COMMAND: FlagNames = {
  0: 'PCI_COMMAND_IO',
  1: 'PCI_COMMAND_MEMORY',
  2: 'PCI_COMMAND_MASTER',
  6: 'PCI_COMMAND_PARITY',
  8: 'PCI_COMMAND_SERR',
  10: 'PCI_COMMAND_INTX_DISABLE',
};

const SOURCE = 'PCI Local Bus 3.0 chapter 6; 7.3 include/uapi/linux/pci_regs.h';
const common = {
  vendor_id: u16('who made it', { role: 'opaque' }),
  device_id: u16('what it is', { role: 'opaque' }),
  command: u16('what the function may do', { role: 'flags', flagNames: COMMAND }),
  status: u16('what it reports', { role: 'flags', flagNames: { 3: 'PCI_STATUS_INTERRUPT', 4: 'PCI_STATUS_CAP_LIST' } }),
  revision_id: u8('revision'),
  prog_if: u8('class code, lowest byte', { role: 'opaque' }),
  subclass: u8('class code, middle byte', { role: 'opaque' }),
  base_class: u8('class code, highest byte', { role: 'opaque' }),
  cache_line_size: u8('in units of 4 bytes'),
  latency_timer: u8('latency'),
  header_type: u8('0: endpoint, 1: bridge; bit 7: several functions', { role: 'flags' }),
  bist: u8('self test', { role: 'flags' }),
};

export const pciHeader = struct({
  name: 'pci_header_type0',
  meaning: 'Configuration header of an endpoint',
  source: SOURCE,
  btfName: null,
  fields: {
    ...common,
    bar: array(u32('base address', { role: 'opaque' }), 6, 'base address registers'),
    cardbus_cis: u32('CardBus', { role: 'opaque' }),
    subsystem_vendor_id: u16('whose board it is', { role: 'opaque' }),
    subsystem_id: u16('which board', { role: 'opaque' }),
    rom_address: u32('expansion ROM', { role: 'opaque' }),
    capability_list: u8('offset of the first capability', { role: 'index' }),
    reserved: padding(7),
    interrupt_line: u8('what firmware wrote'),
    interrupt_pin: u8('1: INTA'),
    min_gnt: u8('latency'),
    max_lat: u8('latency'),
  },
});

export const pciBridgeHeader = struct({
  name: 'pci_header_type1',
  meaning: 'Configuration header of a PCI-to-PCI bridge',
  source: SOURCE,
  btfName: null,
  fields: {
    ...common,
    bar: array(u32('base address', { role: 'opaque' }), 2, 'base address registers'),
    primary_bus: u8('bus above'),
    secondary_bus: u8('bus below'),
    subordinate_bus: u8('highest bus below'),
    secondary_latency_timer: u8('latency'),
    windows: padding(24, 'I/O and memory windows'),
    capability_list: u8('offset of the first capability', { role: 'index' }),
    reserved: padding(3),
    rom_address: u32('expansion ROM', { role: 'opaque' }),
    interrupt_line: u8('what firmware wrote'),
    interrupt_pin: u8('1: INTA'),
    bridge_control: u16('what the bridge may do', { role: 'flags', flagNames: { 6: 'PCI_BRIDGE_CTL_BUS_RESET' } }),
  },
});

const capability = (id: string) => ({ cap_id: u8(id, { role: 'enum' }), next: u8('offset of the next capability, 0: none', { role: 'index' }) });

export const pciPmCap = struct({
  name: 'pci_pm_cap',
  meaning: 'Power management capability',
  source: SOURCE,
  btfName: null,
  fields: {
    ...capability('PCI_CAP_ID_PM'),
    pmc: u16('what it can', { role: 'flags' }),
    ctrl: u16('bits 0 to 1: power state', { role: 'flags', flagNames: { 3: 'PCI_PM_CTRL_NO_SOFT_RESET' } }),
    ppb_extensions: u8('bridge extensions', { role: 'flags' }),
    data: u8('data'),
  },
});

export const pciMsiCap = struct({
  name: 'pci_msi_cap',
  meaning: 'Message signalled interrupts, 64-bit address',
  source: SOURCE,
  btfName: null,
  fields: {
    ...capability('PCI_CAP_ID_MSI'),
    flags: u16('message control', { role: 'flags', flagNames: { 0: 'PCI_MSI_FLAGS_ENABLE', 7: 'PCI_MSI_FLAGS_64BIT' } }),
    address_lo: u32('where the message is written, low half', { role: 'opaque' }),
    address_hi: u32('high half', { role: 'opaque' }),
    data: u16('the message', { role: 'opaque' }),
    reserved: padding(2),
  },
});

export const pciMsixCap = struct({
  name: 'pci_msix_cap',
  meaning: 'MSI-X capability',
  source: SOURCE,
  btfName: null,
  fields: {
    ...capability('PCI_CAP_ID_MSIX'),
    flags: u16('message control; bits 0 to 10: vectors - 1', { role: 'flags', flagNames: { 14: 'PCI_MSIX_FLAGS_MASKALL', 15: 'PCI_MSIX_FLAGS_ENABLE' } }),
    table: u32('offset and BAR of the table', { role: 'opaque' }),
    pba: u32('offset and BAR of the pending bits', { role: 'opaque' }),
  },
});

export const pciExpressCap = struct({
  name: 'pci_exp_cap',
  meaning: 'PCI Express capability, as far as a reset needs it',
  source: 'PCI Express Base 4.0, 7.5.3; 7.3 include/uapi/linux/pci_regs.h',
  btfName: null,
  fields: {
    ...capability('PCI_CAP_ID_EXP'),
    flags: u16('version and type', { role: 'flags' }),
    devcap: u32('device capabilities', { role: 'flags', flagNames: { 28: 'PCI_EXP_DEVCAP_FLR' } }),
    devctl: u16('device control', { role: 'flags', flagNames: { 15: 'PCI_EXP_DEVCTL_BCR_FLR' } }),
    devsta: u16('device status', { role: 'flags', flagNames: { 5: 'PCI_EXP_DEVSTA_TRPND' } }),
  },
});

/** Capability IDs. */
export const PCI_CAP_ID = { PM: 0x01, MSI: 0x05, EXP: 0x10, MSIX: 0x11 } as const;

/** Bytes of configuration space: of a PCI Express function. */
export const PCI_CFG_SPACE_EXP_SIZE = 4096;
/** Of a conventional PCI function. */
export const PCI_CFG_SPACE_SIZE = 256;

/** Bits of `command`, `flags` and others, as masks. */
export const PCI_COMMAND = { IO: 0x1, MEMORY: 0x2, MASTER: 0x4, INTX_DISABLE: 0x400 } as const;
export const PCI_MSI_FLAGS_ENABLE = 0x1;
export const PCI_MSIX_FLAGS_ENABLE = 0x8000;
export const PCI_PM_CTRL_STATE_MASK = 0x3;
export const PCI_EXP_DEVCAP_FLR = 0x1000_0000;
