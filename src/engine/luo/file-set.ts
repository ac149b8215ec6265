/** The files of one session. Source: kernel/liveupdate/luo_file.c, 7.1.13 to 7.3.4. Results are 0 or negative errnos. */
import type { Struct } from '../../../abi/layout.js';
import { filePages } from '../../../abi/luo/areas.js';
import { luoSessionSer } from '../../../abi/luo/entries.js';
import { integerOf, textOf } from '../../codec/leaf.js';
import { negative } from '../faults.js';
import type { OpenFile, Descriptors } from '../fs/open-file.js';
import type { FileHandler, FileOpArgs } from '../handler.js';
import type { Steps, Machine } from '../machine.js';
import { type EntryStore, entryStore } from './entry-store.js';
import type { Kho } from '../kho/kho.js';
import type { KernelSpec } from '../kernel/release.js';
import type { PageAllocator } from '../kernel/pages.js';
import type { FlbRegistry } from './flb.js';
import type { HandlerCallback } from '../scenario/types.js';
import { errnoOf, type StepArgs } from '../trace/step.js';

/** struct luo_file. */
interface LuoFile {
  readonly handler: FileHandler;
  readonly token: bigint;
  file: OpenFile | null;
  serializedData: bigint;
  privateData: unknown;
  /** 0 never retrieved, 1 retrieved, < 0 what the retrieve that failed answered */
  retrieveStatus: number;
}

/** What luo_file_set_ser holds. */
interface FileSetSer {
  readonly files: number;
  readonly count: number;
}

export class FileSet {
  readonly files: LuoFile[] = [];
  /** the first file of each token: what was handed over may hold one twice */
  readonly #byToken = new Map<bigint, LuoFile>();
  readonly #luo: LuoContext;
  readonly #store: EntryStore;
  /** struct luo_file_ser of this kernel */
  readonly #entry: Struct;
  /** where its state is shown */
  readonly #path: string;
  /** luo_file_set.count: as handed over (7.1), or as found */
  #count = 0;

  constructor(luo: LuoContext, path: string) {
    this.#luo = luo;
    this.#path = path;
    const area = luo.spec.areas?.files ?? filePages;
    this.#entry = area.entry;
    this.#store = entryStore(luo.kho, area, false);
  }

