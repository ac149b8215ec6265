/** The kernel tree's own live update test: three FLBs on every handler. Source: abi/liveupdate-test-flb; lib/tests/liveupdate.c, 7.1.13 to 7.3.4. */
import { testFlbData, testFlbs } from '../../../abi/liveupdate-test-flb/v0-to-v2.js';
import { negative } from '../faults.js';
import type { FileHandler, Flb } from '../handler.js';
import type { Machine, Steps } from '../machine.js';
import type { FlbRegistry } from './flb.js';

const PREFIX = 'liveupdate test: ';

/** The three of one kernel, and their registration. */
export class TestFlbs {
  readonly #machine: Machine;
  readonly #flbs: readonly Flb[];
  readonly #always: boolean;
  #looked = false;

  /** @param always false: only where the previous kernel handed some over */
  constructor(machine: Machine, always: boolean) {
    this.#machine = machine;
    this.#always = always;
    this.#flbs = testFlbs.map((contract, index) => new TestFlb(machine, contract.id, testFlbData(index)));
  }

  /** liveupdate_test_register: called for every handler that registers. */
  *register(registry: FlbRegistry, handler: FileHandler): Steps<void> {
    if (!this.#always && !this.#flbs.some((flb) => registry.wasHandedOver(flb.compatible))) return;
    for (const flb of this.#flbs) registry.register(handler, flb);
    if (!this.#looked) {
      this.#looked = true;
      for (const flb of this.#flbs) yield* this.#look(registry, flb);
    }
    yield this.#machine.printk(`${PREFIX}Registered ${this.#flbs.length} FLBs with file handler: [${handler.compatible}]`, 'handler');
  }

  *#look(registry: FlbRegistry, flb: Flb): Steps<void> {
    const found = yield* registry.getIncoming(flb);
    if (typeof found !== 'number') {
      yield this.#machine.printk(`${PREFIX}${flb.compatible}: found flb data from the previous boot`, 'handler');
      yield* registry.putIncoming(flb);
    } else if (found !== negative('ENODATA') && found !== negative('ENOENT')) {
      yield this.#machine.printk(`${PREFIX}liveupdate_flb_get_incoming for ${flb.compatible} failed: ${found}`, 'handler');
    }
  }
}

class TestFlb implements Flb {
  readonly compatible: string;
  readonly #machine: Machine;
  readonly #data: bigint;

  constructor(machine: Machine, compatible: string, data: bigint) {
    this.#machine = machine;
    this.compatible = compatible;
    this.#data = data;
  }

  *preserve(args: { data: bigint }): Steps<number> {
    yield this.#machine.printk(`${PREFIX}${this.compatible}: preserve was triggered`, 'handler');
    args.data = this.#data;
    return 0;
  }

  *unpreserve(): Steps<void> {
    yield this.#machine.printk(`${PREFIX}${this.compatible}: unpreserve was triggered`, 'handler');
  }

  *retrieve(args: { readonly data: bigint; obj: unknown }): Steps<number> {
    args.obj = this.#data;
    yield this.#machine.event('handler', 'read test FLB', { data: args.data });
    return args.data === this.#data ? 0 : negative('EINVAL');
  }

  *finish(): Steps<void> {
    yield this.#machine.printk(`${PREFIX}${this.compatible}: finish was triggered`, 'handler');
  }
}
