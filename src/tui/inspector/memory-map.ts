/** Physical memory as a map: what each cell's share of it is used for. Pure; counted once for a part of memory and a number of cells. */
import type { AddressIndex } from '../../address/address-index.js';
import type { Handover } from '../../handover/decode.js';
import { allReferences } from '../../handover/luo.js';
import type { PhysicalMemory } from '../../memory/memory.js';
import type { Style } from '../model/text.js';

/** What a cell is mostly told as, most telling first. */
export const MAP_KINDS = [
  { kind: 'luo', sign: 'L', style: 'changed', words: 'structures of LUO: sessions, files, FLBs', short: 'LUO' },
  { kind: 'kho', sign: '#', style: 'title', words: 'structures of KHO: FDT, map, what subtrees point to', short: 'KHO' },
  { kind: 'file', sign: 'f', style: 'good', words: 'contents of preserved files', short: 'files' },
  { kind: 'reserved', sign: 'r', style: 'label', words: 'reserved by name (reserve_mem)', short: 'reserve_mem' },
  { kind: 'preserved', sign: '+', style: 'address', words: 'preserved, by nothing decoded here', short: 'preserved' },
  { kind: 'image', sign: 'k', style: 'name', words: 'kernel image', short: 'kernel' },
  { kind: 'scratch', sign: 's', style: 'type', words: 'scratch: the next kernel boots here', short: 'scratch' },
  { kind: 'present', sign: '.', style: 'plain', words: 'in this dump', short: 'in this dump' },
  { kind: 'excluded', sign: '-', style: 'dim', words: 'left out of this dump', short: 'left out' },
  { kind: 'absent', sign: ' ', style: 'plain', words: 'no memory', short: '' },
] as const satisfies readonly { kind: string; sign: string; style: Style; words: string; short: string }[];

type MapKind = (typeof MAP_KINDS)[number];

/** Maps kept: each costs a walk over all preserved blocks. */
const MOST_MADE = 8;

/** Preserved blocks looked at for one map. */
const MOST_BLOCKS = 1 << 20;

interface Range {
  readonly start: number;
  readonly end: number;
}

/** What a map is drawn of. */
interface Mapped {
  readonly memory: PhysicalMemory;
  readonly handovers: readonly Handover[];
  readonly addresses: () => AddressIndex;
  readonly image: Range | null;
}

export interface MapCells {
  readonly from: number;
  /** bytes of a cell */
  readonly unit: number;
  /** index into MAP_KINDS, a cell each */
  readonly kinds: Uint8Array;
  /** preserved blocks that were not looked at */
  readonly left: number;
}

const RANK = new Map(MAP_KINDS.map(({ kind }, index) => [kind, index]));
const rank = (kind: MapKind['kind']): number => RANK.get(kind) ?? MAP_KINDS.length - 1;

export class MemoryMap {
  readonly #memory: PhysicalMemory;
  readonly #handovers: readonly Handover[];
  readonly #addresses: () => AddressIndex;
  readonly #image: Range | null;
  /** the last few that were asked for: a pane has one size in focus and another out of it */
  readonly #made = new Map<string, MapCells>();

  /** @param image of the kernel; null where it is not known */
  constructor({ memory, handovers, addresses, image }: Mapped) {
    this.#memory = memory;
    this.#handovers = handovers;
    this.#addresses = addresses;
    this.#image = image;
  }

  /** The share of memory from `from` to `to` in `count` cells. */
  cells(from: number, to: number, count: number): MapCells {
    const { pageSize } = this.#memory;
    const unit = Math.max(pageSize, Math.ceil((to - from) / Math.max(1, count) / pageSize) * pageSize);
    const key = `${from} ${unit} ${count}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const kinds = new Uint8Array(count).fill(rank('absent'));
    const paint = (start: number, end: number, kind: MapKind['kind']): void => {
      const first = Math.max(0, Math.floor((start - from) / unit));
      const last = Math.min(count - 1, Math.floor((end - 1 - from) / unit));
      for (let cell = first; cell <= last; cell++) kinds[cell] = Math.min(kinds[cell] ?? 0, rank(kind));
    };
    for (const { start, end } of this.#memory.readable) paint(start, end, 'present');
    if (this.#image !== null) paint(this.#image.start, this.#image.end, 'image');
    for (const { start, end } of this.#addresses().folioPages()) paint(start, end, 'file');
    let left = 0;
    for (const handover of this.#handovers) {
      const { scratch, map, memblock } = handover;
      for (const { start, size } of memblock ?? []) paint(Number(start), Number(start + size), 'reserved');
      for (const { start, size } of scratch.areas ?? []) paint(start, start + size, 'scratch');
      let blocks = 0;
      if (map !== null)
        for (const { start, order } of map.blocks()) {
          if (++blocks > MOST_BLOCKS) break;
          paint(start, start + pageSize * 2 ** order, 'preserved');
        }
      left += Math.max(0, (map?.summary.blocks ?? 0) - MOST_BLOCKS);
      for (const page of map?.structurePages ?? []) paint(page, page + pageSize, 'kho');
      for (const { address, from } of allReferences(handover))
        paint(address, address + pageSize, from.path.startsWith(`${handover.path}/luo/`) ? 'luo' : 'kho');
    }
    // what no range covers is memory that was left out, or none at all: looked at in a few places of each cell
    const absent = rank('absent');
    for (let cell = 0; cell < count; cell++) {
      if (kinds[cell] !== absent) continue;
      const start = from + cell * unit;
      for (const at of [start, start + unit / 2, start + unit - pageSize])
        if (this.#memory.stateOf(Math.floor(at)) === 'excluded') kinds[cell] = rank('excluded');
    }
    const cells = { from, unit, kinds, left };
    const [oldest] = this.#made.keys();
    if (this.#made.size >= MOST_MADE && oldest !== undefined) this.#made.delete(oldest);
    this.#made.set(key, cells);
    return cells;
  }
}
