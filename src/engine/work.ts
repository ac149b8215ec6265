/** What one run of the engine may cost, whatever the scenario or the dump says: steps of its trace, and bytes written. */
import { type Budget, currentBudget } from '../codec/budget.js';
import { type LimitName, limits } from '../codec/limits.js';

/** A limit of the command ended the run: what would have come after it is not known. */
export class WorkError extends Error {
  override readonly name = 'WorkError';

  constructor(limit: LimitName, allowed: number) {
    super(`the run took more than ${allowed} ${limits[limit].unit} (${limits[limit].counts}); --limit ${limit}=${allowed * 8} goes on`);
  }
}

/** Pages of a map that may be walked once more: a pointer or two may be damaged. */
const MOST_AGAIN = 16;
/** Pieces of the table of blocks for each page of the map: a page of single pages fills 16, and such maps are half of what may be. */
const KEPT_A_PAGE = 8;

export class Work {
  readonly #budget: Budget = currentBudget();
  #steps: number;
  #bytes: number;
  #blocks: number;
  #pages: number;
  #kept: number;
  #looks: number;
  #again: number;
  readonly #seen = new Set<number>();

  constructor() {
    this.#steps = this.#budget.allowed('engine-steps');
    this.#bytes = this.#budget.allowed('engine-bytes');
    this.#blocks = this.#budget.allowed('engine-blocks');
    this.#pages = this.#budget.allowed('engine-map-pages');
    this.#kept = this.#pages * KEPT_A_PAGE;
    this.#looks = this.#budget.allowed('engine-looks');
    this.#again = MOST_AGAIN;
  }

  /** A step of the trace. @throws WorkError, once: what tells of the end are steps too */
  step(): void {
    if (this.#steps-- === 0) this.#end('engine-steps');
  }

  /** Bytes written to memory. @throws WorkError, once */
  write(bytes: number): void {
    if (this.#bytes < 0) return;
    this.#bytes -= bytes;
    if (this.#bytes < 0) this.#end('engine-bytes');
  }

  /** A block of memory that the kernel allocates. @throws WorkError, once */
  allocate(): void {
    if (this.#blocks-- === 0) this.#end('engine-blocks');
  }

  /** A page of the preserved map that is walked: a map that a kernel wrote has each page once. @throws WorkError, once */
  walk(page: number): void {
    if (this.#pages-- === 0 || (this.#seen.has(page) && this.#again-- === 0)) this.#end('engine-map-pages');
    this.#seen.add(page);
  }

  /** A piece of the table of preserved blocks, 2048 pages wide. @throws WorkError, once */
  keep(): void {
    if (this.#kept-- === 0) this.#end('engine-map-pages');
  }

  /** Things that a step goes through and writes nothing of. @throws WorkError, once */
  look(things: number): void {
    if (this.#looks < 0) return;
    this.#looks -= things;
    if (this.#looks < 0) this.#end('engine-looks');
  }

  /** What the run has cost so far, in steps; writing 256 bytes takes as long as one. */
  get spent(): number {
    return this.#budget.allowed('engine-steps') - this.#steps + (this.#budget.allowed('engine-bytes') - this.#bytes) / 256;
  }

  #end(limit: LimitName): never {
    this.#budget.reach(limit, 'the run of the engine');
    throw new WorkError(limit, this.#budget.allowed(limit));
  }
}
