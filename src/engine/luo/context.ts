/** What the parts of LUO share: the kernel they are in. */
import type { Descriptors, OpenFile } from '../fs/open-file.js';
import type { FileHandler } from '../handler.js';
import type { Kho } from '../kho/kho.js';
import type { KernelSpec } from '../kernel/release.js';
import type { PageAllocator } from '../kernel/pages.js';
import type { Machine } from '../machine.js';
import type { FlbRegistry } from './flb.js';

export interface LuoContext {
  readonly machine: Machine;
  readonly spec: KernelSpec;
  readonly pages: PageAllocator;
  readonly kho: Kho;
  /** of the process that calls */
  readonly fds: Descriptors;
  /** in the order of registration; the first that can preserve a file is used */
  readonly handlers: FileHandler[];
  readonly flbs: FlbRegistry;
  /** luo_preserved_files: identity of each file that some session holds */
  readonly preserved: Map<object, OpenFile>;
}

/** The name as a log line shows it: bytes as UTF-8. */
export const nameText = (name: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(name);

/** Where a kernel's state is shown. */
export const statePath = (machine: Machine): string => `kernel ${machine.kernel}`;
