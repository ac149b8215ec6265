/** File handlers, FLBs and subtrees that the scenario itself defines: for people designing one, before there is a kernel that has it. */
import { negative } from '../faults.js';
import { OpenFile, PlainFile } from '../fs/open-file.js';
import type { FileHandler, FileOpArgs, Flb, FlbOpArgs, KernelServices } from '../handler.js';
import type { Kho } from '../kho/kho.js';
import type { Steps } from '../machine.js';
import type { Payload } from '../scenario/payload.js';
import type { HandlerCallback, ScenarioHandler, ScenarioSubtree } from '../scenario/types.js';
import { payloadSize, releasePayload, WrittenPayload } from './payload.js';

export class ScenarioDefinedHandler implements FileHandler {
  readonly name: string;
  readonly compatible: string;
  readonly #kernel: KernelServices;
  readonly #definition: ScenarioHandler;

  constructor(kernel: KernelServices, definition: ScenarioHandler) {
    this.#kernel = kernel;
    this.#definition = definition;
    this.name = definition.compatible;
    this.compatible = definition.compatible;
  }

  #answer(callback: HandlerCallback): number {
    const errno = this.#definition.answers[callback];
    return errno === undefined ? 0 : negative(errno);
  }

  canPreserve(file: OpenFile): boolean {
    const kinds: readonly string[] = this.#definition.accepts;
    return kinds.includes(file.body.kind) && this.#answer('can_preserve') === 0;
  }

  *preserve(args: FileOpArgs): Steps<number> {
    const { kho } = this.#kernel;
    const error = this.#answer('preserve');
    if (error !== 0) return error;
    const { payload } = this.#definition;
    if (payload.length === 0) return 0;
    const written = new WrittenPayload(kho);
    const address = yield* written.write(payload, this.compatible);
    if (address < 0) return address;
    args.privateData = written;
    args.serializedData = BigInt(address);
    return 0;
  }

  *unpreserve(args: FileOpArgs): Steps<void> {
    if (args.privateData instanceof WrittenPayload) yield* args.privateData.undo();
  }

  *freeze(): Steps<number> {
    yield this.#kernel.machine.event('handler', `${this.compatible} answers`, null, this.#answer('freeze'));
    return this.#answer('freeze');
  }

  *unfreeze(): Steps<void> {
    yield this.#kernel.machine.event('handler', `${this.compatible} answers`);
  }

  *retrieve(args: FileOpArgs): Steps<number> {
    const error = this.#answer('retrieve');
    yield this.#kernel.machine.event('handler', `${this.compatible} answers`, null, error);
    if (error !== 0) return error;
    const [kind] = this.#definition.accepts;
    args.file = new OpenFile(new PlainFile(kind ?? 'file'));
    return yield* this.#release(args);
  }

  canFinish(args: FileOpArgs): boolean {
    if (this.#answer('can_finish') !== 0) return false;
    return this.#definition.canFinish === 'always' || args.retrieveStatus > 0;
  }

  *finish(args: FileOpArgs): Steps<void> {
    if (args.retrieveStatus === 0) yield* this.#release(args);
  }

  /** The payload is given back once: by retrieve, or by finish without one. */
  *#release(args: FileOpArgs): Steps<number> {
    return args.serializedData === 0n ? 0 : yield* releasePayload(this.#kernel.kho, this.#definition.payload, Number(args.serializedData));
  }
}

/** An FLB of a handler of the scenario's own. */
export class ScenarioDefinedFlb implements Flb {
  readonly compatible: string;
  readonly #kho: Kho;
  readonly #payload: Payload;

  constructor(kho: Kho, { name, payload }: ScenarioSubtree) {
    this.compatible = name;
    this.#kho = kho;
    this.#payload = payload;
  }

  *preserve(args: FlbOpArgs): Steps<number> {
    const written = new WrittenPayload(this.#kho);
    const address = yield* written.write(this.#payload, this.compatible);
    if (address < 0) return address;
    args.data = BigInt(address);
    args.obj = written;
    return 0;
  }

  *unpreserve(args: FlbOpArgs): Steps<void> {
    if (args.obj instanceof WrittenPayload) yield* args.obj.undo();
  }

  *retrieve(args: FlbOpArgs): Steps<number> {
    yield this.#kho.machine.event('handler', `${this.compatible} answers`, { data: args.data });
    return 0;
  }

  *finish(args: FlbOpArgs): Steps<void> {
    yield* releasePayload(this.#kho, this.#payload, Number(args.data));
  }
}

/** Subtrees of the root FDT that nobody but the scenario knows. */
export function* addSubtrees(kho: Kho, subtrees: readonly ScenarioSubtree[]): Steps<void> {
  for (const { name, payload } of subtrees) {
    const address = yield* new WrittenPayload(kho).write(payload, name);
    if (address >= 0) yield* kho.addSubtree(name, address, payloadSize(payload, kho.machine.pageSize));
  }
}
