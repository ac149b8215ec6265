/** User space: the agent that carries out a scenario's steps as system calls of the running kernel. */
import type { Encodable } from '../../codec/encode.js';
import { negative } from '../faults.js';
import { OpenFile, PlainFile } from '../fs/open-file.js';
import { addSeals, fallocate, ftruncate, mmap, seek, traitsOf } from '../fs/vfs.js';
import { sealBits, ShmemInode } from '../fs/shmem.js';
import { runDeviceStep } from '../handlers/vfio-agent.js';
import { VfioDeviceFile } from '../handlers/vfio-pci-core.js';
import { isDeviceStep } from '../scenario/types.js';
import type { Kernel } from '../kernel/kernel.js';
import { FIRST_PROCESS } from '../kernel/processes.js';
import { LiveupdateDevice } from '../luo/luo.js';
import { type IoctlOp, luoIoctls, structOf } from '../luo/ioctl.js';
import { SessionFile } from '../luo/session.js';
import type { Steps } from '../machine.js';
import type * as scenario from '../scenario/types.js';
import { isKvmStep, KvmAgent } from '../vcpu/kvm-agent.js';
import { nameField, userBuffer } from './agent-args.js';
import { checkFile, memfdFile, tmpfsFile, writeFile } from './agent-files.js';

/** What a step answered. */
export interface Answer {
  /** 0 or a negative errno */
  readonly result: number;
  /** what the system call returned: a descriptor, bytes written, 0, or -1 */
  readonly ret: number;
  /** the descriptor it made */
  readonly fd: number | null;
  /** the name GET_NAME gave */
  readonly name: Uint8Array | null;
  /** what the process got meanwhile; SIGKILL: it is gone */
  readonly signal: scenario.SignalName | null;
  /** what a step that looks at something found otherwise */
  readonly why?: string | null;
}

type Request = Pick<IoctlOp, 'request' | 'struct'>;

const BAD_FD = -1;
const SIGKILL = 9;
/** Position of the exit code in the status of wait(2). */
const EXIT_CODE_SHIFT = 8;

export const answered = (result: number): Answer => ({ result: Math.min(result, 0), ret: result < 0 ? -1 : result, fd: null, name: null, signal: null });
/** What a check found otherwise, or null. */
const checked = (why: string | null): Answer => ({ ...answered(why === null ? 0 : negative('EILSEQ')), why });
const opened = (fd: number): Answer => ({ ...answered(0), ret: fd, fd });

