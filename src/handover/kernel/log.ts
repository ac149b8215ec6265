/** The kernel's own log in a dump of its whole memory, where VMCOREINFO tells enough to find it. */
import type { PhysicalMemory } from '../../memory/memory.js';
import { kernelMemory } from './page-table.js';
import { readPrintk } from './printk.js';
import { vmcoreinfoOf } from './vmcoreinfo.js';

/** Lines of the printk buffer, oldest first; null where the dump has no VMCOREINFO, or lacks the buffer's pages. */
export function kernelLog(memory: PhysicalMemory, vmcoreinfo: ReadonlyMap<string, string> | null): readonly string[] | null {
  if (vmcoreinfo === null) return null;
  const info = vmcoreinfoOf(vmcoreinfo);
  const virtual = kernelMemory(memory, info);
  return virtual === null ? null : readPrintk(virtual, info);
}
