/** Every block start that the decoded handover uses, as far as it could be read: structures, areas, folios. Lazily. */
import type { Subject } from '../subject.js';

/** [physical address, order it needs or null, what stands there] */
export type Referenced = readonly [address: number, order: number | null, what: string];

/** At most `limits.items` of them; folios in table order. */
export function* referencedStarts(subject: Subject): Iterable<Referenced> {
  let left = subject.limits.items;
  for (const { address, order, what } of subject.handover.references) {
    if (left-- <= 0) return;
    yield [address, order, what];
  }
  const { pageSize } = subject.dump.memory;
  for (const session of subject.handover.luo?.sessions ?? []) {
    for (const file of session.files) {
      if (file.decoded?.kind !== 'memfd') continue;
      for (const folio of file.decoded.folios()) {
        if (left-- <= 0) return;
        yield [folio.pfn * pageSize, null, 'folio'];
      }
    }
  }
}
