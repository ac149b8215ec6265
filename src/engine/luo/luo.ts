/** The Live Update Orchestrator of one kernel: boot, /dev/liveupdate, the ioctls, and the reboot call. Source: kernel/liveupdate/luo_core.c, 7.1.13 to 7.3.4. */
import { sizeOf } from '../../codec/layout-table.js';
import {
  liveupdateIoctlCreateSession,
  liveupdateIoctlRetrieveSession,
  liveupdateSessionFinish,
  liveupdateSessionGetName,
  liveupdateSessionPreserveFd,
  liveupdateSessionRetrieveFd,
} from '../../../abi/uapi/liveupdate.js';
import { decodeStruct } from '../../codec/decode.js';
import { negative } from '../faults.js';
import { type FileBody, OpenFile } from '../fs/open-file.js';
import type { FileHandler, Flb } from '../handler.js';
import { type Machine, PanicError, type Steps } from '../machine.js';
import { SessionFile, Sessions } from './session.js';
import { type LuoContext, errorText } from './file-set.js';
import { checkIoctl, ioctlName, ioctlOps, type IoctlOp, type UserBuffer } from './ioctl.js';
import { fdtRoot, LUO_SUBTREE, readFdtRoot, readStructRoot, storeSessions, structRoot, writeStructRoot } from './root.js';
import { TestFlbs } from './test-flb.js';

/** What an ioctl answers beside its result. */
interface IoctlAnswer {
  /** 0 or a negative errno */
  readonly result: number;
  /** the descriptor it made */
  readonly fd: number | null;
  /** the name GET_NAME gave */
  readonly name: Uint8Array | null;
}

const answer = (result: number, fd: number | null = null, name: Uint8Array | null = null): IoctlAnswer => ({ result, fd, name });

/** What a descriptor of /dev/liveupdate is of. */
export class LiveupdateDevice implements FileBody {
  readonly kind = 'liveupdate';
  readonly #machine: Machine;
  inUse = false;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  *release(): Steps<number> {
    this.inUse = false;
    yield this.#machine.event('luo', 'luo_release');
    return 0;
  }
}

export class Luo {
  readonly sessions: Sessions;
  readonly #context: LuoContext;
  readonly #device: LiveupdateDevice;
  readonly #testFlbs: TestFlbs | null;
  #enabled: boolean;
  /** of the previous kernel's tree; 0 after a cold boot */
  #number = 0n;
  /** physical address of this kernel's own root */
  #root = 0;

  /** @param testFlbs `as handed over`: if the previous kernel had them */
  constructor(context: LuoContext, enabled: boolean, testFlbs: boolean | 'as handed over') {
    this.#context = context;
    this.#enabled = enabled;
    context.flbs.enabled = enabled;
    this.sessions = new Sessions(context);
    this.#device = new LiveupdateDevice(context.machine);
    this.#testFlbs = testFlbs === false ? null : new TestFlbs(context.machine, testFlbs === true);
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  // What the next kernel will print; a u64 of the kernel's, so it wraps.
  get #next(): bigint {
    return BigInt.asUintN(64, this.#number + 1n);
  }

  #disable(): void {
    this.#enabled = false;
    this.#context.flbs.enabled = false;
  }

  /** early_initcall: takes over the incoming root. @throws PanicError where it is not what it should be */
  *earlyInit(): Steps<void> {
    const { machine, kho } = this.#context;
    yield machine.enter('next-kernel', 'liveupdate_early_init');
    if (!kho.enabled) {
      if (this.#enabled) yield machine.printk('luo: Disabling liveupdate because KHO is disabled', 'next-kernel');
      this.#disable();
      yield machine.exit();
      return;
    }
    const error = yield* this.#earlyStartup();
    if (error !== 0) {
      this.#disable();
      throw new PanicError(`The incoming tree failed to initialize properly [${errorText(error)}], disabling live update`);
    }
    yield machine.exit();
  }

  *#earlyStartup(): Steps<number> {
    const { machine, kho, spec, flbs } = this.#context;
    const blob = yield* kho.retrieveSubtree(LUO_SUBTREE);
    if (typeof blob === 'number') {
      if (blob === negative('ENOENT')) return 0;
      const what = spec.luo === 'struct' ? 'LUO state' : 'FDT';
      yield machine.printk(`luo: failed to retrieve ${what} '${LUO_SUBTREE}' from KHO: ${errorText(blob)}`, 'next-kernel');
      return blob;
    }
    const announce = this.#announce.bind(this);
    const root = spec.luo === 'struct' ? yield* readStructRoot(machine, spec, blob) : yield* readFdtRoot(machine, blob, spec.flbs, announce);
    if (typeof root === 'number') return root;
    if (spec.luo === 'struct') yield* announce(root.number);
    const error = yield* this.sessions.setUpIncoming(root.sessions);
    if (error !== 0) return error;
    flbs.setUpIncoming(root.flbs);
    // The struct has been read and is given back; the FDT of 7.1 stays.
    if (spec.luo === 'struct') yield* kho.restoreFree(blob.address);
    return 0;
  }

