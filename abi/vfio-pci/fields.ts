/** Fields every version of the VFIO PCI structure has in some order. Source: the mails of each version. */
import { u8, u16, u32 } from '../layout.js';

export const bdf = u16('bus << 8 | device << 3 | function', { role: 'opaque' });
export const domain32 = u32('PCI domain (segment)', { role: 'number' });
export const domain16 = u16('PCI domain (segment)', { role: 'number' });
export const resetWorks = u8('the device supports function reset', { role: 'bool' });
