/** Configuration space of a simulated PCI function: bytes, read and written through the layouts of abi/pci/config-space.ts. */
import { PCI_CFG_SPACE_EXP_SIZE, PCI_CFG_SPACE_SIZE, pciHeader } from '../../../abi/pci/config-space.js';
import type { DecodedStruct, Struct } from '../../../abi/layout.js';
import { decodeStruct } from '../../codec/decode.js';
import { type EncodableStruct, encodeInto } from '../../codec/encode.js';
import { sizeOf } from '../../codec/layout-table.js';

/** The space holds no more: a longer list goes in a circle. */
const MOST_CAPABILITIES = 48;

export class ConfigSpace {
  readonly bytes = new Uint8Array(PCI_CFG_SPACE_EXP_SIZE);
  /** offset of each capability by its ID */
  readonly #capabilities = new Map<number, number>();

  /** Offset of the capability, or null where the function has none of that ID. */
  capability(id: number): number | null {
    return this.#capabilities.get(id) ?? null;
  }

  /** Adds a capability; they are walked in the order in which they were added. */
  addCapability<S extends Struct>(id: number, struct: S, offset: number, values: EncodableStruct<S>): void {
    encodeInto(struct, values, this.bytes, offset);
    this.#capabilities.set(id, offset);
  }

  /** Walks the list that the header begins: of each ID the first counts, as for pci_find_capability(). */
  findCapabilities(): void {
    this.#capabilities.clear();
    let at = this.read(pciHeader).capability_list & ~3;
    for (let hop = 0; hop < MOST_CAPABILITIES && at >= sizeOf(pciHeader) && at + 2 <= PCI_CFG_SPACE_SIZE; hop++) {
      const id = this.bytes[at] ?? 0;
      if (!this.#capabilities.has(id)) this.#capabilities.set(id, at);
      at = (this.bytes[at + 1] ?? 0) & ~3;
    }
  }

  read<S extends Struct>(struct: S, offset = 0): DecodedStruct<S> {
    return decodeStruct(struct, this.bytes, offset);
  }

  write<S extends Struct>(struct: S, values: EncodableStruct<S>, offset = 0): void {
    encodeInto(struct, values, this.bytes, offset);
  }

  /** A copy of all bytes: what pci_save_state keeps. */
  save(): Uint8Array {
    return this.bytes.slice();
  }

  restore(saved: Uint8Array): void {
    this.bytes.set(saved.subarray(0, this.bytes.length));
  }
}
