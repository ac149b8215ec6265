/** File-lifecycle-bound objects: preserved with the first file that depends on them, finished with the last. Source: kernel/liveupdate/luo_flb.c, 7.1.13 to 7.3.4. */
import type { Area } from '../../../abi/contract.js';
import type { Struct } from '../../../abi/layout.js';
import { integerOf, textOf } from '../../codec/leaf.js';
import { flbPage } from '../../../abi/luo/areas.js';
import { luoFlbHeaderSer } from '../../../abi/luo/entries.js';
import { areaCapacity, entryOffset } from '../../codec/area.js';
import { negative } from '../faults.js';
import type { FileHandler, Flb, FlbOpArgs } from '../handler.js';
import type { Kho } from '../kho/kho.js';
import type { KernelSpec } from '../kernel/release.js';
import { type Machine, MissingPageError, type Steps } from '../machine.js';

interface Outgoing {
  count: number;
  data: bigint;
  obj: unknown;
}

interface Incoming extends Outgoing {
  retrieved: boolean;
  finished: boolean;
  /** what the failed retrieve answered, kept from 7.2 on */
  status: number;
}

interface Registered {
  readonly flb: Flb;
  readonly outgoing: Outgoing;
  readonly incoming: Incoming;
}

/** Pages that a search for an FLB goes through before it is given up: 4 GiB. */
const MOST_SEARCHED = 1 << 20;

/** refcount_t never goes below 0: it warns, and stays saturated. */
const SATURATED = Number.NEGATIVE_INFINITY;

export class FlbRegistry {
  /** LUO is on */
  enabled = true;
  readonly #machine: Machine;
  readonly #kho: Kho;
  readonly #spec: KernelSpec;
  readonly #area: Area;
  /** in the order of registration, which is the order of serialisation */
  readonly #all: Registered[] = [];
  /** of every FLB anybody asked for, registered or not: an owner may look before it registers */
  readonly #states = new Map<Flb, Registered>();
  readonly #ofHandler = new Map<FileHandler, Registered[]>();
  #outgoingPage = 0;
  #incomingPage = 0;

  constructor(machine: Machine, kho: Kho, spec: KernelSpec) {
    this.#machine = machine;
    this.#kho = kho;
    this.#spec = spec;
    this.#area = spec.areas?.flbs ?? flbPage;
  }

  /** Physical address of the outgoing FLB page, 0 before it exists. */
  get page(): number {
    return this.#outgoingPage;
  }

  /** luo_flb_setup_outgoing: the page the next kernel will read. @returns 0 or a negative errno */
  *setUpOutgoing(): Steps<number> {
    const page = yield* this.#kho.allocPreserve(this.#machine.pageSize);
    if (page < 0) return page;
    this.#outgoingPage = page;
    this.#machine.writeStruct(this.#header, page, { pgcnt: this.#area.pages });
    yield this.#machine.event('luo', 'luo_flb_setup_outgoing', { address: page });
    return 0;
  }

  /** luo_flb_setup_incoming; 0 for none. */
  setUpIncoming(page: number): void {
    this.#incomingPage = page;
  }

  /** liveupdate_register_flb. @returns 0, EEXIST (twice on one handler, or the name is taken) or ENOSPC */
  register(handler: FileHandler, flb: Flb): number {
    const linked = this.#ofHandler.get(handler) ?? [];
    if (linked.some((one) => one.flb === flb)) return negative('EEXIST');
    const entry = this.#stateOf(flb);
    if (!this.#all.includes(entry)) {
      if (this.#all.length === areaCapacity(this.#area, this.#machine.pageSize)) return negative('ENOSPC');
      if (this.#all.some((one) => one.flb.compatible === flb.compatible)) return negative('EEXIST');
      this.#all.push(entry);
    }
    this.#ofHandler.set(handler, [...linked, entry]);
    return 0;
  }

  #stateOf(flb: Flb): Registered {
    let state = this.#states.get(flb);
    if (state === undefined) {
      const incoming = { count: 0, data: 0n, obj: null, retrieved: false, finished: false, status: 0 };
      state = { flb, outgoing: { count: 0, data: 0n, obj: null }, incoming };
      this.#states.set(flb, state);
    }
    return state;
  }

  /** luo_flb_file_preserve: a file of `handler` is about to be preserved. @returns 0 or a negative errno, all undone */
  *filePreserve(handler: FileHandler): Steps<number> {
    const linked = this.#ofHandler.get(handler) ?? [];
    for (const [index, entry] of linked.entries()) {
      const error = yield* this.#preserveOne(entry);
      if (error === 0) continue;
      for (const undo of linked.slice(0, index).reverse()) yield* this.#unpreserveOne(undo);
      return error;
    }
    return 0;
  }

  *#preserveOne({ flb, outgoing }: Registered): Steps<number> {
    if (outgoing.count === 0) {
      const args: FlbOpArgs = { data: 0n, obj: null };
      yield this.#machine.enter('handler', `${flb.compatible}.preserve`);
      const injected = this.#machine.faults.flb(flb.compatible, 'preserve');
      const error = injected !== 0 ? injected : yield* flb.preserve(args);
      yield this.#machine.exit(error, { data: args.data });
      if (error !== 0) return error;
      outgoing.data = args.data;
      outgoing.obj = args.obj;
    }
    outgoing.count++;
    this.#show(flb, 'outgoing', outgoing.count);
    return 0;
  }

