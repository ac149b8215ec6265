/** A kernel of the chosen release, from its first instruction to the jump into the next. */
import { scratchNames } from '../../../abi/boot/scratch-names.js';
import { khoScratch } from '../../../abi/kho/scratch.js';
import { sizeOf } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import type { OpenFile } from '../fs/open-file.js';
import type { FileHandler, KernelServices } from '../handler.js';
import { MemfdHandler } from '../handlers/memfd.js';
import { KernelPci, type PciPlatform } from '../handlers/pci-platform.js';
import type { VfioConfig } from '../handlers/vfio-pci-core.js';
import { ScenarioDefinedFlb, ScenarioDefinedHandler, addSubtrees } from '../handlers/payload.js';
import { type HandoverPointer, type ScratchArea, populate } from '../kho/incoming.js';
import { Kho } from '../kho/kho.js';
import { walkChunks } from '../kho/chunk-map.js';
import type { TakeBlock } from '../kho/preserved-map.js';
import { walkRadix } from '../kho/radix-map.js';
import { FlbRegistry } from '../luo/flb.js';
import { Luo } from '../luo/luo.js';
import { type Machine, PanicError, type Steps, runThrough } from '../machine.js';
import type { ReserveMem, ScenarioHandler, ScenarioSubtree } from '../scenario/types.js';
import { runKhoTest } from './kho-test.js';
import { type KexecImage, loadImage } from './kexec-image.js';
import { KERNEL_IMAGE, LEAST_FREE, LOW_MEMORY, type Range, RangeList, type RangeSet, eachGap, placeFromTop, scratchAlignment } from './memory-map.js';
import { PageAllocator } from './pages.js';
import { Processes } from './processes.js';
import type { KernelSpec } from './release.js';
import { type ReservedRegion, handOverRegions, reviveRegions } from './reserve-mem.js';
import { khoKexecMetadata } from '../../../abi/kexec-metadata/v1.js';

const POISON = 0xaa;
const FIRST_INO = 2;
const SIGKILL = 9;

/** The command line and the configuration. */
export interface KernelOptions {
  readonly spec: KernelSpec;
  /** `kho=` */
  readonly kho: boolean;
  /** `liveupdate=` */
  readonly liveupdate: boolean;
  /** `kho_scratch=`, in bytes: lowmem, global, one node's */
  readonly scratch: readonly [number, number, number];
  readonly reserveMem: readonly ReserveMem[];
  /** the kernel tree's own test is built in; `as handed over`: if the previous kernel's was */
  readonly testFlbs: boolean | 'as handed over';
  readonly handlers: readonly ScenarioHandler[];
  readonly subtrees: readonly ScenarioSubtree[];
  /** file handlers it was built without */
  readonly without: readonly string[];
  readonly pci: PciPlatform | null;
  readonly vfio: VfioConfig;
}

export class Kernel implements KernelServices {
  readonly machine: Machine;
  readonly spec: KernelSpec;
  readonly pages: PageAllocator;
  readonly kho: Kho;
  readonly flbs: FlbRegistry;
  readonly luo: Luo;
  readonly processes: Processes;
  readonly pci: KernelPci | null;
  /** the image kexec_file_load put in place */
  image: KexecImage | null = null;
  readonly #options: KernelOptions;
  readonly #handlers: FileHandler[] = [];
  /** the root FDT of a handover that this kernel did not take: its page is left as it is, and reused last */
  #refused: number | null = null;
  #regions: ReservedRegion[] = [];
  /** names of regions that this kernel placed itself */
  readonly #fresh = new Set<string>();
  #ino = FIRST_INO;

