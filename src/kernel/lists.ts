/** The kernel's linked lists: `list_head` rings and `hlist` chains, with guards against cycles and damage. Source: include/linux/list.h, 7.3. */
import { KernelFault, hexOf } from './fault.js';
import type { KernelObject } from './object.js';
import { kernelLimits } from './limits.js';

/** Longer lists than this no kernel has of what is walked here. */
const MAX_ENTRIES = kernelLimits.listEntries.value;

/**
 * The entries of the list that `head` (a list_head) starts: objects of `type`, linked by their member `member`.
 * What comes before a damaged link is yielded. @throws KernelFault at the damaged link
 */
export function* listEntries(head: KernelObject, type: string, member: string): Generator<KernelObject> {
  for (const link of links(head, head.address)) yield link.containerOf(type, member);
}

/** Is the list empty? A head that was never initialised (all zeros) is. */
function isListEmpty(head: KernelObject): boolean {
  const next = head.get('next').value();
  return next === head.address || next === 0n;
}

function* links(head: KernelObject, end: bigint): Generator<KernelObject> {
  let previous = head;
  const seen = new Set<bigint>();
  if (isListEmpty(head)) return;
  for (let link = head.get('next').deref(); link.address !== end; link = link.get('next').deref()) {
    if (seen.has(link.address))
      throw new KernelFault('implausible', `the list at ${hexOf(head.address)} comes back to its entry at ${hexOf(link.address)} without its head`);
    if (seen.size >= MAX_ENTRIES) throw new KernelFault('limit', `the list at ${hexOf(head.address)} has more than ${MAX_ENTRIES} entries`);
    const back = link.get('prev').value();
    if (back !== previous.address)
      throw new KernelFault(
        'implausible',
        `the list at ${hexOf(head.address)} is damaged: the entry at ${hexOf(link.address)} follows ${hexOf(previous.address)}, but its prev is ${hexOf(back)}`,
      );
    seen.add(link.address);
    yield link;
    previous = link;
  }
}
