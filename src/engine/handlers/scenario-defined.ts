/** A file handler that the scenario itself defines: for people designing one, before there is a kernel that has it. */
import { negative } from '../faults.js';
import { OpenFile, PlainFile } from '../fs/open-file.js';
import type { FileHandler, FileOpArgs } from '../handler.js';
import type { KernelServices } from '../kernel/services.js';
import type { Steps } from '../machine.js';
import type { HandlerCallback, ScenarioHandler } from '../scenario/types.js';

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
    const { kho, machine } = this.#kernel;
    const error = this.#answer('preserve');
    if (error !== 0) return error;
    const { payload } = this.#definition;
    args.privateData = args.file?.body.kind ?? null;
    if (payload.length === 0) return 0;
    const address = yield* kho.allocPreserve(payload.length);
    if (address < 0) return address;
    machine.memory.write(address, payload, this.compatible);
    yield machine.event('handler', `write ${this.compatible}`, { address, size: payload.length });
    args.serializedData = BigInt(address);
    return 0;
  }

  *unpreserve(args: FileOpArgs): Steps<void> {
    if (args.serializedData !== 0n) yield* this.#kernel.kho.unpreserveFree(Number(args.serializedData));
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
    if (args.serializedData !== 0n) yield* this.#kernel.kho.restoreFree(Number(args.serializedData));
    return 0;
  }
}
