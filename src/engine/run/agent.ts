/** User space: the agent that carries out a scenario's steps as system calls of the running kernel. */
import {
  liveupdateIoctlCreateSession,
  liveupdateIoctlRetrieveSession,
  liveupdateIoctls,
  liveupdateSessionFinish,
  liveupdateSessionGetName,
  liveupdateSessionPreserveFd,
  liveupdateSessionRetrieveFd,
} from '../../../abi/uapi/liveupdate.js';
import type { Struct } from '../../../abi/layout.js';
import type { Encodable } from '../../codec/encode.js';
import { negative } from '../faults.js';
import { OpenFile, PlainFile } from '../fs/open-file.js';
import { patternPage } from '../fs/pattern.js';
import { ShmemInode } from '../fs/shmem.js';
import { runDeviceStep } from '../handlers/vfio-agent.js';
import { isDeviceStep } from '../scenario/types.js';
import type { Kernel } from '../kernel/kernel.js';
import { LiveupdateDevice } from '../luo/luo.js';
import { SessionFile } from '../luo/session.js';
import type { Steps } from '../machine.js';
import type * as scenario from '../scenario/types.js';
import { isKvmStep, KvmAgent } from '../vcpu/kvm-agent.js';
import { nameField, userBuffer } from './agent-args.js';
import { checkFile, memfdFile, sealBits, tmpfsFile, writeFile } from './agent-files.js';

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
}

const BAD_FD = -1;

const answered = (result: number): Answer => ({ result: Math.min(result, 0), ret: result < 0 ? -1 : result, fd: null, name: null });
const opened = (fd: number): Answer => ({ result: 0, ret: fd, fd, name: null });

