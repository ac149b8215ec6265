/** What became of one preserved file: its handler, its description, its folios, its contents; a device by its address. */
import { canLeadTo, caretakerStates } from '../../../abi/kvm-vcpu/caretaker.js';
import { sealNames } from '../../../abi/memfd/v2.js';
import type { LuoFile } from '../luo.js';
import { flagsText, formatBytes, hex } from '../../tree/words.js';
import type { Folio } from '../folio-columns.js';
import type { Memfd } from '../memfd.js';
import type { Payload } from '../payload.js';
import { integer, pciAddress } from '../pci.js';
import { type Difference, type Kept, tell } from './difference.js';
import { type ContentSide, compareContents } from './same-contents.js';

export interface Sides {
  readonly before: ContentSide;
  readonly after: ContentSide;
}

/** Adds what differs to `out`, and what does not to `kept`. */
export function compareFile(name: string, before: LuoFile, after: LuoFile, memory: Sides, out: Difference[], kept: Kept): void {
  const add = (change: Difference['change'], what: Difference['what'], text: string): void => {
    tell(out, change, what, name, text, before.path, after.path);
  };
  const count = out.length;
  if (before.compatible.text !== after.compatible.text) {
    add('changed', 'file', `its handler was ${JSON.stringify(before.compatible.text)}, and is ${JSON.stringify(after.compatible.text)}`);
    return;
  }
  const [a, b] = [before.decoded, after.decoded];
  if (a === null || b === null) {
    if (before.data !== after.data) add('changed', 'file', `its data was ${hex(before.data)}, and is ${hex(after.data)}`);
    else if ((a === null) !== (b === null)) add('unknown', 'file', `its description can't be read in the dump ${a === null ? 'before' : 'after'}`);
  } else if (a.kind === 'memfd' && b.kind === 'memfd') {
    const { differences, sameContents } = memfdsCompared(a, b, memory);
    for (const { change, what, text } of differences) add(change, what, text);
    if (sameContents) kept.contents++;
  } else {
    compareDevice(a, b, add, kept);
    compareCaretaker(a, b, add);
  }
  if (out.length === count) kept.files++;
}

type Add = (change: Difference['change'], what: Difference['what'], text: string) => void;

interface MemfdsCompared {
  readonly differences: readonly Pick<Difference, 'change' | 'what' | 'text'>[];
  readonly sameContents: boolean;
}

const compared = new WeakMap<Memfd, WeakMap<Memfd, MemfdsCompared>>();

/** Compares two memfds once, however many files lead to them. */
function memfdsCompared(before: Memfd, after: Memfd, memory: Sides): MemfdsCompared {
  const known = compared.get(before) ?? new WeakMap<Memfd, MemfdsCompared>();
  compared.set(before, known);
  const result = known.get(after) ?? compareMemfd(before, after, memory);
  known.set(after, result);
  return result;
}

function compareMemfd(before: Memfd, after: Memfd, memory: Sides): MemfdsCompared {
  const differences: Pick<Difference, 'change' | 'what' | 'text'>[] = [];
  const add: Add = (change, what, text) => differences.push({ change, what, text });
  const seals = (memfd: Memfd): string => (memfd.seals === null ? 'not told' : flagsText(memfd.seals, sealNames));
  if (before.size !== after.size) add('changed', 'file', `its size was ${before.size} bytes, and is ${after.size}`);
  if (before.pos !== after.pos) add('changed', 'file', `its position was ${before.pos}, and is ${after.pos}`);
  if (before.seals !== after.seals) add('changed', 'file', `its seals were ${seals(before)}, and are ${seals(after)}`);
  if (before.flags !== after.flags && before.flags !== null && after.flags !== null)
    add('changed', 'file', `its flags were ${hex(before.flags ?? 0)}, and are ${hex(after.flags ?? 0)}`);
  // The page cache of a running kernel has no table: folios there come and go while their pages stay.
  if (before.cut === undefined && after.cut === undefined) {
    if (before.folioCount !== after.folioCount) add('changed', 'file', `it had ${before.folioCount} folios, and has ${after.folioCount}`);
    compareFolios(before, after, add);
  }
  const verdict = compareContents(before, memory.before, after, memory.after);
  if (verdict.different > 0) add('changed', 'contents', `${verdict.different} pages differ, the first at offset ${verdict.firstDifference}`);
  else if (verdict.unknown > 0)
    add('unknown', 'contents', `${verdict.unknown} of its pages are not in both dumps (${verdict.why}); ${verdict.same} are the same`);
  return { differences, sameContents: verdict.different === 0 && verdict.unknown === 0 };
}

function compareFolios(before: Memfd, after: Memfd, add: Add): void {
  const place = (folio: Folio): string => `page ${folio.index} at pfn ${hex(folio.pfn)} (${flagsText(folio.flags, before.flagNames)})`;
  const others = after.entries()[Symbol.iterator]();
  let different = 0;
  let first = '';
  for (const folio of before.entries()) {
    const next = others.next();
    if (next.done === true) return;
    const { value } = next;
    if (value.pfn === folio.pfn && value.index === folio.index && value.flags === folio.flags) continue;
    if (different++ === 0) first = `entry ${folio.entry} was ${place(folio)}, and is ${place(value)}`;
  }
  if (different > 0) add('changed', 'file', `${different} entries of its folio table differ: ${first}`);
}

function compareDevice(before: Payload, after: Payload, add: Add, kept: Kept): void {
  const [a, b] = [deviceOf(before), deviceOf(after)];
  if (a === null || b === null) return;
  if (a === b) kept.devices++;
  else add('changed', 'device', `it was device ${a}, and is ${b}`);
}

/** A vCPU's caretaker, where both dumps have its control block: any number of steps may have been taken between them. */
function compareCaretaker(before: Payload, after: Payload, add: Add): void {
  const [a, b] = [caretakerStateOf(before), caretakerStateOf(after)];
  if (a === null || b === null || a === b) return;
  const name = (value: number): string => caretakerStates.find((state) => state.value === value)?.name ?? `${value}`;
  const text = `the state of its caretaker was ${name(a)}, and is ${name(b)}`;
  if (!canLeadTo(a, b)) add('changed', 'file', `${text}, which no step leads to`);
}

function caretakerStateOf(payload: Payload): number | null {
  if (payload.kind !== 'struct') return null;
  const block = payload.node.children().find(({ name }) => name === 'kvm_caretaker_cb_ser');
  const value = block?.children().find(({ name }) => name === 'state')?.value ?? null;
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : null;
}

function deviceOf(payload: Payload): string | null {
  if (payload.kind !== 'struct' || payload.reading.values === null) return null;
  const bdf = integer(payload.reading.values, 'bdf');
  return bdf === null ? null : pciAddress(Number(integer(payload.reading.values, 'domain') ?? 0n), Number(bdf));
}

/** What a lost or new file held, in words. */
export function fileText(file: LuoFile): string {
  const { decoded } = file;
  if (decoded?.kind === 'memfd') return `${file.compatible.text}, ${formatBytes(decoded.size)}`;
  const device = decoded === null ? null : deviceOf(decoded);
  return device === null ? file.compatible.text : `${file.compatible.text}, device ${device}`;
}