  constructor(machine: Machine, options: KernelOptions) {
    this.machine = machine;
    this.spec = options.spec;
    this.#options = options;
    this.pages = new PageAllocator(machine);
    this.kho = new Kho(machine, this.pages, options.spec, options.kho);
    this.flbs = new FlbRegistry(machine, this.kho, options.spec);
    this.processes = new Processes(machine);
    const { spec, pages, kho, flbs, processes } = this;
    this.luo = new Luo(
      { machine, spec, pages, kho, flbs, fds: processes, handlers: this.#handlers, preserved: new Map<object, OpenFile>() },
      options.liveupdate && spec.luo !== 'none',
      options.testFlbs,
    );
    this.pci = options.pci === null || options.pci.empty ? null : new KernelPci(machine, kho, flbs, options.pci, options.vfio);
  }

  nextIno(): number {
    return this.#ino++;
  }

  /** Did this kernel take over what it was handed? */
  get tookOver(): boolean {
    return this.kho.incoming !== null;
  }

  /**
   * Boots. @param pointer where the previous kernel said its handover is; null after a cold boot
   * @throws PanicError @throws MissingPageError
   */
  *boot(pointer: HandoverPointer | null): Steps<void> {
    const { machine, kho } = this;
    yield machine.enter('next-kernel', 'start_kernel', { release: this.spec.uname });
    machine.state.set(`kernel ${machine.kernel}/release`, this.spec.uname);
    if (pointer !== null) kho.incoming = yield* populate(machine, this.spec, pointer);
    if (kho.incoming === null) this.#refused = pointer?.fdt ?? null;
    yield* this.#announceScratch();
    // kho_retrieve_subtree is asked for reserve_mem before the allocator runs.
    this.#regions = yield* reviveRegions(kho, this.#options.reserveMem);
    yield* this.#memoryInit();
    if (this.spec.luo !== 'none') yield* this.luo.earlyInit();
    yield* this.#initcalls();
    machine.state.set(`kernel ${machine.kernel}/memory/free pages`, this.pages.freePages);
    yield machine.exit();
  }

  /** What its messages call scratch. */
  get #scratchWord(): string {
    return scratchNames.find(({ status }) => status === (this.spec.expected === null ? 'released' : 'queued'))?.word ?? 'scratch';
  }

  *#announceScratch(): Steps<void> {
    if (this.#options.scratch.every((size) => size === 0)) return;
    const [lowmem, global, node] = this.#options.scratch.map((size) => `${Math.floor(size / 2 ** 20)}MiB`);
    if (this.kho.enabled || this.kho.incoming !== null)
      yield this.machine.printk(`KHO: ${this.#scratchWord} areas: lowmem: ${lowmem} global: ${global} pernode: ${node}`, 'next-kernel');
  }

