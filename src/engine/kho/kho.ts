/**
 * Kexec handover in a running kernel: preserving and restoring memory, the root FDT and its subtrees. Addresses are physical, in
 * bytes; results are 0 or negative errnos, as the kernel's. Source: kernel/liveupdate/kexec_handover.c, 7.1.13 to 7.3.4.
 */
import { khoRootFdt } from '../../../abi/kho/root-fdt.js';
import { buildFdt, fdtProperties } from '../../codec/fdt.js';
import { negative } from '../faults.js';
import type { KernelSpec } from '../kernel/release.js';
import type { PageAllocator } from '../kernel/pages.js';
import type { Machine, Steps } from '../machine.js';
import type { IncomingHandover, ScratchArea, Subtree } from './incoming.js';
import type { PreservedMap } from './preserved-map.js';
import { ChunkTracker } from './chunk-map.js';
import { RadixMap } from './radix-map.js';
import { Tags } from './tags.js';

export class Kho {
  readonly machine: Machine;
  readonly pages: PageAllocator;
  readonly spec: KernelSpec;
  /** `kho=on`, and scratch could be reserved */
  enabled: boolean;
  /** areas the next kernel boots in; they stay the same along a chain of kernels */
  scratch: readonly ScratchArea[] = [];
  /** what this kernel was handed, or null after a cold boot */
  incoming: IncomingHandover | null = null;
  /** page->private of preserved blocks that nobody has restored yet: address -> order */
  readonly tags: Tags;
  /** physical address of the outgoing root FDT, 0 before it exists */
  fdt = 0;
  #map: PreservedMap | null = null;
  /** newest first: libfdt adds subnodes in front */
  #subtrees: Subtree[] = [];
  #preserved = 0;
  readonly #warned = new Set<string>();
  readonly #preservedPath: string;
  readonly #unclaimedPath: string;

  constructor(machine: Machine, pages: PageAllocator, spec: KernelSpec, enabled: boolean) {
    this.machine = machine;
    this.tags = new Tags(machine.pageSize, machine.work);
    this.pages = pages;
    this.spec = spec;
    this.enabled = enabled;
    this.#preservedPath = `kernel ${machine.kernel}/kho/preserved blocks`;
    this.#unclaimedPath = `kernel ${machine.kernel}/kho/unclaimed blocks`;
  }

  /** kho_init: the map's root and the root FDT. @returns 0 or a negative errno, KHO then being off */
  *init(): Steps<number> {
    yield this.machine.enter('kho', 'kho_init');
    const map = this.#newMap();
    const fdt = map === null ? null : this.pages.alloc();
    if (map === null || fdt === null) {
      this.enabled = false;
      yield this.machine.exit(negative('ENOMEM'));
      return negative('ENOMEM');
    }
    this.#map = map;
    this.fdt = fdt;
    const error = yield* this.preservePages(fdt, 1);
    if (error === 0) this.#writeFdt();
    else this.enabled = false;
    this.#show();
    yield this.machine.exit(error, { fdt, root: map.root });
    return error;
  }