  *#announce(number: bigint): Steps<void> {
    this.#number = number;
    yield this.#context.machine.printk(`luo: Retrieved live update data, liveupdate number: ${number}`, 'next-kernel');
  }

  /** late_initcall: the root that this kernel will hand over. */
  *lateInit(): Steps<void> {
    const { machine } = this.#context;
    if (!this.#enabled) return;
    yield machine.enter('luo', 'luo_late_startup');
    const error = this.#context.spec.luo === 'struct' ? yield* this.#setUpStruct() : yield* this.#setUpFdt();
    if (error !== 0) {
      this.#disable();
      yield machine.printk(`luo: failed to prepare LUO ${this.#context.spec.luo === 'struct' ? 'state' : 'FDT'}: ${error}`, 'luo');
    }
    machine.state.set(`kernel ${machine.kernel}/luo/live update number`, this.#next);
    yield machine.exit(error);
  }

  *#setUpStruct(): Steps<number> {
    const { machine, kho, spec, flbs } = this.#context;
    const root = yield* kho.allocPreserve(sizeOf(structRoot(spec)));
    if (root < 0) return root;
    let error = yield* flbs.setUpOutgoing();
    if (error === 0) {
      writeStructRoot(machine, spec, root, this.#next, flbs.page);
      yield machine.event('luo', 'write luo_ser', { address: root, number: this.#next, flbs_pa: flbs.page });
      error = yield* kho.addSubtree(LUO_SUBTREE, root, sizeOf(structRoot(spec)));
    }
    if (error !== 0) yield* kho.unpreserveFree(root);
    else this.#root = root;
    return error;
  }

  *#setUpFdt(): Steps<number> {
    const { machine, kho, flbs, spec } = this.#context;
    const root = yield* kho.allocPreserve(machine.pageSize);
    if (root < 0) return root;
    const sessions = yield* this.sessions.setUpPages();
    let error = sessions < 0 ? sessions : spec.flbs ? yield* flbs.setUpOutgoing() : 0;
    if (error === 0) {
      const blob = fdtRoot(machine, this.#next, sessions, spec.flbs ? flbs.page : null);
      machine.memory.write(root, blob, 'fdt_header');
      yield machine.event('luo', 'write LUO FDT', { address: root, number: this.#next });
      error = yield* kho.addSubtree(LUO_SUBTREE, root, blob.length);
    }
    if (error !== 0) yield* kho.unpreserveFree(root);
    else this.#root = root;
    return error;
  }

  /** liveupdate_register_file_handler. @returns 0, EOPNOTSUPP (LUO is off) or EEXIST */
  *register(handler: FileHandler): Steps<number> {
    const { handlers, flbs } = this.#context;
    if (!this.#enabled) return negative('EOPNOTSUPP');
    if (handlers.some((one) => one.compatible === handler.compatible)) return negative('EEXIST');
    handlers.push(handler);
    if (this.#testFlbs !== null && this.#context.spec.flbs) yield* this.#testFlbs.register(flbs, handler);
    return 0;
  }

  /** Does the module of that handler have to stay? While LUO holds a file of it; up to 7.0 as long as it is registered. */
  uses(handler: FileHandler): boolean {
    const { handlers, spec } = this.#context;
    if (!handlers.includes(handler)) return false;
    const sessions = [...this.sessions.outgoing, ...this.sessions.incoming];
    return spec.handlersPinned || sessions.some(({ files }) => files.files.some((file) => file.handler === handler));
  }

  /** liveupdate_unregister_file_handler. */
  unregister(handler: FileHandler): void {
    const { handlers } = this.#context;
    if (handlers.includes(handler)) handlers.splice(handlers.indexOf(handler), 1);
  }

  /** liveupdate_register_flb. */
  registerFlb(handler: FileHandler, flb: Flb): number {
    return this.#enabled ? this.#context.flbs.register(handler, flb) : negative('EOPNOTSUPP');
  }

  /** open("/dev/liveupdate"). @returns the file or a negative errno; ENOENT where there is no such device */
  *open(): Steps<OpenFile | number> {
    const { machine } = this.#context;
    if (!this.#enabled) return negative('ENOENT');
    yield machine.enter('luo', 'luo_open');
    let error = 0;
    if (this.#device.inUse) error = negative('EBUSY');
    else if ((yield* this.sessions.deserialize()) !== 0 && this.#context.spec.openTellsFailure) error = negative('EIO');

    if (error === 0) this.#device.inUse = true;
    yield machine.exit(error);
    return error === 0 ? new OpenFile(this.#device) : error;
  }

  /** ioctl(2) on a descriptor of LUO's. */
  *ioctl(file: OpenFile, request: number, buffer: UserBuffer | null): Steps<IoctlAnswer> {
    const { machine, spec } = this.#context;
    const { body } = file;
    const session = body instanceof SessionFile ? body.session : null;
    yield machine.enter('luo', ioctlName(request), session === null ? null : { session: session.text });
    const ops = ioctlOps(spec, session === null ? 'device' : 'session');
    const checked = checkIoctl(ops, request, buffer, session?.retrieved ?? null, spec.ioctlsKnowTheirSide);
    let result: IoctlAnswer;
    if (typeof checked === 'number') result = answer(checked);
    else
      result =
        body instanceof SessionFile
          ? yield* this.#sessionIoctl(body, checked.op, checked.argument, buffer?.writable === true)
          : yield* this.#deviceIoctl(checked.op, checked.argument, buffer?.writable === true);
    yield machine.exit(result.result, result.fd === null ? null : { fd: result.fd });
    return result;
  }

  // `answers`: luo_ucmd_respond can store the answer in user memory.
  *#deviceIoctl(op: IoctlOp, argument: Uint8Array, answers: boolean): Steps<IoctlAnswer> {
    const full = this.#context.fds.room();
    if (full !== 0) return answer(full);
    const creates = op.struct === liveupdateIoctlCreateSession;
    const field = Uint8Array.from(decodeStruct(creates ? liveupdateIoctlCreateSession : liveupdateIoctlRetrieveSession, argument).name);
    return yield* this.#installed(creates ? yield* this.sessions.create(field) : yield* this.sessions.retrieve(field), answers);
  }

  *#sessionIoctl(body: SessionFile, op: IoctlOp, argument: Uint8Array, answers: boolean): Steps<IoctlAnswer> {
    const { files } = body.session;
    const responded = (result: number): number => (result === 0 && !answers ? negative('EFAULT') : result);
    switch (op.struct) {
      case liveupdateSessionPreserveFd: {
        const { fd, token } = decodeStruct(liveupdateSessionPreserveFd, argument);
        const result = yield* files.preserve(token, fd);
        if (result === 0 && !answers) yield this.#context.machine.printk('luo: The file was successfully preserved, but response to user failed', 'luo');
        return answer(responded(result));
      }
      case liveupdateSessionRetrieveFd: {
        const full = this.#context.fds.room();
        if (full !== 0) return answer(full);
        return yield* this.#installed(yield* files.retrieve(decodeStruct(liveupdateSessionRetrieveFd, argument).token), answers);
      }
      case liveupdateSessionFinish: {
        const { reserved } = decodeStruct(liveupdateSessionFinish, argument);
        if (this.#context.spec.finishChecksReserved && reserved !== 0) return answer(negative('EINVAL'));
        return answer(responded(yield* files.finish()));
      }
      default: {
        const { reserved } = decodeStruct(liveupdateSessionGetName, argument);
        if (reserved !== 0) return answer(negative('EINVAL'));
        return answers ? answer(0, null, body.session.name) : answer(negative('EFAULT'));
      }
    }
  }

  // The answer goes out before the descriptor is there: where that fails, the file is put again.
  *#installed(file: OpenFile | number, answers: boolean): Steps<IoctlAnswer> {
    if (typeof file === 'number') return answer(file);
    if (answers) return answer(0, this.#context.fds.install(file));
    yield* file.put();
    return answer(negative('EFAULT'));
  }

  /** liveupdate_reboot: freezes and serialises everything. @returns 0, or a negative errno with everything undone */
  *reboot(): Steps<number> {
    const { machine, spec, flbs } = this.#context;
    if (!this.#enabled) return 0;
    yield machine.enter('luo', 'liveupdate_reboot');
    const error = yield* this.sessions.serialize((head) => {
      if (spec.luo === 'struct') storeSessions(machine, spec, this.#root, head);
    });
    if (error === 0 && spec.flbs) yield* flbs.serialize();
    let unfinished = 0;
    if (error === 0) unfinished = yield* this.#context.kho.finalize();
    // It may be an error of libfdt's: user space gets one that it knows.
    if (unfinished !== 0) yield machine.printk(`luo: kho_finalize failed ${unfinished}`, 'luo');
    const result = unfinished === 0 ? error : negative('EAGAIN');
    yield machine.exit(result);
    return result;
  }
}
