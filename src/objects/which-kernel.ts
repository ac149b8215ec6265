/**
 * Which of several kernels of one release runs in a dump: after a kexec the memory of the one before still holds its VMCOREINFO page, its symbols
 * and its objects. KHO tells them apart: what one has handed over is what the next was given.
 */
import { optional } from '../kernel/fault.js';
import { type Kernel, openKernel } from '../kernel/kernel.js';
import type { PhysicalMemory } from '../memory/memory.js';
import { readKho } from './kho.js';
import { Reader } from './reader.js';

/** Memory that many kexecs have passed through; more pages than this are not tried. */
const MOST = 8;

interface Told {
  readonly vmcoreinfo: ReadonlyMap<string, string>;
  readonly incomingFdt: number | null;
  readonly outgoingFdt: number | null;
}

/**
 * @param pages contents of VMCOREINFO pages of one release, each another
 * @param incoming where the root FDTs are that were handed over to the kernel that runs
 * @returns that of the kernel that runs; null where that can't be told
 */
export function vmcoreinfoThatRuns(
  memory: PhysicalMemory,
  pages: readonly ReadonlyMap<string, string>[],
  incoming: ReadonlySet<number>,
): ReadonlyMap<string, string> | null {
  const told = pages.slice(0, MOST).flatMap((vmcoreinfo): readonly Told[] => {
    const kernel = openKernel(memory, { vmcoreinfo });
    if (kernel === null || !stillStands(kernel)) return [];
    const { incomingFdt, outgoingFdt } = readKho(new Reader(kernel));
    return [{ vmcoreinfo, incomingFdt, outgoingFdt }];
  });
  const handedOn = (one: Told): boolean =>
    one.outgoingFdt !== null && (incoming.has(one.outgoingFdt) || told.some((other) => other !== one && other.incomingFdt === one.outgoingFdt));
  const running = told.filter((one) => !handedOn(one));
  const [only] = running;
  if (running.length === 1 && only !== undefined) return only.vmcoreinfo;
  const given = running.filter(({ incomingFdt }) => incomingFdt !== null && incoming.has(incomingFdt));
  return given.length === 1 ? (given[0]?.vmcoreinfo ?? null) : null;
}

/** Is its first task where its symbols say? What was reused holds something else. */
export const stillStands = (kernel: Kernel): boolean =>
  optional(() => kernel.variable('init_task', 'struct task_struct').get('comm').text(64).startsWith('swapper')) === true;
