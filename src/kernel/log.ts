/** The kernel's own log in a dump of its whole memory, where VMCOREINFO tells enough to find it. */
import { pageSizeOf } from '../codec/vmcoreinfo.js';
import type { PhysicalMemory } from '../memory/memory.js';
import { addressSpaceOf } from './address-space.js';
import { optional } from './fault.js';
import { type PrintkRecord, printkLine, readPrintk } from './printk.js';
import { VirtualMemory } from './virtual-memory.js';
import { vmcoreinfoOf } from './vmcoreinfo.js';

/** Lines of the printk buffer, oldest first; null where the dump has no VMCOREINFO, or lacks the buffer's pages. */
export const kernelLog = (memory: PhysicalMemory, vmcoreinfo: ReadonlyMap<string, string> | null): readonly string[] | null =>
  kernelRecords(memory, vmcoreinfo)?.map(printkLine) ?? null;

/** The records of the printk buffer, oldest first. */
export function kernelRecords(memory: PhysicalMemory, vmcoreinfo: ReadonlyMap<string, string> | null): readonly PrintkRecord[] | null {
  if (vmcoreinfo === null) return null;
  const info = vmcoreinfoOf(vmcoreinfo);
  const space = addressSpaceOf(info, pageSizeOf(vmcoreinfo) ?? memory.pageSize);
  return space === null ? null : optional(() => readPrintk(new VirtualMemory(memory, space), info));
}
