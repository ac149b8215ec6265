/** Writes what a scenario hands over into preserved memory, and gives it back in the next kernel, pointer by pointer. */
import type { Area } from '../../../abi/contract.js';
import { khoVmalloc } from '../../../abi/kho/vmalloc.js';
import type { Struct } from '../../../abi/layout.js';
import { areaCapacity, entryOffset } from '../../codec/area.js';
import type { Encodable } from '../../codec/encode.js';
import { layoutTable, sizeOf } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import type { Kho } from '../kho/kho.js';
import { preserveVmalloc, restoreVmalloc, vmallocDescriptor } from '../kho/vmalloc.js';
import type { Steps } from '../machine.js';
import type { FieldValue, Payload, PayloadStruct } from '../scenario/payload.js';
import { OpenFile, PlainFile } from '../fs/open-file.js';
import type { FileHandler, FileOpArgs, Flb, FlbOpArgs, KernelServices } from '../handler.js';
import type { HandlerCallback, ScenarioHandler, ScenarioSubtree } from '../scenario/types.js';

const payloadSize = (payload: Payload, pageSize: number): number =>
  payload.reduce((size, part) => size + (part instanceof Uint8Array ? part.length : sizeOf(part.struct, pageSize)), 0);

/** A payload in memory, and all memory that hangs on it. */
class WrittenPayload {
  readonly #kho: Kho;
  readonly #labels = new Map<string, number>();
  /** physical, each a preserved allocation of its own */
  readonly #owned: number[] = [];

  constructor(kho: Kho) {
    this.#kho = kho;
  }

  /** @returns its physical address, or a negative errno with everything undone */
  *write(payload: Payload, what: string): Steps<number> {
    const address = yield* this.#place(payload, what);
    if (address < 0) yield* this.undo();
    return address;
  }

  /** Takes all of it back. */
  *undo(): Steps<void> {
    for (const address of this.#owned.splice(0).reverse()) yield* this.#kho.unpreserveFree(address);
  }

  *#alloc(size: number): Steps<number> {
    const address = yield* this.#kho.allocPreserve(Math.max(1, size));
    if (address >= 0) this.#owned.push(address);
    return address;
  }

