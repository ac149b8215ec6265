/** Which processes have what open: the descriptors of every process, by what the file leads to. */
import type { KernelObject } from '../kernel/object.js';
import { commOf, descriptorsOf, pidOf, processes } from '../kernel/tasks.js';
import type { Holder } from '../handover/life.js';
import type { Reader } from './reader.js';

export interface Holders {
  readonly taskCount: number;
  /** by the address of a struct file */
  readonly byFile: ReadonlyMap<bigint, readonly Holder[]>;
  /** by what the file's private_data points to: a struct luo_session, for a session's descriptor */
  readonly byPrivate: ReadonlyMap<bigint, readonly Holder[]>;
  /** struct files, by their address */
  readonly files: ReadonlyMap<bigint, KernelObject>;
  /** true where every process could be looked at */
  readonly complete: boolean;
}

/** Null where not even the list of processes could be read. */
export function findHolders(reader: Reader): Holders | null {
  const byFile = new Map<bigint, Holder[]>();
  const byPrivate = new Map<bigint, Holder[]>();
  const files = new Map<bigint, KernelObject>();
  const keep = (map: Map<bigint, Holder[]>, key: bigint, holder: Holder): void => {
    const held = map.get(key);
    if (held === undefined) map.set(key, [holder]);
    else held.push(holder);
  };
  let taskCount = 0;
  let complete = true;
  const note = (what: string, error: unknown): void => {
    complete = false;
    reader.note(what, error);
  };
  try {
    for (const task of processes(reader.kernel)) {
      taskCount++;
      try {
        const [pid, comm] = [pidOf(task), commOf(task)];
        for (const { fd, file } of descriptorsOf(task)) {
          keep(byFile, file.address, { pid, comm, fd });
          files.set(file.address, file);
          const held = file.get('private_data').value();
          if (held !== 0n) keep(byPrivate, held, { pid, comm, fd });
        }
      } catch (error) {
        note(`the open files of ${task.toString()}`, error);
      }
    }
  } catch (error) {
    note('the list of processes', error);
    if (taskCount === 0) return null;
  }
  return { taskCount, byFile, byPrivate, files, complete };
}
