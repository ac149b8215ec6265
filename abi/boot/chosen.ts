/** arm64: what /chosen says of a handover, pairs of big-endian cells (two each for address and size). Source: drivers/of/kexec.c, 6.16 to 7.3. */
import { phys, struct, u64 } from '../layout.js';

/** Value of `linux,kho-fdt` and of `linux,kho-scratch`. */
export const khoChosen = struct({
  name: 'linux_kho',
  meaning: 'Where the root FDT, or the array of scratch areas, is',
  source: 'drivers/of/kexec.c, 7.3',
  endian: 'big',
  fields: {
    address: phys('start'),
    size: u64('size', { role: 'bytes' }),
  },
});
