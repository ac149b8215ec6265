/**
 * Dumps that makedumpfile --split wrote as several files: each has the pages of a part of memory. The others are looked for in the same
 * folder, by what their headers say, never by their names. Source: makedumpfile 1.7.2, IMPLEMENTATION and write_kdump_header().
 */
import { readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { UserError } from '../codec/user-error.js';
import type { MemoryRange, PageState, PhysicalMemory } from '../memory/memory.js';
import type { DumpContents, DumpPart } from './opened-dump.js';

/** Files of a folder that are looked at. */
const MOST_FILES = 256;

export interface OpenPart {
  readonly path: string;
  readonly contents: DumpContents;
  close(): void;
}

/**
 * The whole of which `first` is a part, as far as it is there. `open` opens a file as a kdump, or gives null where it is not one, or by its
 * headers none that is wanted: bitmaps are read of parts that share no page frame, so in total once over the machine's frames.
 * @returns the dump, and what closes the other files
 */
export async function joinParts(
  path: string,
  first: DumpContents,
  part: DumpPart,
  open: (path: string, isWanted: (part: DumpPart) => boolean) => Promise<OpenPart | null>,
): Promise<{ readonly contents: DumpContents; close(): void }> {
  const parts: { readonly name: string; readonly part: DumpPart; readonly memory: PhysicalMemory; readonly bytes: number }[] = [
    { name: path, part, memory: first.memory, bytes: first.bytes },
  ];
  const opened: OpenPart[] = [];
  const close = (): void => {
    for (const other of opened) other.close();
  };
  try {
    for (const name of readdirSync(dirname(resolve(path)))
      .sort()
      .slice(0, MOST_FILES)) {
      const beside = join(dirname(path), name);
      if (resolve(beside) === resolve(path) || statSync(beside, { throwIfNoEntry: false })?.isFile() !== true) continue;
      const other = await open(
        beside,
        ({ key, start, end }) => key === part.key && start < end && !parts.some((one) => one.part.start < end && start < one.part.end),
      );
      const found = other?.contents.part;
      if (other === null || found === undefined) continue;
      opened.push(other);
      parts.push({ name: beside, part: found, memory: other.contents.memory, bytes: other.contents.bytes });
    }
  } catch (error) {
    close();
    throw error instanceof UserError ? error : new UserError(`${path}: the folder of this part of a split dump can't be read; put all parts into one folder`);
  }
  parts.sort((a, b) => a.part.start - b.part.start);
  const gaps = missing(
    parts.map((one) => one.part),
    part.frames,
  );
  const { pageSize } = first.memory;
  const whole =
    gaps.length === 0
      ? 'all parts are there'
      : `MISSING are page frames ${gaps.map(({ start, end }) => `0x${start.toString(16)} to 0x${end.toString(16)}`).join(', ')}`;
  return {
    close,
    contents: {
      ...first,
      bytes: parts.reduce((sum, one) => sum + one.bytes, 0),
      memory: joinedMemory(
        parts.map(({ part: { start, end }, memory }) => ({ start: start * pageSize, end: end * pageSize, memory })),
        pageSize,
      ),
      evidence: [
        ...first.evidence,
        `a dump in ${parts.length} files of this folder (makedumpfile --split): ${parts.map(({ name }) => name).join(', ')}; ${whole}`,
      ],
    },
  };
}

function missing(parts: readonly DumpPart[], frames: number): readonly MemoryRange[] {
  const gaps: MemoryRange[] = [];
  let at = 0;
  for (const { start, end } of parts) {
    if (start > at) gaps.push({ start: at, end: start });
    at = Math.max(at, end);
  }
  if (at < frames) gaps.push({ start: at, end: frames });
  return gaps;
}

interface Placed extends MemoryRange {
  readonly memory: PhysicalMemory;
}

/** Each address by the part it belongs to; an address of no part by the first, whose bitmap says which frames the machine has. */
function joinedMemory(parts: readonly Placed[], pageSize: number): PhysicalMemory {
  const partOf = (address: number): Placed | undefined => parts.find(({ start, end }) => address >= start && address < end);
  const stateOf = (address: number): PageState => (partOf(address) ?? parts[0])?.memory.stateOf(address) ?? 'out-of-range';
  return {
    pageSize,
    get readable() {
      return parts.flatMap(({ memory }) => memory.readable);
    },
    get searchable() {
      return parts.flatMap(({ memory }) => memory.searchable ?? memory.readable);
    },
    stateOf,
    readInto(address, length, target, targetOffset = 0) {
      let done = 0;
      while (done < length) {
        const part = partOf(address + done);
        if (part === undefined) break;
        const wanted = Math.min(length - done, part.end - address - done);
        const got = part.memory.readInto(address + done, wanted, target, targetOffset + done);
        done += got;
        if (got < wanted) break;
      }
      return done;
    },
  };
}