  // kho_memory_init, with what memblock does around it: what is handed over is reserved, everything else is free and reused.
  *#memoryInit(): Steps<void> {
    const { machine, kho } = this;
    const whole: Range = { start: 0, end: machine.size };
    const taken = new RangeList();
    taken.push(LOW_MEMORY);
    if (machine.kernel > 0) yield machine.passMoment('early');
    yield machine.enter('next-kernel', 'kho_memory_init');
    if (kho.incoming !== null) {
      kho.scratch = kho.incoming.scratch;
      yield* this.#walk(kho.incoming.map, (address, order) => {
        kho.tags.set(address, order);
        taken.add(address, address + machine.pageSize * 2 ** order);
      });
      machine.state.set(`kernel ${machine.kernel}/kho/unclaimed blocks`, kho.tags.size);
      machine.isPreserved = (address) => kho.tags.covers(address);
    } else taken.push(KERNEL_IMAGE);
    for (const region of this.#regions) taken.push({ start: region.start, end: region.start + region.size });
    yield* this.#placeRegions(whole, taken);
    if (kho.incoming === null && kho.enabled) yield* this.#reserveScratch(whole, taken);
    for (const { addr, size } of kho.scratch) taken.push({ start: addr, end: addr + size });
    yield machine.exit(0, { blocks: kho.tags.size });
    yield* this.#freeRest(whole, taken);
  }

  *#walk(map: number, take: TakeBlock): Steps<void> {
    if (this.spec.map === 'radix') yield* walkRadix(this.machine, map, take);
    else yield* walkChunks(this.machine, map, this.spec.map === 'chunks-512' ? '512' : 'page', take);
  }

  *#placeRegions(whole: Range, taken: RangeList): Steps<void> {
    for (const { name, size, align } of this.#options.reserveMem) {
      if (this.#regions.some((region) => region.name === name)) continue;
      const place = placeFromTop(whole, taken.toSet(), size, Math.max(align, this.machine.pageSize));
      if (place === null) {
        yield this.machine.printk(`reserve_mem: no room for '${name}'`, 'next-kernel');
        continue;
      }
      taken.push(place);
      this.#regions.push({ name, start: place.start, size });
      this.#fresh.add(name);
    }
  }

  *#reserveScratch(whole: Range, taken: RangeList): Steps<void> {
    const align = scratchAlignment(this.machine);
    const placed: Range[] = [];
    const reserved = taken.copy();
    for (const size of this.#options.scratch) {
      const place = placeFromTop(whole, reserved.toSet(), Math.ceil(size / align) * align, align);
      if (place === null) continue;
      placed.push(place);
      reserved.push(place);
    }
    let left = 0;
    eachGap(whole, reserved.toSet(), (start, end) => {
      left += end - start;
    });
    if (placed.length < this.#options.scratch.length || left < LEAST_FREE) {
      const word = this.#scratchWord;
      yield this.machine.printk(`KHO: Failed to reserve nid 0 ${word}${this.spec.expected === null ? ' buffer' : ''}`, 'next-kernel');
      yield this.machine.printk(`KHO: Failed to reserve ${word}, disabling kexec handover`, 'next-kernel');
      this.kho.enabled = false;
      return;
    }
    this.kho.scratch = placed.map(({ start, end }): ScratchArea => ({ addr: start, size: end - start }));
    yield this.machine.event('next-kernel', 'kho_reserve_scratch', { areas: placed.length });
  }

  *#freeRest(whole: Range, taken: RangeList): Steps<void> {
    const { machine } = this;
    const reserved = taken.toSet();
    const lost = machine.kernel > 0 ? this.#overwrite(reserved) : null;
    for (let index = 0; lost !== null && index < lost.count; index++) {
      this.pages.addFreeLast(lost.startOf(index), lost.endOf(index));
      taken.add(lost.startOf(index), lost.endOf(index));
    }
    eachGap(whole, lost === null || lost.count === 0 ? reserved : taken.toSet(), (start, end) => this.pages.addFree(start, end));
    yield machine.event('next-kernel', 'memblock_free_all', { pages: this.pages.freePages });
    if (this.pages.freePages * machine.pageSize < LEAST_FREE)
      throw new PanicError('System is deadlocked on memory: what is handed over leaves nothing to boot with');
  }

  // What nobody preserved is lost: its pages are reused. A dump's own pages beneath are left, nobody can tell by what they would be.
  #overwrite(reserved: RangeSet): RangeSet {
    const { memory, pageSize } = this.machine;
    const poison = new Uint8Array(pageSize).fill(POISON);
    const lost = [...memory.now.touched()].filter((page) => !reserved.has(page * pageSize) && memory.now.page(page) !== memory.now.zeroPage);
    for (const page of lost.sort((a, b) => a - b)) if (page * pageSize !== this.#refused) memory.replacePage(page * pageSize, poison, 'reused');
    const ranges = new RangeList();
    for (const page of lost) ranges.add(page * pageSize, (page + 1) * pageSize);
    return ranges.toSet();
  }

  *#initcalls(): Steps<void> {
    const { kho, luo } = this;
    if (!this.spec.handsOver) {
      if (kho.incoming !== null && (yield* kho.restoreFolio(kho.incoming.pointer.fdt)) === null)
        yield this.machine.printk('KHO: failed to restore folio for KHO fdt', 'next-kernel');
      yield* runKhoTest(kho);
      return;
    }
    if (kho.enabled && (yield* kho.init()) === 0) {
      yield* this.#storeScratch();
      if (this.spec.kexecMetadata) yield* exchangeMetadata(kho);
    }
    if (this.pci !== null && (yield* this.#register(this.pci.handler))) this.pci.registerFlb();
    yield* this.#register(new MemfdHandler(this));
    for (const definition of this.#options.handlers) {
      const handler = new ScenarioDefinedHandler(this, definition);
      if ((yield* this.#register(handler)) && definition.flb !== null) this.flbs.register(handler, new ScenarioDefinedFlb(kho, definition.flb));
    }
    yield* luo.lateInit();
    yield* runKhoTest(kho);
    yield* handOverRegions(kho, this.#regions, this.#fresh);
    if (kho.enabled) yield* addSubtrees(kho, this.#options.subtrees);
    if (this.pci !== null) yield* this.pci.boot();
    this.pages.outOfMemory = () => this.#outOfMemory();
  }

  // The OOM killer: the caller dies once its call is over, and what the call wants is not there; another dies at once.
  #outOfMemory(): boolean {
    const { machine, processes } = this;
    const victim = processes.oomVictim();
    if (victim.doomed) return false;
    machine.printk(`Out of memory: Killed process ${victim.pid} (${victim.name})`);
    victim.doomed = true;
    if (victim === processes.current) return false;
    runThrough(processes.end(victim, SIGKILL));
    return true;
  }

  /** @returns whether LUO has the handler now */
  *#register(handler: FileHandler): Steps<boolean> {
    const { without } = this.#options;
    if (without.includes(handler.name) || without.includes(handler.compatible)) return false;
    return (yield* this.luo.register(handler)) === 0;
  }

  // The kernel's own array of scratch areas; one that was handed over is used where it is.
  *#storeScratch(): Steps<void> {
    const { machine, kho } = this;
    if (kho.incoming !== null) return;
    const page = this.pages.alloc();
    if (page === null) return;
    for (const [index, { addr, size }] of kho.scratch.entries()) machine.writeStruct(khoScratch, page + index * sizeOf(khoScratch), { addr, size });
    yield machine.event('kho', 'write kho_scratch', { address: page, areas: kho.scratch.length });
  }

  /** delete_module(2) of vfio-pci. @returns 0, ENOENT (no such module), or EAGAIN where a file of it is open or LUO holds one */
  *removeVfioPci(): Steps<number> {
    const { pci, luo } = this;
    if (pci === null) return negative('ENOENT');
    const error = pci.vfio.inUse || luo.uses(pci.handler) ? negative('EAGAIN') : 0;
    if (error === 0) {
      luo.unregister(pci.handler);
      yield* pci.vfio.remove();
    }
    yield this.machine.event('kernel', 'delete_module', { module: pci.handler.name }, error);
    return error;
  }

  /** kexec_file_load, or kexec_load, whose image is told nothing of a handover. @returns 0 or a negative errno */
  *kexecLoad(withHandover = true): Steps<number> {
    yield this.machine.enter('kernel', withHandover ? 'kexec_file_load' : 'kexec_load');
    const image = yield* loadImage(this, withHandover);
    if (image !== null) this.image = image;
    const result = image === null ? negative('ENOMEM') : 0;
    yield this.machine.exit(result);
    return result;
  }
}

/** kexec-metadata: which kernel jumped, and how often. Source: abi/kexec-metadata; kernel/liveupdate/kexec_handover.c, 7.1.13 to 7.3.4. */
const SUBTREE = 'kexec-metadata';
const VERSION = 1;

/** Says where this kernel came from, and leaves word for the next one. Nothing that goes wrong here stops a boot. */
function* exchangeMetadata(kho: Kho): Steps<void> {
  // A u32 of the kernel's: it wraps.
  const count = ((yield* readMetadata(kho)) + 1) % 2 ** 32;
  const { machine } = kho;
  const size = sizeOf(khoKexecMetadata);
  const address = yield* kho.allocPreserve(size);
  if (address < 0) return;
  machine.writeStruct(khoKexecMetadata, address, { version: VERSION, previous_release: kho.spec.uname, kexec_count: count });
  yield machine.event('kho', 'write kho_kexec_metadata', { address, count });
  yield* kho.addSubtree(SUBTREE, address, size);
}

function* readMetadata(kho: Kho): Steps<number> {
  const { machine } = kho;
  const blob = yield* kho.retrieveSubtree(SUBTREE);
  if (typeof blob === 'number') return 0;
  if (blob.size < sizeOf(khoKexecMetadata)) {
    yield machine.printk(`KHO: kexec-metadata blob too small (${blob.size} bytes)`, 'next-kernel');
    return 0;
  }
  const { version, previous_release, kexec_count } = machine.readStruct(khoKexecMetadata, blob.address);
  if (version !== VERSION) {
    yield machine.printk(`KHO: kexec-metadata version ${version} not supported (expected ${VERSION})`, 'next-kernel');
    return 0;
  }
  yield machine.printk(`KHO: exec from: ${previous_release.text} (count ${kexec_count})`, 'next-kernel');
  return kexec_count;
}
