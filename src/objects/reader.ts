/** What every part of the walk over objects needs: the kernel, and where to put what could not be read. */
import type { CStringValue } from '../../abi/layout.js';
import { toCString } from '../codec/decode.js';
import { KernelFault } from '../kernel/fault.js';
import type { Kernel } from '../kernel/kernel.js';
import type { KernelObject } from '../kernel/object.js';
import type { Trouble } from './model.js';
import { kernelLimits } from '../kernel/limits.js';

/** Troubles that are listed; a damaged dump has one for every object. */
const MAX_TROUBLES = kernelLimits.troubles.value;

export class Reader {
  readonly kernel: Kernel;
  readonly troubles: Trouble[] = [];

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** What `read` gives, or null with the reason among the troubles. */
  attempt<T>(what: string, read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      this.note(what, error);
      return null;
    }
  }

  /** @throws what is no fault of the dump */
  note(what: string, error: unknown): void {
    if (!(error instanceof KernelFault)) throw error;
    this.tell({ what, why: error.message, page: error.page });
  }

  tell(trouble: Trouble): void {
    if (this.troubles.length < MAX_TROUBLES) this.troubles.push(trouble);
  }

  /** Walks a list; false where it could not be walked to its end. */
  walk(what: string, entries: () => Iterable<KernelObject>, visit: (object: KernelObject) => void): boolean {
    try {
      for (const object of entries()) visit(object);
      return true;
    } catch (error) {
      this.note(what, error);
      return false;
    }
  }
}

/** A fixed array of characters, as the serialised form's names are told. */
export const cstringOf = (object: KernelObject): CStringValue => toCString(object.bytes());
