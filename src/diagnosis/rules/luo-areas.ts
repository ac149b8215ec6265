/** The areas of 6.19 to 7.1, where a count elsewhere says how many entries stand behind each other: what the count hides, or invents. */
import { filePages, luoSessionHeaderSer, sessionPages } from '../../../abi/luo/areas.js';
import { luoFileSer, luoSessionSer } from '../../../abi/luo/entries.js';
import { sizeOf } from '../../codec/layout-table.js';
import type { TreeNode } from '../../tree/tree.js';
import { physicalAddress, readBytes } from '../../memory/memory.js';
import { type Hit, hit } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

/** An area of 6.19 to 7.1: entries behind each other, counted elsewhere. */
interface Counted {
  readonly count: TreeNode;
  readonly value: bigint;
  readonly what: 'session' | 'file';
  /** physical address of the first entry, and of the area's end */
  readonly first: number;
  readonly end: number;
  readonly size: number;
}

function* countedAreas(subject: Subject): Iterable<Counted> {
  const { luo } = subject.handover;
  const { pageSize } = subject.dump.memory;
  const group = luo?.node.children().find((child) => child.name === 'sessions');
  const header = group?.children().find((child) => child.layout?.struct.name === luoSessionHeaderSer.name);
  const count = header?.children().find((child) => child.name === 'count');
  if (luo === null || header?.address == null || typeof count?.value !== 'bigint' || !isIntact(subject)) return;
  // Until the reboot the count is 0, whatever an aborted freeze left behind it.
  if (!luo.notSerialised || subject.moment === 'early') {
    const first = header.address + sizeOf(luoSessionHeaderSer);
    yield { count, value: count.value, what: 'session', first, end: header.address + sessionPages.pages * pageSize, size: sizeOf(luoSessionSer) };
  }
  for (const session of luo.sessions ?? []) {
    const set = session.reading.values?.file_set_ser;
    const first = set === undefined ? null : physicalAddress(set.files);
    if (set === undefined || first === null || first === 0) continue;
    yield {
      count: session.reading.field('file_set_ser.count'),
      value: set.count,
      what: 'file',
      first,
      end: first + filePages.pages * pageSize,
      size: sizeOf(luoFileSer),
    };
  }
}

/** Is entry `index` written? null where it lies outside the area, or is not in the dump. */
function isWritten(subject: Subject, { first, end, size }: Counted, index: bigint): boolean | null {
  const at = first + Number(index) * size;
  if (index < 0n || at + size > end) return null;
  const read = readBytes(subject.dump.memory, at, size);
  return read.ok ? read.bytes.some((byte) => byte !== 0) : null;
}

/** An entry stands behind the last that the count admits. */
export function* hiddenInAreas(subject: Subject): Iterable<Hit> {
  for (const area of countedAreas(subject)) {
    if (isWritten(subject, area, area.value) === true) yield hit(area.count, `count is ${area.value}, but a ${area.what} stands right behind the last`);
  }
}

/** The last entry that the count admits was never written. */
export function* emptyInAreas(subject: Subject): Iterable<Hit> {
  for (const area of countedAreas(subject)) {
    if (area.value > 0n && isWritten(subject, area, area.value - 1n) === false)
      yield hit(area.count, `count is ${area.value}, but the last ${area.what} of these is all zeros`);
  }
}