  *#place(payload: Payload, what: string): Steps<number> {
    const { machine } = this.#kho;
    const address = yield* this.#alloc(payloadSize(payload, machine.pageSize));
    if (address < 0) return address;
    let at = address;
    for (const part of payload) {
      if (part instanceof Uint8Array) {
        machine.memory.write(at, part, what);
        at += part.length;
        continue;
      }
      const error = yield* this.#writeStruct(part, at);
      if (error < 0) return error;
      at += sizeOf(part.struct, machine.pageSize);
    }
    yield machine.event('handler', `write ${what}`, { address, size: at - address });
    return address;
  }

  *#writeStruct(part: PayloadStruct, at: number): Steps<number> {
    if (part.label !== null) this.#labels.set(part.label, at);
    const { machine } = this.#kho;
    const values = new Map<string, Encodable>();
    for (const [name, value] of part.fields) {
      if (value.kind === 'inside') continue;
      const written = yield* this.#value(value, `${part.struct.name}.${name}`);
      if (typeof written === 'number' && written < 0) return written;
      values.set(name, written);
    }
    machine.writeStruct(part.struct, at, Object.fromEntries(values));
    for (const [name, value] of part.fields) {
      if (value.kind !== 'inside') continue;
      const error = yield* this.#writeStruct(value.part, at + layoutTable(part.struct, machine.pageSize).field(name).offset);
      if (error < 0) return error;
    }
    return 0;
  }

  *#value(value: Exclude<FieldValue, { readonly kind: 'inside' }>, what: string): Steps<Encodable> {
    switch (value.kind) {
      case 'value':
        return value.value;
      case 'ref':
        return this.#labels.get(value.label) ?? 0;
      case 'at':
        return yield* this.#place(value.payload, what);
      case 'vmalloc':
        return yield* this.#vmalloc(value.payload, what);
      case 'chain':
        return yield* this.#chain(value.area, value.entries);
    }
  }

  *#vmalloc(payload: Payload, what: string): Steps<Encodable> {
    const { pageSize, memory } = this.#kho.machine;
    const whole = new Uint8Array(Math.ceil(payloadSize(payload, pageSize) / pageSize) * pageSize);
    let at = 0;
    for (const part of payload) {
      // Structures of a list lead nowhere: they are written in place.
      const own = part instanceof Uint8Array ? part : new Uint8Array(sizeOf(part.struct, pageSize));
      whole.set(own, at);
      at += own.length;
    }
    const pages: number[] = [];
    for (let offset = 0; offset < whole.length; offset += pageSize) {
      const page = this.#kho.pages.alloc();
      if (page === null) return negative('ENOMEM');
      memory.write(page, whole.subarray(offset, offset + pageSize), what);
      pages.push(page);
    }
    at = 0;
    for (const part of payload) {
      const error = part instanceof Uint8Array ? 0 : yield* this.#writeStruct(part, (pages[Math.floor(at / pageSize)] ?? 0) + (at % pageSize));
      if (error < 0) return error;
      at += part instanceof Uint8Array ? part.length : sizeOf(part.struct, pageSize);
    }
    const descriptor = yield* preserveVmalloc(this.#kho, pages);
    return typeof descriptor === 'number' ? descriptor : { ...descriptor };
  }

  *#chain(area: Area, entries: readonly PayloadStruct[]): Steps<number> {
    const { header } = area;
    const { machine } = this.#kho;
    const [next, count] = Object.keys(header?.fields ?? {});
    if (header === null || next === undefined || count === undefined) return negative('EINVAL');
    const room = areaCapacity(area, machine.pageSize);
    let [first, last] = [0, 0];
    for (let done = 0; done < entries.length; done += room) {
      const own = entries.slice(done, done + room);
      const page = yield* this.#alloc(area.pages * machine.pageSize);
      if (page < 0) return page;
      machine.writeStruct(header, page, { [count]: own.length });
      if (last === 0) first = page;
      else machine.writeField(header, last, next, page);
      last = page;
      for (const [index, entry] of own.entries()) {
        const error = yield* this.#writeStruct(entry, page + entryOffset(area, index, machine.pageSize));
        if (error < 0) return error;
      }
    }
    return first;
  }
}

/** Gives back what `payload` wrote at `address` (physical) in the kernel before, and what its pointers lead to now. @returns 0 or EIO */
function* releasePayload(kho: Kho, payload: Payload, address: number): Steps<number> {
  const { machine } = kho;
  let [at, error] = [address, 0];
  for (const part of payload) {
    if (!(part instanceof Uint8Array)) error = (yield* releaseStruct(kho, part, at)) || error;
    at += part instanceof Uint8Array ? part.length : sizeOf(part.struct, machine.pageSize);
  }
  yield* kho.restoreFree(address);
  return error;
}

function* releaseStruct(kho: Kho, part: PayloadStruct, at: number): Steps<number> {
  const { machine } = kho;
  let error = 0;
  for (const [name, value] of part.fields) {
    const { offset } = layoutTable(part.struct, machine.pageSize).field(name);
    if (value.kind === 'inside') error = (yield* releaseStruct(kho, value.part, at + offset)) || error;
    else if (value.kind === 'at') error = (yield* releasePayload(kho, value.payload, machine.readAddressField(part.struct, at, name))) || error;
    else if (value.kind === 'chain') yield* releaseChain(kho, value.area.header, machine.readAddressField(part.struct, at, name), value.entries.length);
    else if (value.kind === 'vmalloc') {
      const pages = yield* restoreVmalloc(kho, vmallocDescriptor(machine.readStruct(khoVmalloc, at + offset)));
      for (const page of pages ?? []) kho.pages.free(page);
      if (pages === null) error = negative('EIO');
    }
  }
  return error;
}

/** Never more pages than were written. */
function* releaseChain(kho: Kho, header: Struct | null, first: number, most: number): Steps<void> {
  const [next] = Object.keys(header?.fields ?? {});
  if (header === null || next === undefined) return;
  let page = first;
  for (let done = 0; page !== 0 && done < most; done++) {
    const following = kho.machine.readAddressField(header, page, next);
    yield* kho.restoreFree(page);
    page = following;
  }
}

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
