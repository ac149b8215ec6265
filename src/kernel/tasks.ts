/** Processes of a kernel and the files they have open. Sources: include/linux/sched.h, include/linux/fdtable.h, 6.16 to 7.3. */
import { KernelFault, optional } from './fault.js';
import type { Kernel } from './kernel.js';
import { listEntries } from './lists.js';
import type { KernelObject } from './object.js';
import { kernelLimits } from './limits.js';

const MAX_FDS = kernelLimits.descriptors.value;

/** Every process (thread group leader), init_task first. @throws KernelFault where the list is damaged, after what comes before it */
export function* processes(kernel: Kernel): Generator<KernelObject> {
  const init = kernel.variable('init_task', 'struct task_struct');
  // Types of another kernel would lead into nonsense: here they are found out.
  const comm = commOf(init);
  if (!comm.startsWith('swapper'))
    throw new KernelFault(
      'implausible',
      `init_task is called ${JSON.stringify(comm)} by the types of ${kernel.types.source}, which are then not this kernel's`,
    );
  yield init;
  let others = 0;
  for (const task of listEntries(init.get('tasks'), 'struct task_struct', 'tasks')) {
    others++;
    yield task;
  }
  if (others === 0) throw new KernelFault('implausible', 'no process is listed after init_task');
}

/** The threads of a process, its leader included. @throws KernelFault where the list is damaged, after what comes before it */
const threadsOf = (leader: KernelObject): Generator<KernelObject> => listEntries(leader.get('signal.thread_head'), 'struct task_struct', 'thread_node');

export const pidOf = (task: KernelObject): number => task.get('tgid').number();
export const commOf = (task: KernelObject): string => task.get('comm').text(64);

interface OpenDescriptor {
  readonly fd: number;
  /** a struct file */
  readonly file: KernelObject;
}

/**
 * The descriptors of a process. Threads share one table as a rule, but may have their own, and those of a process whose leader has ended keep
 * theirs; kernel threads have none. @throws KernelFault
 */
export function* descriptorsOf(leader: KernelObject): Generator<OpenDescriptor> {
  const seen = new Set<bigint>();
  const own = leader.get('files');
  if (!own.isNull) yield* descriptorsIn(own);
  seen.add(own.value());
  // Kernel threads have no address space, and no descriptors of their own.
  if (leader.get('mm').isNull && own.isNull && leader.get('signal.nr_threads').value() <= 1n) return;
  for (const thread of threadsOf(leader)) {
    const files = thread.get('files');
    const at = files.value();
    if (at === 0n || seen.has(at)) continue;
    seen.add(at);
    yield* descriptorsIn(files);
  }
}

function* descriptorsIn(files: KernelObject): Generator<OpenDescriptor> {
  const table = files.get('fdt').deref();
  const count = Math.min(table.get('max_fds').number(), MAX_FDS);
  const slots = table.get('fd');
  const used = optional(() => openBits(table.get('open_fds'), count));
  for (let fd = 0; fd < count; fd++) {
    if (used !== null && ((used[fd >> 3] ?? 0) & (1 << (fd & 7))) === 0) continue;
    const slot = slots.at(fd);
    if (!slot.isNull) yield { fd, file: slot.deref() };
  }
}

const openBits = (bitmap: KernelObject, count: number): Uint8Array => bitmap.source.virtual.read(bitmap.value(), Math.ceil(count / 64) * 8);
