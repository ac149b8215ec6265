/** What a running kernel offers to handlers, drivers and the executor. */
import type { Kho } from '../kho/kho.js';
import type { FlbRegistry } from '../luo/flb.js';
import type { Luo } from '../luo/luo.js';
import type { Machine } from '../machine.js';
import type { Processes } from './processes.js';
import type { PageAllocator } from './pages.js';
import type { KernelSpec } from './release.js';

export interface KernelServices {
  readonly machine: Machine;
  readonly spec: KernelSpec;
  readonly pages: PageAllocator;
  readonly kho: Kho;
  readonly luo: Luo;
  readonly flbs: FlbRegistry;
  readonly processes: Processes;
  /** number of the next inode made */
  nextIno(): number;
}
