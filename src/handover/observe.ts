/**
 * What the decoder stumbled over, as facts: which kind, where, with which values. The rules of `src/diagnosis` turn them
 * into findings; the decoder itself judges nothing.
 */
import type { Node } from '../tree/node.js';

export type ObservationKind =
  | 'fdt-invalid'
  | 'fdt-missing'
  | 'fdt-oversized'
  | 'kho-unknown-version'
  | 'kho-compatible'
  | 'kho-property'
  | 'map-pointer'
  | 'subtree-property'
  | 'subtree-missing'
  | 'subtree-size'
  | 'map-none'
  | 'map-missing'
  | 'map-reused'
  | 'map-node'
  | 'map-key'
  | 'map-ambiguous'
  | 'scratch-missing'
  | 'scratch-empty'
  | 'scratch-implausible'
  | 'layout-unknown'
  | 'layout-changed'
  | 'layout-incomplete'
  | 'luo-missing'
  | 'luo-reused'
  | 'luo-unknown-version'
  | 'luo-too-small'
  | 'luo-fdt'
  | 'luo-not-serialised'
  | 'block-missing'
  | 'block-pointer'
  | 'block-cycle'
  | 'block-count'
  | 'block-limit'
  | 'session-name'
  | 'session-duplicate'
  | 'file-count'
  | 'file-token-duplicate'
  | 'file-compatible'
  | 'files-missing'
  | 'handler-unknown'
  | 'data-pointer'
  | 'data-missing'
  | 'data-reused'
  | 'data-shared'
  | 'flb-missing'
  | 'flb-count'
  | 'flb-unknown'
  | 'vmalloc-missing'
  | 'vmalloc-pointer'
  | 'vmalloc-cycle'
  | 'vmalloc-count'
  | 'vmalloc-order'
  | 'vmalloc-flags'
  | 'memfd-flags'
  | 'memfd-seals'
  | 'memfd-count'
  | 'memfd-folio'
  | 'memfd-size'
  | 'memfd-lengths-inferred'
  | 'memblock'
  | 'kexec-metadata'
  | 'device'
  | 'kho-test'
  | 'hwpoison';

export interface Observation {
  readonly kind: ObservationKind;
  /** the node it is about */
  readonly node: Node;
  /** physical address of the field or structure */
  readonly at: number | null;
  /** a sentence naming the evidence: value, what was expected */
  readonly text: string;
  /** was the thing wrong, or merely not there to be judged (`absent`), or taken by somebody else since (`reused`)? */
  readonly nature: 'wrong' | 'absent' | 'reused' | 'note';
}

/** More than this of one kind in one handover says nothing new. */
const MAX_PER_KIND = 64;

export class Observations {
  readonly all: Observation[] = [];
  readonly #counts = new Map<ObservationKind, number>();

  add(kind: ObservationKind, node: Node, text: string, nature: Observation['nature'] = 'wrong', at: number | null = node.address): void {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    if (count <= MAX_PER_KIND) this.all.push({ kind, node, at, text, nature });
    if (nature === 'wrong') node.mark('invalid', text);
    else if (nature === 'reused') node.mark('reused', text);
  }

  /** How many of a kind there were, those not kept included. */
  count(kind: ObservationKind): number {
    return this.#counts.get(kind) ?? 0;
  }
}
