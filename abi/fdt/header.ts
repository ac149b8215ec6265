/** Flattened devicetree header. Source: Devicetree Specification 0.4, section 5.2; Linux scripts/dtc/libfdt/fdt.h. Big-endian throughout. */
import { contract } from '../contract.js';
import { struct, u32 } from '../layout.js';

export const fdtHeader = struct({
  name: 'fdt_header',
  meaning: 'Header of a flattened devicetree',
  source: 'Devicetree Specification 0.4, 5.2; libfdt fdt.h',
  endian: 'big',
  fields: {
    magic: u32('magic number of an FDT, 0xd00dfeed', { role: 'opaque', mustBe: [0xd00dfeed] }),
    totalsize: u32('size of the whole blob', { role: 'bytes' }),
    off_dt_struct: u32('offset of the structure block', { role: 'bytes' }),
    off_dt_strings: u32('offset of the strings block', { role: 'bytes' }),
    off_mem_rsvmap: u32('offset of the memory reservation block', { role: 'bytes' }),
    version: u32('format version', { mustBe: [17] }),
    last_comp_version: u32('oldest version this is compatible with'),
    boot_cpuid_phys: u32('physical id of the boot CPU'),
    size_dt_strings: u32('size of the strings block', { role: 'bytes' }),
    size_dt_struct: u32('size of the structure block', { role: 'bytes' }),
  },
});

/** Tokens of the structure block, each a big-endian u32 at a multiple of 4. */
export const fdtToken = { beginNode: 1, endNode: 2, prop: 3, nop: 4, end: 9 } as const;

export const fdtProp = struct({
  name: 'fdt_prop',
  meaning: 'What follows a property token: length of the value, then where its name is',
  source: 'Devicetree Specification 0.4, 5.4.1',
  btfName: null,
  endian: 'big',
  fields: {
    len: u32('size of the value', { role: 'bytes' }),
    nameoff: u32('offset of the name in the strings block', { role: 'bytes' }),
  },
});

export const fdtContract = contract({
  layer: 'boot',
  id: 'fdt',
  compatible: null,
  structs: [fdtHeader, fdtProp],
  since: '6.16',
  status: 'released',
  source: 'Devicetree Specification 0.4, 5.2 and 5.4.1',
  notes: ['The FDT itself is big-endian; the values KHO and LUO keep in it are in the byte order of the machine.'],
});