/** The agent in one kernel. Descriptors and their names end with it. */
export class Agent {
  readonly #kernel: Kernel;
  readonly #kvm: KvmAgent;
  #device = BAD_FD;
  #session = BAD_FD;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#kvm = new KvmAgent(kernel.machine, (ref) => this.fileOf(ref)?.body ?? null);
  }

  /** The descriptor a reference stands for; -1 for a name that nothing got. */
  resolve(ref: scenario.FdRef): number {
    return typeof ref === 'number' ? ref : (this.#kernel.processes.current.names.get(ref) ?? BAD_FD);
  }

  fileOf(ref: scenario.FdRef): OpenFile | null {
    return this.#kernel.processes.get(this.resolve(ref));
  }

  /** Carries out a step that is no kexec. */
  *perform(step: scenario.ScenarioStep): Steps<Answer> {
    const { processes } = this.#kernel;
    const process = processes.named(step.by ?? FIRST_PROCESS);
    if (process === null) return answered(negative('ESRCH'));
    processes.enter(process);
    const answer = yield* this.#perform(step);
    if (process.doomed && process.alive) {
      yield* processes.end(process, SIGKILL);
      return { ...answer, signal: 'SIGKILL' };
    }
    if (answer.fd !== null && 'as' in step && step.as !== null) this.#kernel.processes.current.names.set(step.as, answer.fd);
    return answer;
  }

  *#perform(step: scenario.ScenarioStep): Steps<Answer> {
    if (isDeviceStep(step)) return yield* this.#onDevice(step);
    if (isKvmStep(step)) return { ...answered(0), ...(yield* this.#kvm.perform(step.index, step)) };
    switch (step.do) {
      case 'open':
        return yield* this.#open();
      case 'create-session':
      case 'retrieve-session':
        return yield* this.#makeSession(step);
      case 'get-name':
      case 'finish':
        return yield* this.#ioctl(step.session, luoIoctls[step.do], { reserved: step.reserved }, step.shape);
      case 'preserve':
        return yield* this.#ioctl(step.session, luoIoctls[step.do], { fd: this.resolve(step.fd), token: step.token }, step.shape);
      case 'retrieve':
        return yield* this.#ioctl(step.session, luoIoctls[step.do], { token: step.token }, step.shape);
      case 'ioctl':
        return yield* this.#anyIoctl(step);
      case 'memfd':
        return this.#installed(yield* memfdFile(this.#kernel, step));
      case 'fd':
        return yield* this.#makeFd(step);
      case 'dup':
        return this.#dup(step);
      case 'reopen':
        return yield* this.#reopen(step);
      case 'close':
        return yield* this.#close(step);
      case 'kexec-load':
        return answered(yield* this.#kernel.kexecLoad(step.call === 'kexec_file_load'));
      case 'kexec-unload':
        this.#kernel.image = null;
        return answered(0);
      case 'fork':
      case 'exit':
      case 'kill':
      case 'exec':
      case 'send-fd':
      case 'rlimit':
        return yield* this.#onProcess(step);
      case 'kexec':
      case 'reboot':
        throw new Error('leaving the kernel is the run’s business, not the agent’s');
      default:
        return yield* this.#onFile(step);
    }
  }

  *#onDevice(step: Parameters<typeof runDeviceStep>[1]): Steps<Answer> {
    const { pci } = this.#kernel;
    if (pci === null) return answered(negative('ENODEV'));
    const host = { pci, fileOf: (ref: scenario.FdRef) => this.fileOf(ref), removeModule: () => this.#kernel.removeVfioPci() };
    const { result, file, why } = yield* runDeviceStep(host, step);
    return file === null ? { ...answered(result), why: why ?? null } : this.#installed(file);
  }

  *#open(): Steps<Answer> {
    const file = yield* this.#kernel.luo.open();
    const answer = this.#installed(file);
    if (answer.fd !== null) this.#device = answer.fd;
    return answer;
  }

  *#makeSession(step: scenario.Step<'create-session' | 'retrieve-session'>): Steps<Answer> {
    const answer = yield* this.#ioctl(step.device ?? this.#device, luoIoctls[step.do], { name: [...nameField(step.name)] }, step.shape);
    if (answer.fd !== null) this.#session = answer.fd;
    return answer;
  }

  *#anyIoctl(step: scenario.Step<'ioctl'>): Steps<Answer> {
    const struct = structOf(step.request);
    const all: Record<string, Encodable> = { name: [...nameField(step.name)], fd: this.resolve(step.fd), token: step.token, reserved: step.reserved };
    const values = Object.fromEntries(Object.entries(all).filter(([name]) => name in struct.fields));
    return yield* this.#ioctl(step.target, { request: step.request, struct }, values, step.shape);
  }

  *#ioctl(target: scenario.FdRef, { request, struct }: Request, values: Readonly<Record<string, Encodable>>, shape: scenario.IoctlShape): Steps<Answer> {
    const file = this.fileOf(target);
    if (file === null) return answered(negative('EBADF'));
    if (!(file.body instanceof SessionFile || file.body instanceof LiveupdateDevice)) return answered(negative(traitsOf(file.body.kind).ioctl));
    const { result, fd, name } = yield* this.#kernel.luo.ioctl(file, request, userBuffer(struct, values, shape));
    return { ...answered(result), fd, name };
  }

  #installed(file: OpenFile | number, closeOnExec = true): Answer {
    if (typeof file === 'number') return answered(file);
    const fd = this.#kernel.processes.install(file, closeOnExec);
    return fd < 0 ? answered(fd) : opened(fd);
  }

  *#makeFd(step: scenario.Step<'fd'>): Steps<Answer> {
    switch (step.kind) {
      case 'number':
        return opened(step.number);
      case 'session':
        return this.#installed(this.fileOf(step.session ?? this.#session)?.get() ?? negative('EBADF'));
      case 'device':
        return this.#installed(this.fileOf(this.#device)?.get() ?? negative('EBADF'));
      case 'tmpfs':
      case 'tmpfs-unlinked':
      case 'o-tmpfile':
        return this.#installed(yield* tmpfsFile(this.#kernel, step.kind, step));
      default:
        return this.#installed(new OpenFile(new PlainFile(step.kind), traitsOf(step.kind).access));
    }
  }

  #dup(step: scenario.Step<'dup'>): Answer {
    return this.#installed(this.#raw(step.fd)?.get() ?? negative('EBADF'), false);
  }

  /** fget_raw: O_PATH descriptors too. */
  #raw(ref: scenario.FdRef): OpenFile | null {
    return this.#kernel.processes.current.fds.raw(this.resolve(ref));
  }

  // open("/proc/self/fd/N"): another open file of the same inode.
  *#reopen(step: scenario.Step<'reopen'>): Steps<Answer> {
    const file = this.#raw(step.fd);
    if (file === null) return answered(negative('ENOENT'));
    const { body } = file;
    const { reopen } = traitsOf(body.kind);
    if (step.mode === 'path') return this.#installed(new OpenFile(body, 'path'), false);
    if (reopen !== null) return answered(negative(reopen));
    // A device is opened again.
    if (body instanceof LiveupdateDevice) return this.#installed(yield* this.#kernel.luo.open());
    if (body instanceof VfioDeviceFile) return yield* this.#reopenDevice(body);
    return this.#installed(new OpenFile(body, step.mode));
  }

  *#reopenDevice(body: VfioDeviceFile): Steps<Answer> {
    const opened = body.via === 'group' ? negative('ENXIO') : yield* body.openAgain();
    return this.#installed(typeof opened === 'number' ? opened : new OpenFile(opened));
  }

  *#close(step: scenario.Step<'close'>): Steps<Answer> {
    const fd = this.resolve(step.fd);
    const { current } = this.#kernel.processes;
    const file = current.fds.remove(fd);
    if (file === null) return answered(negative('EBADF'));
    // What the last release answers is not passed on: close(2) of a stranded session says 0.
    yield* file.put();
    if (typeof step.fd === 'string') current.names.delete(step.fd);
    return answered(0);
  }

  *#onProcess(step: scenario.Step<'fork' | 'exit' | 'kill' | 'exec' | 'send-fd' | 'rlimit'>): Steps<Answer> {
    const { processes } = this.#kernel;
    switch (step.do) {
      case 'fork':
        if (processes.named(step.process) !== null) return answered(negative('EEXIST'));
        return { ...answered(0), ret: processes.fork(step.process) };
      case 'exit':
        yield* processes.end(processes.current, step.code << EXIT_CODE_SHIFT);
        return answered(0);
      case 'kill': {
        const process = processes.named(step.process);
        if (process === null) return answered(negative('ESRCH'));
        // PID 1 gets no signal that it has no handler for.
        if (process.pid !== 1) yield* processes.end(process, SIGKILL);
        return answered(0);
      }
      case 'exec':
        yield* processes.exec();
        return answered(0);
      case 'send-fd':
        return this.#sendFd(step);
      case 'rlimit':
        processes.current.fds.limit = step.nofile;
        return answered(0);
    }
  }

  #sendFd(step: scenario.Step<'send-fd'>): Answer {
    const file = this.#raw(step.fd);
    const to = this.#kernel.processes.named(step.to);
    if (file === null) return answered(negative('EBADF'));
    if (to === null) return answered(negative('ESRCH'));
    const fd = to.fds.install(file.get(), false);
    if (fd < 0) return answered(fd);
    const name = step.as ?? (typeof step.fd === 'string' ? step.fd : null);
    if (name !== null) to.names.set(name, fd);
    return answered(0);
  }

  *#onFile(step: scenario.Step<'write' | 'mmap' | 'munmap' | 'truncate' | 'fallocate' | 'seal' | 'seek' | 'check'>): Steps<Answer> {
    const file = this.fileOf(step.fd);
    if (file === null) return answered(negative('EBADF'));
    switch (step.do) {
      case 'write':
        return answered(writeFile(this.#kernel, file, step));
      case 'truncate':
        return answered(ftruncate(file, step.size));
      case 'fallocate':
        return answered(fallocate(file, step.mode, step.offset, step.size));
      case 'seal':
        return answered(addSeals(file, sealBits(step.seals)));
      case 'seek':
        return answered(seek(file, step.pos));
      case 'mmap':
        return this.#mmap(file, step);
      case 'munmap':
        yield* this.#kernel.processes.unmap(file);
        return answered(0);
      case 'check':
        return checked(checkFile(this.#kernel, file, step));
    }
  }

  #mmap(file: OpenFile, step: scenario.Step<'mmap'>): Answer {
    const inode = file.body instanceof ShmemInode ? file.body : null;
    const before = inode?.writableMappings ?? 0;
    const result = mmap(file, step);
    const counted = (inode?.writableMappings ?? 0) > before;
    // A store that gets SIGBUS leaves the mapping there.
    const faulted = result === negative('EFAULT');
    if (result === 0 || counted || faulted) this.#kernel.processes.mapped(file, counted);
    return { ...answered(result), signal: faulted ? 'SIGBUS' : null };
  }
}
