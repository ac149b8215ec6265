/**
 * User space of one kernel as the kernel sees it: processes with their descriptors and mappings, born by fork, gone by exit or a signal.
 * The first is PID 1. Source: kernel/fork.c, kernel/exit.c, mm/oom_kill.c, 7.3.
 */
import { type Descriptors, FdTable, type OpenFile } from '../fs/open-file.js';
import { ShmemInode } from '../fs/shmem.js';
import { type Machine, PanicError, type Steps } from '../machine.js';

/** What the scenario calls the process that boots with the kernel. */
export const FIRST_PROCESS = 'main';

interface ProcessMapping {
  readonly file: OpenFile;
  /** counts in the inode's i_mmap_writable */
  readonly counted: boolean;
}

class Process {
  readonly name: string;
  readonly pid: number;
  readonly fds: FdTable;
  readonly mappings: ProcessMapping[] = [];
  /** what steps call its descriptors; a name stays after close */
  readonly names: Map<string, number>;
  alive = true;
  /** it has been sent SIGKILL, and dies when its system call is over */
  doomed = false;

  constructor(name: string, pid: number, fds = new FdTable(), names: ReadonlyMap<string, number> = new Map()) {
    this.name = name;
    this.pid = pid;
    this.fds = fds;
    this.names = new Map(names);
  }
}

export class Processes implements Descriptors {
  readonly #machine: Machine;
  readonly #all = new Map<string, Process>();
  #current: Process;
  #nextPid = 1;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#current = new Process(FIRST_PROCESS, this.#nextPid++);
    this.#all.set(FIRST_PROCESS, this.#current);
  }

  get current(): Process {
    return this.#current;
  }

  /** The living process of that name, or null. */
  named(name: string): Process | null {
    const found = this.#all.get(name);
    return found?.alive === true ? found : null;
  }

  /** The next system calls are this process's. */
  enter(process: Process): void {
    this.#current = process;
  }

  get(fd: number): OpenFile | null {
    return this.#current.fds.get(fd);
  }

  room(): number {
    return this.#current.fds.room();
  }

  install(file: OpenFile, closeOnExec = true): number {
    return this.#current.fds.install(file, closeOnExec);
  }

  /** fork(2) of the current process. @returns the child's PID */
  fork(name: string): number {
    const parent = this.#current;
    this.#machine.work.look(parent.fds.size + parent.names.size + parent.mappings.length);
    const child = new Process(name, this.#nextPid++, parent.fds.copy(), parent.names);
    for (const { file, counted } of parent.mappings) this.#map(child, file, counted);
    this.#all.set(name, child);
    this.#machine.state.set(this.#path(child), child.pid);
    return child.pid;
  }

  #path(process: Process): string {
    return `kernel ${this.#machine.kernel}/processes/${process.name}`;
  }

  /** A mapping of the current process: it holds the file. @param counted it counts in the inode's i_mmap_writable already */
  mapped(file: OpenFile, counted: boolean): void {
    this.#current.mappings.push({ file: file.get(), counted });
  }

  #map(process: Process, file: OpenFile, counted: boolean): void {
    if (counted && file.body instanceof ShmemInode) file.body.writableMappings++;
    process.mappings.push({ file: file.get(), counted });
  }

  /** munmap(2) of everything that the current process has mapped of that file. @returns how many mappings there were */
  *unmap(file: OpenFile): Steps<number> {
    const { mappings } = this.#current;
    const gone = mappings.filter((mapping) => mapping.file.body === file.body);
    for (const mapping of gone) {
      mappings.splice(mappings.indexOf(mapping), 1);
      yield* this.#release(mapping);
    }
    return gone.length;
  }

  *#release({ file, counted }: ProcessMapping): Steps<void> {
    if (counted && file.body instanceof ShmemInode) file.body.writableMappings--;
    yield* file.put();
  }

  /** The process is gone: its mappings, then its descriptors in ascending order. @throws PanicError if it is PID 1 */
  *end(process: Process, code: number): Steps<void> {
    if (process.pid === 1) throw new PanicError(`Attempted to kill init! exitcode=0x${code.toString(16).padStart(8, '0')}`);
    process.alive = false;
    const caller = this.#current;
    // What is closed is closed by the process that dies.
    this.#current = process;
    yield this.#machine.enter('kernel', 'do_exit', { process: process.name, pid: process.pid });
    for (const mapping of process.mappings.splice(0)) yield* this.#release(mapping);
    for (const fd of process.fds.open()) yield* this.#close(process, fd);
    yield this.#machine.exit();
    this.#machine.state.remove(this.#path(process));
    this.#current = caller.alive ? caller : this.#first;
  }

  *#close(process: Process, fd: number): Steps<void> {
    const file = process.fds.remove(fd);
    if (file !== null) yield* file.put();
  }

  get #first(): Process {
    const first = this.#all.get(FIRST_PROCESS);
    if (first === undefined) throw new Error('there is no first process');
    return first;
  }

  /** execve(2) of the current process: mappings go, and descriptors that are close-on-exec. */
  *exec(): Steps<void> {
    const process = this.#current;
    for (const mapping of process.mappings.splice(0)) yield* this.#release(mapping);
    for (const fd of process.fds.closedOnExec()) yield* this.#close(process, fd);
  }

  /** Whom the OOM killer kills: the caller, else another process; never PID 1. @throws PanicError where there is nobody else */
  oomVictim(): Process {
    const others = [...this.#all.values()].filter((process) => process.alive && process.pid !== 1);
    const victim = this.#current.pid === 1 ? others.at(-1) : this.#current;
    if (victim === undefined) throw new PanicError('System is deadlocked on memory');
    return victim;
  }
}
