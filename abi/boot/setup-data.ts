/** x86 boot protocol: the setup_data node that names a handover. Source: arch/x86/include/uapi/asm/setup_data.h, 6.16 to 7.3. */
import { contract } from '../contract.js';
import { phys, struct, u32, u64 } from '../layout.js';

export const SETUP_KEXEC_KHO = 10;

export const setupData = struct({
  name: 'setup_data',
  meaning: 'Header of a node in the boot_params.hdr.setup_data list',
  source: 'arch/x86/include/uapi/asm/setup_data.h, 7.3',
  fields: {
    next: phys('next node, 0 = last', 'setup_data'),
    type: u32('kind of node', { role: 'enum', symbols: { 10: 'SETUP_KEXEC_KHO' } }),
    len: u32('size of the payload', { role: 'bytes' }),
  },
});

export const khoData = struct({
  name: 'kho_data',
  meaning: 'Payload of SETUP_KEXEC_KHO: where the handover and its scratch array are',
  source: 'arch/x86/include/uapi/asm/setup_data.h, 7.3',
  fields: {
    fdt_addr: phys('root FDT', 'fdt_header'),
    fdt_size: u64('capacity of the FDT (PAGE_SIZE, not totalsize)', { role: 'bytes' }),
    scratch_addr: phys('array of kho_scratch; a destination that is filled only at the jump', 'kho_scratch'),
    scratch_size: u64('size of the array', { role: 'bytes' }),
  },
});

export const bootSetupData = contract({
  layer: 'boot',
  id: 'x86-setup-data',
  compatible: null,
  structs: [setupData, khoData],
  since: '6.16',
  status: 'released',
  source: 'arch/x86/include/uapi/asm/setup_data.h, 7.3; 6.16 and 7.0 inferred',
  notes: ['In the old kernel the node may be there already, in the image loaded for kexec; the scratch array it names is filled only at the jump.'],
});
