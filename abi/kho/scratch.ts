/** Scratch areas, all releases. Source: include/linux/kexec_handover.h, 6.16 to 7.3. */
import { phys, struct, u64 } from '../layout.js';

export const khoScratch = struct({
  name: 'kho_scratch',
  meaning: 'One scratch area: memory the next kernel may boot in',
  source: 'include/linux/kexec_handover.h, 7.3',
  fields: {
    addr: phys('start'),
    size: u64('size; 0 is legal and no end mark', { role: 'bytes' }),
  },
});