/** The agent in one kernel. Descriptors and their names end with it. */
export class Agent {
  readonly #kernel: Kernel;
  readonly #names = new Map<string, number>();
  readonly #kvm: KvmAgent;
  #device = BAD_FD;
  #session = BAD_FD;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#kvm = new KvmAgent(kernel.machine, (ref) => this.fileOf(ref)?.body ?? null);
  }

  /** The descriptor a reference stands for; -1 for a name that nothing got. */
  resolve(ref: scenario.FdRef): number {
    return typeof ref === 'number' ? ref : (this.#names.get(ref) ?? BAD_FD);
  }

  fileOf(ref: scenario.FdRef): OpenFile | null {
    return this.#kernel.fds.get(this.resolve(ref));
  }

  /** Carries out a step that is no kexec. */
  *perform(step: scenario.ScenarioStep): Steps<Answer> {
    const answer = yield* this.#perform(step);
    if (answer.fd !== null && 'as' in step && step.as !== null) this.#names.set(step.as, answer.fd);
    return answer;
  }

  *#perform(step: scenario.ScenarioStep): Steps<Answer> {
    if (isDeviceStep(step)) return yield* this.#onDevice(step);
    if (isKvmStep(step)) return { ...(yield* this.#kvm.perform(step.index, step)), fd: null, name: null };
    switch (step.do) {
      case 'open':
        return yield* this.#open();
      case 'create-session':
        return yield* this.#makeSession(step, liveupdateIoctls.LIVEUPDATE_IOCTL_CREATE_SESSION, liveupdateIoctlCreateSession);
      case 'retrieve-session':
        return yield* this.#makeSession(step, liveupdateIoctls.LIVEUPDATE_IOCTL_RETRIEVE_SESSION, liveupdateIoctlRetrieveSession);
      case 'get-name':
        return yield* this.#ioctl(
          step.session,
          liveupdateIoctls.LIVEUPDATE_SESSION_GET_NAME,
          liveupdateSessionGetName,
          { reserved: step.reserved },
          step.shape,
        );
      case 'preserve':
        return yield* this.#ioctl(
          step.session,
          liveupdateIoctls.LIVEUPDATE_SESSION_PRESERVE_FD,
          liveupdateSessionPreserveFd,
          { fd: this.resolve(step.fd), token: step.token },
          step.shape,
        );
      case 'retrieve':
        return yield* this.#ioctl(
          step.session,
          liveupdateIoctls.LIVEUPDATE_SESSION_RETRIEVE_FD,
          liveupdateSessionRetrieveFd,
          { token: step.token },
          step.shape,
        );
      case 'finish':
        return yield* this.#ioctl(step.session, liveupdateIoctls.LIVEUPDATE_SESSION_FINISH, liveupdateSessionFinish, { reserved: step.reserved }, step.shape);
      case 'ioctl':
        return yield* this.#anyIoctl(step);
      case 'memfd':
        return this.#installed(yield* memfdFile(this.#kernel, step));
      case 'fd':
        return yield* this.#makeFd(step);
      case 'dup':
        return this.#dup(step);
      case 'reopen':
        return this.#reopen(step);
      case 'close':
        return yield* this.#close(step);
      case 'kexec-load':
        return answered(yield* this.#kernel.kexecLoad());
      case 'kexec':
        throw new Error('a jump is the run’s business, not the agent’s');
      default:
        return this.#onFile(step);
    }
  }

  *#onDevice(step: Parameters<typeof runDeviceStep>[1]): Steps<Answer> {
    const { pci } = this.#kernel;
    if (pci === null) return answered(negative('ENODEV'));
    const { result, file } = yield* runDeviceStep({ pci, fileOf: (ref) => this.fileOf(ref) }, step);
    return file === null ? answered(result) : opened(this.#kernel.fds.install(file));
  }

  *#open(): Steps<Answer> {
    const file = yield* this.#kernel.luo.open();
    const answer = this.#installed(file);
    if (answer.fd !== null) this.#device = answer.fd;
    return answer;
  }

  *#makeSession(step: scenario.CreateSessionStep | scenario.RetrieveSessionStep, request: number, struct: Struct): Steps<Answer> {
    const answer = yield* this.#ioctl(step.device ?? this.#device, request, struct, { name: [...nameField(step.name)] }, step.shape);
    if (answer.fd !== null) this.#session = answer.fd;
    return answer;
  }

  *#anyIoctl(step: scenario.IoctlStep): Steps<Answer> {
    const struct = structOf(step.request);
    const all: Record<string, Encodable> = { name: [...nameField(step.name)], fd: this.resolve(step.fd), token: step.token, reserved: step.reserved };
    const values = Object.fromEntries(Object.entries(all).filter(([name]) => name in struct.fields));
    return yield* this.#ioctl(step.target, step.request, struct, values, step.shape);
  }

  *#ioctl(target: scenario.FdRef, request: number, struct: Struct, values: Readonly<Record<string, Encodable>>, shape: scenario.IoctlShape): Steps<Answer> {
    const file = this.fileOf(target);
    if (file === null) return answered(negative('EBADF'));
    if (!(file.body instanceof SessionFile || file.body instanceof LiveupdateDevice)) return answered(negative('ENOTTY'));
    const { result, fd, name } = yield* this.#kernel.luo.ioctl(file, request, userBuffer(struct, values, shape));
    return { result, ret: result < 0 ? -1 : 0, fd, name };
  }

  #installed(file: OpenFile | number): Answer {
    return typeof file === 'number' ? answered(file) : opened(this.#kernel.fds.install(file));
  }

  *#makeFd(step: scenario.FdStep): Steps<Answer> {
    switch (step.kind) {
      case 'number':
        return { result: 0, ret: step.number, fd: step.number, name: null };
      case 'session':
        return this.#installed(this.fileOf(step.session ?? this.#session)?.get() ?? negative('EBADF'));
      case 'device':
        return this.#installed(this.fileOf(this.#device)?.get() ?? negative('EBADF'));
      case 'tmpfs':
      case 'tmpfs-unlinked':
      case 'o-tmpfile':
        return this.#installed(yield* tmpfsFile(this.#kernel, step.kind, step.size, step.fill));
      default:
        return this.#installed(new OpenFile(new PlainFile(step.kind)));
    }
  }

  #dup(step: scenario.DupStep): Answer {
    return this.#installed(this.fileOf(step.fd)?.get() ?? negative('EBADF'));
  }

  // open("/proc/self/fd/N"): another open file of the same inode.
  #reopen(step: scenario.ReopenStep): Answer {
    const file = this.fileOf(step.fd);
    if (file === null) return answered(negative('ENOENT'));
    if (!(file.body instanceof ShmemInode) && !(file.body instanceof PlainFile)) return answered(negative('ENXIO'));
    if (file.body.kind === 'socket') return answered(negative('ENXIO'));
    return this.#installed(new OpenFile(file.body, step.mode === 'rw'));
  }

  *#close(step: scenario.CloseStep): Steps<Answer> {
    const fd = this.resolve(step.fd);
    const file = this.#kernel.fds.remove(fd);
    if (file === null) return answered(negative('EBADF'));
    // What the last release answers is not passed on: close(2) of a stranded session says 0.
    yield* file.put();
    if (typeof step.fd === 'string') this.#names.delete(step.fd);
    return answered(0);
  }

  #onFile(
    step: scenario.WriteStep | scenario.MmapStep | scenario.TruncateStep | scenario.FallocateStep | scenario.SealStep | scenario.SeekStep | scenario.CheckStep,
  ): Answer {
    const file = this.fileOf(step.fd);
    if (file === null) return answered(negative('EBADF'));
    const { body } = file;
    if (!(body instanceof ShmemInode)) return answered(negative(step.do === 'mmap' ? 'ENODEV' : step.do === 'seek' ? 'ESPIPE' : 'EINVAL'));
    switch (step.do) {
      case 'write':
        return answered(file.writable ? writeFile(this.#kernel, body, step) : negative('EBADF'));
      case 'truncate':
        return answered(file.writable ? body.truncate(step.size) : negative('EINVAL'));
      case 'fallocate':
        return answered(file.writable ? body.fallocate(step.mode, step.offset, step.size) : negative('EBADF'));
      case 'seal':
        return answered(body.addSeals(sealBits(step.seals), file.writable));
      case 'seek':
        file.pos = step.pos;
        return answered(0);
      case 'mmap': {
        const error = body.mmap(step.write, step.shared, file.writable);
        if (error !== 0 || step.bytes.length === 0) return answered(error);
        return answered(step.shared ? body.store(step.offset, step.bytes) : 0);
      }
      case 'check':
        return answered(checkFile(this.#kernel, file, body, step));
    }
  }

  // One pwrite for every page of a fill, then one for the bytes. @returns bytes written, or what the first that failed answered
  #write(body: ShmemInode, step: scenario.WriteStep): number {
    const { pageSize } = this.#kernel.machine;
    let written = 0;
    for (const { page, pages, seed } of step.fill) {
      for (let index = page; index < page + pages; index++) {
        const result = body.write(index * pageSize, patternPage(seed, index, pageSize));
        if (result < 0) return result;
        written += result;
      }
    }
    const last = step.bytes.length === 0 ? 0 : body.write(step.offset, step.bytes);
    return last < 0 ? last : written + last;
  }
}

/** The structure that a request takes; for one that LUO does not know, the longest. */
function structOf(request: number): Struct {
  switch (request & 0xff) {
    case liveupdateIoctls.LIVEUPDATE_SESSION_PRESERVE_FD & 0xff:
      return liveupdateSessionPreserveFd;
    case liveupdateIoctls.LIVEUPDATE_SESSION_RETRIEVE_FD & 0xff:
      return liveupdateSessionRetrieveFd;
    case liveupdateIoctls.LIVEUPDATE_SESSION_FINISH & 0xff:
      return liveupdateSessionFinish;
    case liveupdateIoctls.LIVEUPDATE_SESSION_GET_NAME & 0xff:
      return liveupdateSessionGetName;
    default:
      return liveupdateIoctlCreateSession;
  }
}