  #newMap(): PreservedMap | null {
    if (this.spec.map !== 'radix') return new ChunkTracker(this.machine, this.pages);
    const root = this.pages.alloc();
    return root === null ? null : new RadixMap(this.machine, this.pages, root);
  }

  /** kho_finalize, up to 7.0: what is preserved now is what the next kernel will find. @returns 0 or a negative errno */
  *finalize(): Steps<number> {
    if (this.#map?.finalize === undefined) return 0;
    yield this.machine.enter('kho', 'kho_finalize');
    const error = yield* this.#map.finalize();
    if (error === 0) this.#writeFdt();
    yield this.machine.exit(error, { map: this.#map.root });
    return error;
  }

  /** kho_preserve_folio. */
  *preserveFolio(address: number, order: number): Steps<number> {
    const error = yield* this.#preserve(address, order);
    yield this.machine.event('kho', 'kho_preserve_folio', { address, order }, error);
    return error;
  }

  /** kho_preserve_pages: contiguous pages, split into the largest aligned blocks. */
  *preservePages(address: number, count: number): Steps<number> {
    const end = address + count * this.machine.pageSize;
    const inScratch = this.scratch.some((area) => area.addr < end && address < area.addr + area.size);
    if (inScratch) yield* this.warn('kho_preserve_pages');
    const error = inScratch ? negative('EINVAL') : yield* this.#preserveRange(address, count);
    yield this.machine.event('kho', 'kho_preserve_pages', { address, pages: count }, error);
    return error;
  }

  *#preserveRange(address: number, count: number): Steps<number> {
    const done: { at: number; order: number }[] = [];
    for (const block of this.#split(address, count)) {
      const error = yield* this.#preserve(block.at, block.order);
      if (error !== 0) {
        for (const { at, order } of done) this.#forget(at, order);
        return error;
      }
      done.push(block);
    }
    return 0;
  }

  *unpreserveFolio(address: number, order: number): Steps<void> {
    this.#forget(address, order);
    yield this.machine.event('kho', 'kho_unpreserve_folio', { address, order });
  }

  *unpreservePages(address: number, count: number): Steps<void> {
    for (const { at, order } of this.#split(address, count)) this.#forget(at, order);
    yield this.machine.event('kho', 'kho_unpreserve_pages', { address, pages: count });
  }

  /** kho_alloc_preserve: zeroed, preserved memory of at least `size` bytes. @returns its physical address, or a negative errno */
  *allocPreserve(size: number): Steps<number> {
    const order = this.pages.orderFor(size);
    const address = this.pages.alloc(order);
    if (address === null) {
      yield this.machine.event('kho', 'kho_alloc_preserve', { size }, negative('ENOMEM'));
      return negative('ENOMEM');
    }
    const error = yield* this.preserveFolio(address, order);
    if (error === 0) return address;
    this.pages.free(address);
    return error;
  }

  /** kho_unpreserve_free: the opposite of allocPreserve. */
  *unpreserveFree(address: number): Steps<void> {
    yield* this.unpreserveFolio(address, this.pages.orderOf(address) ?? 0);
    this.pages.free(address);
  }

  /**
   * kho_restore_folio in the next kernel.
   * @returns the order of the folio, or null (with a warning) where no preserved block starts at `address`
   */
  *restoreFolio(address: number): Steps<number | null> {
    const order = this.#takeTag(address);
    if (order === null) {
      yield* this.warn('kho_restore_page');
      yield this.machine.event('kho', 'kho_restore_folio', { address, order: null });
      return null;
    }
    this.pages.adopt(address, order);
    this.#show();
    yield this.machine.event('kho', 'kho_restore_folio', { address, order });
    return order;
  }

  /** kho_restore_pages. @returns whether every block was there */
  *restorePages(address: number, count: number): Steps<boolean> {
    for (const { at } of this.#split(address, count)) {
      const order = this.#takeTag(at);
      if (order === null) {
        yield* this.warn('kho_restore_page');
        yield this.machine.event('kho', 'kho_restore_pages', { address, pages: null });
        return false;
      }
      this.pages.adopt(at, order);
    }
    yield this.machine.event('kho', 'kho_restore_pages', { address, pages: count });
    return true;
  }

  /** kho_restore_free: restores and gives back. */
  *restoreFree(address: number): Steps<void> {
    if ((yield* this.restoreFolio(address)) === null) yield* this.warn('kho_restore_free');
    else {
      this.pages.free(address);
      // Who still has its address reads zeros: seen with 7.1.13 and 7.3.4, where the page is handed out again at once.
      this.machine.memory.zeroPage(address);
    }
  }

  /** kho_add_subtree. @returns 0, EEXIST (the name is taken) or ENOMEM (the one page is full) */
  *addSubtree(name: string, address: number, size: number): Steps<number> {
    let error = 0;
    if (this.#subtrees.some((subtree) => subtree.name === name)) error = negative('EEXIST');
    else {
      this.#subtrees.unshift({ name, address, size });
      if (!this.#writeFdt()) {
        this.#subtrees.shift();
        error = negative('ENOMEM');
      }
    }
    yield this.machine.event('kho', 'kho_add_subtree', { name, address, size }, error);
    return error;
  }

  /** kho_retrieve_subtree. @returns where the subtree's blob is, or ENOENT, or EINVAL */
  *retrieveSubtree(name: string): Steps<Subtree | number> {
    const found = this.incoming === null ? negative('ENOENT') : this.incoming.subtree(name);
    if (typeof found === 'number') yield this.machine.event('kho', 'kho_retrieve_subtree', { name }, found);
    else yield this.machine.event('kho', 'kho_retrieve_subtree', { name, address: found.address, size: found.size });
    return found;
  }

  *#preserve(address: number, order: number): Steps<number> {
    const { faults } = this.machine;
    const injected = faults.call('kho.preserve');
    if (injected !== 0) return injected;
    if (faults.forgets()) return 0;
    if (this.#map === null) return negative('EOPNOTSUPP');
    const error = yield* this.#map.add(address, order);
    if (error === 0) {
      this.#preserved++;
      this.#show();
    }
    return error;
  }

  #forget(address: number, order: number): void {
    if (this.#map?.remove(address, order) === true) this.#preserved--;
    this.#show();
  }

  #takeTag(address: number): number | null {
    if (this.machine.faults.call('kho.restore') !== 0) return null;
    return this.tags.take(address) ?? null;
  }

  /** A WARN_ON_ONCE of KHO's: each place speaks once a kernel. */
  *warn(where: string): Steps<void> {
    if (this.#warned.has(where)) return;
    this.#warned.add(where);
    yield this.machine.printk(`WARNING: kernel/liveupdate/kexec_handover.c at ${where}`, 'kho');
  }

  // The kernel's greedy split: the largest block that is aligned and not longer than what is left.
  *#split(address: number, count: number): Iterable<{ at: number; order: number }> {
    const { pageSize } = this.machine;
    let page = address / pageSize;
    const end = page + count;
    while (page < end) {
      let order = 0;
      while (page % 2 ** (order + 1) === 0 && page + 2 ** (order + 1) <= end) order++;
      yield { at: page * pageSize, order };
      page += 2 ** order;
    }
  }

  /** Rewrites the root FDT. @returns whether it fits its page */
  #writeFdt(): boolean {
    const layout = khoRootFdt(this.spec.record);
    const [blobLayout] = layout.children;
    const options = { pageSize: this.machine.pageSize };
    const children = this.#subtrees.map(({ name, address, size }) => {
      const values = this.spec.record === 'fdt' ? { fdt: address } : { 'blob-size': size, 'preserved-data': address };
      return { name, properties: blobLayout === undefined ? [] : fdtProperties(blobLayout, values, options), children: [] };
    });
    const properties = fdtProperties(layout, { compatible: this.spec.khoCompatible, 'preserved-memory-map': this.#map?.root ?? 0 }, options);
    const blob = buildFdt({ name: '', properties, children });
    if (blob.length > this.machine.pageSize) return false;
    this.machine.memory.write(this.fdt, blob, 'fdt_header');
    return true;
  }

  #show(): void {
    const { state } = this.machine;
    state.set(this.#preservedPath, this.#preserved);
    if (this.incoming !== null) state.set(this.#unclaimedPath, this.tags.size);
  }
}
