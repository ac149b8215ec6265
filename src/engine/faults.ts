/**
 * Faults: the places where a run can be made to go wrong, counted as the run passes them. `explore` reads the counts of a run
 * without faults to know which faults there are.
 */
import { ERRNO, type ErrnoName } from '../../abi/errno.js';
import type { Fault, HandlerCallback, PciFault } from './scenario/types.js';

/** A place that a run passed, with how often. */
interface FaultPoint {
  /** as a scenario writes it in `at` */
  readonly at: string;
  readonly count: number;
}

export const negative = (name: ErrnoName): number => -ERRNO[name];

export class FaultPlan {
  readonly #faults: readonly Fault[];
  readonly #counts = new Map<string, number>();

  #struck: string | null = null;

  constructor(faults: readonly Fault[]) {
    this.#faults = faults;
  }

  /** The fault that struck since this was last asked, in words; null for none. */
  struck(): string | null {
    const struck = this.#struck;
    this.#struck = null;
    return struck;
  }

  /** Notes which fault strikes. @returns the negative errno it answers with */
  #strike(at: string, nth: number, errno: ErrnoName): number {
    this.#struck = `${at}, time ${nth}: the scenario injects ${errno}`;
    return negative(errno);
  }

  get faults(): readonly Fault[] {
    return this.#faults;
  }

  /** Every point passed so far. */
  points(): readonly FaultPoint[] {
    return [...this.#counts].map(([at, count]) => ({ at, count }));
  }

  /** Counts one more passing of `at`. @returns which one it is, from 1 */
  #pass(at: string): number {
    const count = (this.#counts.get(at) ?? 0) + 1;
    this.#counts.set(at, count);
    return count;
  }

  /**
   * A handler's callback is about to run.
   * @param names what a scenario may call the handler: its short name and its compatible string
   * @returns the negative errno it must answer, or 0
   */
  callback(names: readonly string[], callback: HandlerCallback): number {
    const nth = this.#pass(`${names[0] ?? ''}.${callback}`);
    for (const fault of this.#faults) {
      if (fault.kind === 'callback' && names.includes(fault.handler) && fault.callback === callback && fault.nth === nth)
        return this.#strike(`${names[0] ?? ''}.${callback}`, nth, fault.errno);
    }
    return 0;
  }

  /** An FLB's callback is about to run. @returns the negative errno it must answer, or 0 */
  flb(flb: string, callback: 'preserve' | 'retrieve'): number {
    const all = this.#pass(`flb.${callback}`);
    const one = this.#pass(`flb.${callback} ${flb}`);
    for (const fault of this.#faults) {
      if (fault.kind !== 'flb' || fault.callback !== callback) continue;
      if (fault.flb === null ? fault.nth === all : fault.flb === flb && fault.nth === one)
        return this.#strike(`flb.${callback} ${flb}`, fault.nth, fault.errno);
    }
    return 0;
  }

  /** A call of the kernel itself. @returns the negative errno it must answer, or 0 */
  call(kind: 'alloc' | 'kho.preserve' | 'kho.restore' | 'kexec.jump'): number {
    const nth = this.#pass(kind);
    for (const fault of this.#faults) if (fault.kind === kind && fault.nth === nth) return this.#strike(kind, nth, fault.errno);
    return 0;
  }

  /** Does this kho_preserve forget to preserve? */
  forgets(): boolean {
    const nth = this.#pass('kho.forget');
    const forgets = this.#faults.some((fault) => fault.kind === 'kho.forget' && fault.nth === nth);
    if (forgets) this.#struck = `kho.forget, time ${nth}: the scenario makes the kernel forget this page`;
    return forgets;
  }

  /** Is the lock held by somebody else? */
  lockHeld(lock: 'device' | 'bridge' | 'dev_set', device: string): boolean {
    const nth = this.#pass(`lock.${lock} ${device}`);
    const held = this.#faults.some((fault) => fault.kind === 'lock' && fault.lock === lock && fault.device === device && nth >= fault.nth);
    if (held) this.#struck = `lock.${lock} ${device}, time ${nth}: the scenario has somebody else hold the lock`;
    return held;
  }

  /** A call of the PCI core. @returns the negative errno it must answer, or 0 */
  pci(kind: PciFault['kind'], device: string): number {
    const all = this.#pass(kind);
    const one = this.#pass(`${kind} ${device}`);
    for (const fault of this.#faults) {
      if (fault.kind !== kind) continue;
      if (fault.device === null ? fault.nth === all : fault.device === device && fault.nth === one)
        return this.#strike(`${kind} ${device}`, fault.nth, fault.errno);
    }
    return 0;
  }
}