  #args(file: LuoFile): FileOpArgs {
    const { serializedData, privateData, retrieveStatus, token } = file;
    return { file: file.file, serializedData, privateData, retrieveStatus, token };
  }

  /** luo_preserve_file. */
  preserve(token: bigint, fd: number): Steps<number> {
    return this.#luo.machine.call('luo', 'luo_preserve_file', { token, fd }, this.#preserve(token, fd));
  }

  *#preserve(token: bigint, fd: number): Steps<number> {
    const { fds, preserved, flbs, spec } = this.#luo;
    if (this.#byToken.has(token)) return negative('EEXIST');
    const error = yield* this.#store.grow(this.#count + 1);
    if (error !== 0) return error;
    const file = fds.get(fd)?.get() ?? null;
    if (file === null) return yield* this.#undoRoom(negative('EBADF'));
    const handler = yield* this.#handlerFor(file, token);
    if (handler === null) return yield* this.#undoFile(file, negative('ENOENT'));
    const id = handler.getId?.(file) ?? file;
    if (spec.filesPreservedOnce && preserved.has(id)) return yield* this.#undoFile(file, negative('EBUSY'));
    preserved.set(id, file);
    const failed = yield* flbs.filePreserve(handler);
    if (failed !== 0) {
      preserved.delete(id);
      return yield* this.#undoFile(file, failed);
    }
    const refused = yield* this.#preserveWith(handler, file, token);
    if (refused === 0) return 0;
    yield* flbs.fileUnpreserve(handler);
    preserved.delete(id);
    return yield* this.#undoFile(file, refused);
  }

  *#undoFile(file: OpenFile, error: number): Steps<number> {
    yield* file.put();
    return yield* this.#undoRoom(error);
  }

  *#undoRoom(error: number): Steps<number> {
    yield* this.#store.shrink(this.#count);
    return error;
  }

  *#handlerFor(file: OpenFile, token: bigint): Steps<FileHandler | null> {
    for (const handler of this.#luo.handlers)
      if (yield* question(this.#luo.machine, handler, 'can_preserve', token, () => handler.canPreserve(file))) return handler;
    return null;
  }

  *#preserveWith(handler: FileHandler, file: OpenFile, token: bigint): Steps<number> {
    if (!this.#luo.pages.kmalloc()) return negative('ENOMEM');
    const entry: LuoFile = { handler, token, file, serializedData: 0n, privateData: null, retrieveStatus: 0 };
    const args = this.#args(entry);
    const error = yield* callback(this.#luo.machine, handler, 'preserve', args, handler.preserve(args));
    if (error !== 0) return error;
    entry.serializedData = args.serializedData;
    entry.privateData = args.privateData;
    this.#append(entry);
    this.#count++;
    this.#show(entry, 'preserved');
    return 0;
  }

  /** luo_file_unpreserve_files: newest first. */
  *unpreserveAll(): Steps<void> {
    const { machine, flbs, preserved } = this.#luo;
    for (let entry = this.files.at(-1); entry !== undefined; entry = this.files.at(-1)) {
      const { handler, file } = entry;
      const args = this.#args(entry);
      yield* callback(machine, handler, 'unpreserve', args, handler.unpreserve(args));
      yield* flbs.fileUnpreserve(handler);
      if (file !== null) preserved.delete(handler.getId?.(file) ?? file);
      this.#dropLast();
      this.#hide(entry);
      this.#count--;
      yield* this.#store.shrink(this.#count);
      if (file !== null) yield* file.put();
    }
    yield* this.#store.destroy();
  }

  /** luo_file_freeze: in preserve order; on failure everything frozen is unfrozen. @param ser address of the session's entry */
  *freeze(ser: number): Steps<number> {
    const { machine } = this.#luo;
    if (this.#count === 0) return 0;
    const writer = this.#store.writer();
    for (const entry of this.files) {
      const at = writer.reserve();
      const error = at === null ? negative('ENOSPC') : yield* this.#freezeOne(entry);
      if (error !== 0 || at === null) {
        const { compatible } = entry.handler;
        if (at !== null)
          yield machine.printk(`luo: Freeze failed for token[0x${entry.token.toString(16)}] handler[${compatible}] err[${errorText(error)}]`, 'luo');
        yield* this.#unfreezeUpTo(entry);
        return error;
      }
      machine.writeStruct(this.#entry, at, { compatible: entry.handler.compatible, data: entry.serializedData, token: entry.token });
      yield machine.event('luo', 'write luo_file_ser', { address: at, token: entry.token, data: entry.serializedData });
    }
    machine.writeField(luoSessionSer, ser, 'file_set_ser', { files: this.#store.head, count: this.#count });
    yield machine.event('luo', 'write luo_file_set_ser', { address: ser, first: this.#store.head, count: this.#count });
    return 0;
  }

  *#freezeOne(entry: LuoFile): Steps<number> {
    const { handler } = entry;
    const args = this.#args(entry);
    const freeze = handler.freeze?.(args);
    if (freeze === undefined) return 0;
    const error = yield* callback(this.#luo.machine, handler, 'freeze', args, freeze);
    if (error === 0) {
      entry.serializedData = args.serializedData;
      this.#show(entry, 'frozen');
    }
    return error;
  }

  *#unfreezeUpTo(failed: LuoFile | null): Steps<void> {
    for (const entry of this.files) {
      if (entry === failed) break;
      const { handler } = entry;
      const args = this.#args(entry);
      const unfreeze = handler.unfreeze?.(args);
      if (unfreeze !== undefined) yield* callback(this.#luo.machine, handler, 'unfreeze', args, unfreeze);
      this.#show(entry, 'preserved');
    }
    yield* this.#store.clear();
  }

  /** luo_file_unfreeze: the reboot was given up after this session had been frozen. */
  *unfreeze(ser: number): Steps<void> {
    if (this.#count === 0) return;
    yield* this.#unfreezeUpTo(null);
    this.#luo.machine.writeField(luoSessionSer, ser, 'file_set_ser', { files: 0, count: 0 });
  }

  /** luo_file_deserialize. @param ser as handed over */
  *deserialize(ser: FileSetSer): Steps<number> {
    if (ser.files === 0) {
      if (ser.count !== 0) yield this.#luo.machine.printk('WARNING: kernel/liveupdate/luo_file.c at luo_file_deserialize', 'luo');
      return 0;
    }
    const error = yield* this.#store.restore(ser.files);
    if (error !== 0) return error;
    // Contiguous pages say nothing of how many there are: the session's count is believed, and what fails is left as it is.
    const { counts } = this.#store;
    if (!counts) this.#count = ser.count;
    let failed = 0;
    for (const at of this.#store.entries(ser.count)) {
      failed = yield* this.#deserializeOne(at);
      if (failed !== 0) break;
      if (counts) this.#count++;
    }
    if (failed === 0 && this.#count !== ser.count) {
      yield this.#luo.machine.printk(`luo: File count mismatch: expected ${ser.count}, found ${this.#count}`, 'luo');
      failed = negative('EINVAL');
    }
    if (failed === 0 || !counts) return failed;
    for (const entry of this.files.splice(0)) this.#hide(entry);
    this.#byToken.clear();
    this.#count = 0;
    yield* this.#store.destroy();
    return failed;
  }

  *#deserializeOne(at: number): Steps<number> {
    const { machine, handlers } = this.#luo;
    const values = machine.readStruct(this.#entry, at);
    const compatible = textOf(this.#entry, values, 'compatible');
    const [token, data] = [integerOf(this.#entry, values, 'token') ?? 0n, integerOf(this.#entry, values, 'data') ?? 0n];
    const handler = handlers.find((one) => one.compatible === compatible?.text);
    if (handler === undefined) {
      yield machine.printk(`luo: No registered handler for compatible '${nameText(compatible?.bytes ?? new Uint8Array())}'`, 'luo');
      return negative('ENOENT');
    }
    if (!this.#luo.pages.kmalloc()) return negative('ENOMEM');
    const entry: LuoFile = { handler, token, file: null, serializedData: data, privateData: null, retrieveStatus: 0 };
    this.#append(entry);
    this.#show(entry, 'waiting');
    yield machine.event('luo', 'read luo_file_ser', { address: at, token, data });
    return 0;
  }

  /** luo_retrieve_file. @returns the file with a reference for the caller, or a negative errno */
  *retrieve(token: bigint): Steps<OpenFile | number> {
    const { machine, preserved } = this.#luo;
    yield machine.enter('luo', 'luo_retrieve_file', { token });
    const entry = this.#byToken.get(token);
    const result = entry === undefined ? negative('ENOENT') : yield* this.#retrieveEntry(entry);
    if (typeof result !== 'number' && entry !== undefined) preserved.set(entry.handler.getId?.(result) ?? result, result);
    yield machine.exit(typeof result === 'number' ? result : 0);
    return typeof result === 'number' ? result : result.get();
  }

  *#retrieveEntry(entry: LuoFile): Steps<OpenFile | number> {
    if (entry.retrieveStatus < 0) return entry.retrieveStatus;
    if (entry.file !== null) return entry.file;
    const { handler } = entry;
    const args = this.#args(entry);
    const error = yield* callback(this.#luo.machine, handler, 'retrieve', args, handler.retrieve(args));
    if (error !== 0 || args.file === null) {
      entry.retrieveStatus = error === 0 ? negative('EINVAL') : error;
      this.#show(entry, `retrieve failed ${errorText(entry.retrieveStatus)}`);
      return entry.retrieveStatus;
    }
    entry.file = args.file;
    entry.retrieveStatus = 1;
    this.#show(entry, 'retrieved');
    return args.file;
  }

  /** luo_file_finish: all can_finish in preserve order, then finish from last to first. @returns 0, or EBUSY with nothing finished */
  *finish(): Steps<number> {
    const { machine, flbs, preserved } = this.#luo;
    for (const entry of this.files) {
      const { handler } = entry;
      const answer = (): boolean => handler.canFinish?.(this.#args(entry)) === true;
      if (handler.canFinish !== undefined && !(yield* question(machine, handler, 'can_finish', entry.token, answer))) return negative('EBUSY');
    }
    for (let entry = this.files.at(-1); entry !== undefined; entry = this.files.at(-1)) {
      const { handler, file } = entry;
      const args = this.#args(entry);
      yield* callback(machine, handler, 'finish', args, handler.finish(args));
      yield* flbs.fileFinish(handler);
      this.#dropLast();
      this.#hide(entry);
      if (file !== null) {
        preserved.delete(handler.getId?.(file) ?? file);
        yield* file.put();
      }
      this.#count--;
      yield* this.#store.shrink(this.#count);
    }
    yield* this.#store.destroy();
    return 0;
  }

  #append(entry: LuoFile): void {
    this.files.push(entry);
    if (!this.#byToken.has(entry.token)) this.#byToken.set(entry.token, entry);
  }

  #dropLast(): void {
    const entry = this.files.pop();
    if (entry !== undefined && this.#byToken.get(entry.token) === entry) this.#byToken.delete(entry.token);
  }

  #show(entry: LuoFile, state: string): void {
    const path = `${this.#path}/files/0x${entry.token.toString(16)}`;
    this.#luo.machine.state.set(path, state);
    this.#luo.machine.state.set(`${path}/compatible`, entry.handler.compatible);
    this.#luo.machine.state.set(`${path}/data`, entry.serializedData);
  }

  #hide(entry: LuoFile): void {
    this.#luo.machine.state.remove(`${this.#path}/files/0x${entry.token.toString(16)}`);
  }
}

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

/** A handler's callbacks as LUO calls them: each a call of its own in the trace, and answered by a fault where one says so. */

/** `%pe` of the kernel: the errno's name with a minus. */
export const errorText = (error: number): string => `-${errnoOf(error) ?? -error}`;

/** Runs a handler's callback as a call of its own, or answers for it where a fault says so; 0 for one that answers nothing. */
const callback = (machine: Machine, handler: FileHandler, name: HandlerCallback, args: FileOpArgs, run: Steps<unknown>): Steps<number> => {
  const told = (): StepArgs => ({ token: args.token, data: args.serializedData });
  return machine.call('handler', `${handler.name}.${name}`, told(), answerOf(machine, handler, name, run), told);
};

function* answerOf(machine: Machine, handler: FileHandler, name: HandlerCallback, run: Steps<unknown>): Steps<number> {
  const injected = machine.faults.callback([handler.name, handler.compatible], name);
  const result = injected === 0 ? yield* run : injected;
  return typeof result === 'number' ? result : 0;
}

/** A callback that answers yes or no; a fault makes it say no. */
function* question(machine: Machine, handler: FileHandler, name: 'can_preserve' | 'can_finish', token: bigint, ask: () => boolean): Steps<boolean> {
  yield machine.enter('handler', `${handler.name}.${name}`, { token });
  const answer = machine.faults.callback([handler.name, handler.compatible], name) === 0 && ask();
  yield machine.exit(0, { answer });
  return answer;
}
