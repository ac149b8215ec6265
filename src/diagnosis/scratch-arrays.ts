/**
 * The scratch array a handover goes with: where its setup_data node says, once the jump has filled it; before that its copies in the image
 * loaded for kexec and the running kernel's own, which are known by their shape. Scratch never changes along a chain of kernels.
 */
import { khoScratch } from '../../abi/kho/scratch.js';
import { sizeOf } from '../codec/layout-table.js';
import type { Handover } from '../handover/decode.js';
import { type ScratchArea, scratchAreas } from '../handover/roles.js';
import { SCRATCH_UNIT } from '../handover/scan.js';
import { readBytes } from '../memory/memory.js';
import { type Subject, isIntact } from './subject.js';

interface ScratchArray {
  /** physical; null where it came from a file */
  readonly address: number | null;
  readonly areas: readonly ScratchArea[];
  /** filled, or a copy that waits for the jump */
  readonly isCopy: boolean;
}

/** Copies looked at; an image has one, the kernel its own. */
const MAX_COPIES = 64;

const known = new WeakMap<Handover, readonly ScratchArray[]>();

/** What is needed to look for them. */
type ScratchSubject = Pick<Subject, 'handover' | 'dump' | 'moment'>;

export function scratchArraysOf(subject: ScratchSubject): readonly ScratchArray[] {
  const before = known.get(subject.handover);
  if (before !== undefined) return before;
  const { areas, address, state } = subject.handover.scratch;
  const named = areas === null ? [] : [{ address, areas, isCopy: false }];
  const found = state === 'filled' || !isIntact(subject) ? named : [...named, ...copies(subject)];
  known.set(subject.handover, found);
  return found;
}

/** The areas: those that all arrays known agree on, else those that the running kernel was started with; null where neither is known. */
export function knownAreas(subject: Subject): readonly ScratchArea[] | null {
  const [first, ...others] = scratchArraysOf(subject);
  const key = JSON.stringify(first?.areas);
  if (first !== undefined && others.every(({ areas }) => JSON.stringify(areas) === key)) return first.areas;
  const incoming = subject.dump.handovers.find(({ role }) => role === 'incoming');
  return incoming === undefined || incoming === subject.handover ? null : incoming.scratch.areas;
}

function copies(subject: ScratchSubject): readonly ScratchArray[] {
  const { scratch, map, references } = subject.handover;
  const { memory, find } = subject.dump;
  if (scratch.size < 2 * sizeOf(khoScratch) || scratch.size > memory.pageSize) return [];
  const used = new Set([...(map?.structurePages ?? []), ...references.map(({ address }) => address), scratch.address]);
  const found: ScratchArray[] = [];
  for (const address of find.scratchArrays) {
    if (used.has(address) || found.length >= MAX_COPIES || map?.blockOf(address) != null) continue;
    const areas = scratchAreas(memory, address, scratch.size);
    const page = readBytes(memory, address, memory.pageSize);
    if (areas === null || !page.ok || page.bytes.subarray(scratch.size).some((byte) => byte !== 0)) continue;
    const last = memory.readable.at(-1)?.end ?? 0;
    const whole = areas.filter(({ start, size }) => start > 0 && size > 0 && start % SCRATCH_UNIT === 0 && size % SCRATCH_UNIT === 0 && start < last);
    // One entry may be damaged; the others are as the kernel makes them, apart from each other.
    if (whole.length < Math.max(2, areas.length - 1) || !areApart(whole, areas.length - 1)) continue;
    found.push({ address, areas, isCopy: true });
  }
  return found;
}

/** Are `count` of the areas, at least, apart from all others? */
function areApart(areas: readonly ScratchArea[], count: number): boolean {
  const crossing = areas.filter((area) =>
    areas.some((other) => other !== area && area.start < other.start + other.size && other.start < area.start + area.size),
  );
  return crossing.length <= 2 && areas.length - Math.floor(crossing.length / 2) >= count;
}
