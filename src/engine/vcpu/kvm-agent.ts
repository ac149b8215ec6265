/** The agent's steps on a virtual machine, carried out in the embedded machine: one VM at a time, gone with the kernel it runs on. */
import { UserError } from '../../codec/user-error.js';
import { negative } from '../faults.js';
import type { FileBody } from '../fs/open-file.js';
import type { Machine, Steps } from '../machine.js';
import { exitFields } from './exit-fields.js';
import { SimulatedKvm } from './simulated-kvm.js';
import type { KvmStep } from '../scenario/steps.js';
import { isKvmVerb, missedBy, performKvmStep } from './steps.js';
import { ShmemInode } from '../fs/shmem.js';
import { type GuestBytes, GuestMemory, PAGE } from './guest-memory.js';

export const isKvmStep = <S extends { readonly do: string }>(step: S): step is S & KvmStep => isKvmVerb(step.do);

/** `result`: 0 or a negative errno; `ret`: what the request returned */
interface KvmAnswer {
  readonly result: number;
  readonly ret: number;
}

export class KvmAgent {
  readonly #machine: Machine;
  readonly #bodyOf: (fd: string | number) => FileBody | null;
  #kvm: SimulatedKvm | null = null;

  /** @param bodyOf what a descriptor of the scenario is of */
  constructor(machine: Machine, bodyOf: (fd: string | number) => FileBody | null) {
    this.#machine = machine;
    this.#bodyOf = bodyOf;
  }

  /** Each KVM_RUN is a step of the trace. A run that is not what the scenario wants answers EILSEQ, what can't be done EINVAL. */
  *perform(index: number, step: KvmStep): Steps<KvmAnswer> {
    const machine = this.#machine;
    if (machine.arch !== 'x86_64') throw new UserError(`the simulated vCPU is one of x86_64, not of ${machine.arch}; write machine: { arch: x86_64 }`);
    if (step.do === 'vm' || this.#kvm === null) {
      this.#kvm?.close();
      this.#kvm = new SimulatedKvm({
        ...(step.do === 'vm' ? { type: step.type, inPlaceConversion: step.inPlaceConversion } : { type: 'default' }),
        fileOf: (fd) => mappedFile(this.#bodyOf(fd)),
      });
    }
    const done = performKvmStep(this.#kvm, index, step);
    for (const run of done.runs) {
      const { reason, errno, fields } = exitFields(run);
      const rax = run.rax === null ? {} : { rax: run.rax };
      yield machine.event('kernel', 'KVM_RUN', { exit: reason, ...fields, ...rax }, -errno);
      if (run.signal !== undefined && run.signal !== null) yield machine.event('kernel', 'send_sig', { signal: run.signal });
    }
    const problem = done.refused ?? missedBy(done);
    if (problem !== null) {
      yield machine.event('kernel', done.refused === null ? 'not as wanted' : 'refused', { why: problem });
      return { result: negative(done.refused === null ? 'EILSEQ' : 'EINVAL'), ret: -1 };
    }
    const { ret, errno } = done.call ?? { ret: 0, errno: 0 };
    return { result: errno === 0 ? 0 : -errno, ret };
  }
}

/** @throws UserError where a step of the scenario concerns something other than a virtual machine */
export function kvmStepsOf<S extends { readonly do: string; readonly position: { readonly line: number; readonly column: number } }>(
  file: string,
  steps: readonly S[],
): readonly (S & KvmStep)[] {
  return steps.map((step) => {
    if (isKvmStep(step)) return step;
    throw new UserError(
      `${file}:${step.position.line}:${step.position.column}: ${step.do} has nothing to do with /dev/kvm; --device kvm takes scenarios of virtual machines alone`,
    );
  });
}

/** A memfd of the scenario as the memory of a memslot: what the guest writes is in the file, and goes with it across a live update. */

/** @throws UserError where the descriptor is of no file that can be mapped */
function mappedFile(body: FileBody | null): GuestBytes {
  if (!(body instanceof ShmemInode)) throw new UserError('a memslot maps a memfd or a file of tmpfs; this descriptor is of neither, or closed');
  if (body.mmap(true, true, true) !== 0) throw new UserError('this file cannot be mapped for writing: its seals forbid it');
  return new MappedFile(body);
}

class MappedFile implements GuestBytes {
  readonly #inode: ShmemInode;
  /** memory mapped anew over a part of the file */
  #over: { readonly first: number; readonly end: number; readonly memory: GuestMemory }[] = [];
  readonly #poisoned = new Set<number>();

  constructor(inode: ShmemInode) {
    this.#inode = inode;
  }

  get size(): number {
    return this.#inode.size;
  }

  read(offset: number, length: number): Uint8Array {
    const over = this.#overAt(offset);
    if (over !== null) return over.read(offset, length);
    const page = Math.floor(offset / PAGE);
    return this.#inode.readPage(page).slice(offset % PAGE, (offset % PAGE) + length);
  }

  write(offset: number, bytes: Uint8Array): void {
    const over = this.#overAt(offset);
    if (over === null) this.#inode.store(offset, bytes);
    else over.write(offset, bytes);
  }

  replace(offset: number, size: number, fill: number): void {
    this.#over.push({ first: offset, end: offset + size, memory: new GuestMemory(offset + size, fill) });
    for (const page of [...this.#poisoned]) if (page * PAGE >= offset && page * PAGE < offset + size) this.#poisoned.delete(page);
  }

  poison(offset: number): void {
    this.#poisoned.add(Math.floor(offset / PAGE));
  }

  isPoisoned(offset: number): boolean {
    return this.#poisoned.has(Math.floor(offset / PAGE));
  }

  #overAt(offset: number): GuestMemory | null {
    return this.#over.findLast(({ first, end }) => offset >= first && offset < end)?.memory ?? null;
  }
}