  /** luo_flb_file_unpreserve: a file of `handler` is no longer preserved. */
  *fileUnpreserve(handler: FileHandler): Steps<void> {
    for (const entry of [...(this.#ofHandler.get(handler) ?? [])].reverse()) yield* this.#unpreserveOne(entry);
  }

  *#unpreserveOne({ flb, outgoing }: Registered): Steps<void> {
    outgoing.count--;
    this.#show(flb, 'outgoing', outgoing.count);
    if (outgoing.count > 0) return;
    const { data, obj } = outgoing;
    yield* this.#machine.call('handler', `${flb.compatible}.unpreserve`, { data }, flb.unpreserve({ data, obj }));
    outgoing.data = 0n;
    outgoing.obj = null;
  }

  /** luo_flb_serialize, at the reboot call. */
  *serialize(): Steps<void> {
    const page = this.#outgoingPage;
    if (page === 0) return;
    yield this.#machine.enter('luo', 'luo_flb_serialize', { address: page });
    let written = 0;
    for (const { flb, outgoing } of this.#all) {
      if (outgoing.count <= 0) continue;
      const at = page + entryOffset(this.#area, written++, this.#machine.pageSize);
      this.#machine.writeStruct(this.#area.entry, at, { name: flb.compatible, data: outgoing.data, count: outgoing.count });
      yield this.#machine.event('luo', 'write luo_flb_ser', { address: at, name: flb.compatible, count: outgoing.count });
    }
    this.#machine.writeField(this.#header, page, 'count', written);
    yield this.#machine.exit(0, { count: written });
  }

  /** luo_flb_file_finish: a file of `handler` has been finished in the next kernel. */
  *fileFinish(handler: FileHandler): Steps<void> {
    for (const entry of [...(this.#ofHandler.get(handler) ?? [])].reverse()) yield* this.#putIncoming(entry);
  }

  *#putIncoming(entry: Registered): Steps<void> {
    const { flb, incoming } = entry;
    if (incoming.count <= 0) {
      // The count is loaded only by retrieve: without one, the first put goes below zero.
      if (incoming.count !== SATURATED) yield this.#machine.printk('refcount_t: underflow; use-after-free.', 'luo');
      incoming.count = SATURATED;
      return;
    }
    incoming.count--;
    this.#show(flb, 'incoming', incoming.count);
    if (incoming.count > 0) return;
    if (!incoming.retrieved && (yield* this.#retrieveOne(entry)) !== 0) {
      yield this.#machine.printk('WARNING: kernel/liveupdate/luo_flb.c at liveupdate_flb_put_incoming', 'luo');
      return;
    }
    const { data, obj } = incoming;
    yield* this.#machine.call('handler', `${flb.compatible}.finish`, { data }, flb.finish({ data, obj }));
    incoming.data = 0n;
    incoming.obj = null;
    incoming.finished = true;
  }

  *#retrieveOne({ flb, incoming }: Registered): Steps<number> {
    if (incoming.finished) return negative('ENODATA');
    if (incoming.retrieved) return 0;
    if (incoming.status !== 0 && this.#spec.flbRetrieveIsCached) return incoming.status;
    if (this.#incomingPage === 0) return negative('ENODATA');
    const found = this.#find(flb.compatible);
    if (found === null) return negative('ENOENT');
    incoming.data = found.data;
    incoming.count = Number(found.count);
    const args: FlbOpArgs = { data: found.data, obj: null };
    yield this.#machine.enter('handler', `${flb.compatible}.retrieve`, { data: found.data });
    const injected = this.#machine.faults.flb(flb.compatible, 'retrieve');
    const error = injected !== 0 ? injected : yield* flb.retrieve(args);
    yield this.#machine.exit(error);
    if (error !== 0) {
      incoming.status = error;
      return error;
    }
    incoming.obj = args.obj;
    incoming.retrieved = true;
    this.#show(flb, 'incoming', incoming.count);
    return 0;
  }

  /** Is there an FLB of that name among those handed over? @throws MissingPageError */
  wasHandedOver(compatible: string): boolean {
    return this.#incomingPage !== 0 && this.#find(compatible) !== null;
  }

  get #header(): Struct {
    return this.#area.header ?? luoFlbHeaderSer;
  }

  #find(compatible: string): { readonly data: bigint; readonly count: bigint } | null {
    const { pageSize } = this.#machine;
    const header = this.#machine.readStruct(this.#header, this.#incomingPage);
    const { entry } = this.#area;
    const count = Number(integerOf(this.#header, header, 'count', pageSize) ?? 0n);
    const placeOf = (index: number): number => this.#incomingPage + entryOffset(this.#area, index, pageSize);
    for (let index = 0; index < Math.min(count, areaCapacity(this.#area, pageSize)); index++) {
      const values = this.#machine.readStruct(entry, placeOf(index));
      const number = (name: string): bigint => integerOf(entry, values, name, pageSize) ?? 0n;
      if (textOf(entry, values, 'name', pageSize)?.text === compatible) return { data: number('data'), count: number('count') };
    }
    // The count is not checked against the page: the search goes on through all memory after it, up to the FLBs' own page, if that is there.
    const place = this.#searchOn(compatible, placeOf, count);
    if (place === null) return null;
    const values = this.#machine.readStruct(entry, place);
    const number = (name: string): bigint => integerOf(entry, values, name, pageSize) ?? 0n;
    return { data: number('data'), count: number('count') };
  }

  /** An entry of that name beyond the page; pages that a dump does not hold are passed over. */
  #searchOn(compatible: string, placeOf: (index: number) => number, count: number): number | null {
    const { pageSize, memory } = this.#machine;
    const size = placeOf(1) - placeOf(0);
    const name = new TextEncoder().encode(`${compatible}\0`);
    let pages = 0;
    for (let index = areaCapacity(this.#area, pageSize); index < count; ) {
      const at = placeOf(index);
      if (!this.#machine.isMemory(at)) this.#machine.fault('the end of memory, after the page of FLBs');
      if (pages++ > MOST_SEARCHED) throw new MissingPageError(at);
      const page = memory.now.page(Math.floor(at / pageSize));
      const inPage = Math.ceil((pageSize - (at % pageSize)) / size);
      for (let entry = 0; page !== undefined && entry < Math.min(inPage, count - index); entry++) {
        const from = (at % pageSize) + entry * size;
        if (page[from] === name[0] && name.every((byte, offset) => page[from + offset] === byte)) return at + entry * size;
      }
      index += inPage;
    }
    return null;
  }

  /** liveupdate_flb_get_incoming. @returns the object, or a negative errno; what was got must be put */
  *getIncoming(flb: Flb): Steps<{ readonly obj: unknown; readonly data: bigint } | number> {
    if (!this.enabled) return negative('EOPNOTSUPP');
    const entry = this.#stateOf(flb);
    const error = yield* this.#retrieveOne(entry);
    if (error !== 0) return error;
    entry.incoming.count++;
    return { obj: entry.incoming.obj, data: entry.incoming.data };
  }

  /** liveupdate_flb_put_incoming. */
  *putIncoming(flb: Flb): Steps<void> {
    yield* this.#putIncoming(this.#stateOf(flb));
  }

  #show(flb: Flb, side: 'incoming' | 'outgoing', count: number): void {
    this.#machine.state.set(`kernel ${this.#machine.kernel}/flbs/${encodeURIComponent(flb.compatible)}/${side} count`, count);
  }
}
