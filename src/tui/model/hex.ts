/**
 * The rows of the hex pane: bytes at physical addresses, the selected node's bits marked, rows that repeat squeezed into one, and what
 * a page that is not there is called instead of made-up bytes. Pure, over `PhysicalMemory`.
 */
import { formatBytes, hex } from '../../tree/words.js';
import { errnoName, MAX_ERRNO } from '../../../abi/errno.js';
import { type PageState, type PhysicalMemory, describeState, findRange, isReadable, PHYSICAL_LIMIT } from '../../memory/memory.js';
import { type Line, type Span, type Style, line, span } from './text.js';
import { type BitSpan, bytesTouched, isPartial } from './value.js';

/** How memory is cut into rows: bytes a row, and the address whose row is always shown. */
export interface Grid {
  readonly memory: PhysicalMemory;
  readonly perRow: number;
  /** a row that is never squeezed: the cursor's; null for none */
  readonly keep: number | null;
}

/** Bytes a row holds in a pane of `width` columns, with addresses of `digits` digits: 4, 8, 16 or 32. */
export function bytesPerRow(width: number, digits: number): number {
  for (const count of [32, 16, 8]) if (digits + 2 + count * 4 <= width) return count;
  return 4;
}

/** Hex digits that all addresses of this memory fit in, at least 8. */
export function addressDigits(memory: PhysicalMemory): number {
  const last = memory.readable.at(-1)?.end ?? 0;
  return Math.max(8, last.toString(16).length);
}

/** First address that is not readable any more, or not yet readable, around a gap at `address`: [start, end). */
function gapAround(memory: PhysicalMemory, address: number): { readonly start: number; readonly end: number } {
  const { index } = findRange(memory.readable, address);
  return { start: memory.readable[index - 1]?.end ?? 0, end: memory.readable[index]?.start ?? PHYSICAL_LIMIT };
}

const alignDown = (address: number, unit: number): number => Math.floor(address / unit) * unit;

/** Start of the row of bytes that holds `address`, squeezed or not; a gap is one row. */
function plainStart({ memory, perRow }: Grid, address: number): number {
  if (!isReadable(memory, address)) return gapAround(memory, address).start;
  const aligned = alignDown(address, perRow);
  const { index } = findRange(memory.readable, address);
  return Math.max(aligned, memory.readable[index]?.start ?? aligned);
}

function plainNext({ memory, perRow }: Grid, start: number): number | null {
  if (!isReadable(memory, start)) {
    const { end } = gapAround(memory, start);
    return end >= PHYSICAL_LIMIT ? null : end;
  }
  const next = alignDown(start, perRow) + perRow;
  const { index } = findRange(memory.readable, start);
  const end = memory.readable[index]?.end ?? next;
  return Math.min(next, end);
}

/** Rows squeezed into one, at most, beside those that are known to be zeros. */
const MOST_SQUEEZED = 1 << 13;
const CHUNK = 4096;

/** Bytes of a whole row; null where it is not whole. */
function rowBytes({ memory, perRow }: Grid, start: number): Uint8Array | null {
  if (start < 0 || start % perRow !== 0) return null;
  const bytes = new Uint8Array(perRow);
  return memory.readInto(start, perRow, bytes) === perRow ? bytes : null;
}

/** Bytes read ahead; a grid is walked through by one caller at a time. */
const ahead = Buffer.alloc(CHUNK);

/** How many rows from `start` on (`by` 1) or up to it (-1) hold `bytes`, none of them the one that is kept. */
function sameRows(grid: Grid, start: number, bytes: Uint8Array, by: 1 | -1): number {
  const { memory, perRow, keep } = grid;
  const range = memory.readable[findRange(memory.readable, start).index];
  if (range === undefined || start < range.start) return 0;
  const kept = keep === null ? null : alignDown(keep, perRow);
  // whole rows of the range on this side of `start`, its own among them
  const there = by === 1 ? Math.floor((range.end - start) / perRow) : Math.floor((start - range.start) / perRow) + 1;
  const most = Math.min(there, kept === null ? there : rowsUntil(start, kept, perRow, by));
  const zeros = bytes.every((byte) => byte === 0);
  // most rows differ from the one before: one is read at first, then what is left of its page, or a chunk of that
  let rows = 1;
  let known = 0;
  for (let count = 0; count < Math.min(most, known + MOST_SQUEEZED); count += rows) {
    const row = start + by * count * perRow;
    const run = zeros ? (memory.zerosAround?.(row) ?? null) : null;
    if (run !== null) {
      rows = Math.max(1, Math.min(most - count, by === 1 ? Math.floor((run.end - row) / perRow) : (row - Math.max(run.start, range.start)) / perRow + 1));
      known += rows;
      continue;
    }
    const page = alignDown(row, memory.pageSize);
    const left = by === 1 ? Math.ceil((page + memory.pageSize - row) / perRow) : Math.floor((row - page) / perRow) + 1;
    rows = Math.max(1, Math.min(count === 0 ? 1 : Math.floor(CHUNK / perRow), left, most - count));
    if (zeros && memory.stateOf(row) === 'zero') continue;
    const size = rows * perRow;
    if (memory.readInto(by === 1 ? row : row - size + perRow, size, ahead) < size) return count;
    // the same as `bytes`, and each row as the one before it
    if (ahead.compare(bytes, 0, perRow, 0, perRow) === 0 && ahead.compare(ahead, perRow, size, 0, size - perRow) === 0) continue;
    let same = 0;
    for (let row = by === 1 ? 0 : rows - 1; ahead.compare(bytes, 0, perRow, row * perRow, (row + 1) * perRow) === 0; row += by) same++;
    return count + same;
  }
  return Math.max(0, Math.min(most, known + MOST_SQUEEZED));
}

/** Rows from `start` on before the kept one; all there are where it is on the other side. */
function rowsUntil(start: number, kept: number, perRow: number, by: 1 | -1): number {
  const distance = ((kept - start) / perRow) * by;
  return distance < 0 ? Number.POSITIVE_INFINITY : distance;
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Does the row at `start` only repeat the one before it, and how many rows from it on do? 0 where it is shown as it is. */
function repeatsAt(grid: Grid, start: number): number {
  const before = rowBytes(grid, start - grid.perRow);
  if (before === null) return 0;
  const count = sameRows(grid, start, before, 1);
  return count >= 2 ? count : 0;
}

/** Start of the row that shows `address`: of the squeezed row where it is in one. */
export function rowStart(grid: Grid, address: number): number {
  const start = plainStart(grid, address);
  const { memory, perRow, keep } = grid;
  if (!isReadable(memory, start) || (keep !== null && alignDown(keep, perRow) === start)) return start;
  const bytes = rowBytes(grid, start);
  const before = bytes === null ? null : rowBytes(grid, start - perRow);
  if (bytes === null || before === null || !equal(bytes, before)) return start;
  // rows above it that are the same; the first of them is shown, unless it is the kept row that stops the run
  const above = sameRows(grid, start - perRow, bytes, -1);
  const top = start - above * perRow;
  const first = rowBytes(grid, top - perRow);
  const squeezedFrom = first !== null && equal(bytes, first) ? top : top + perRow;
  return repeatsAt(grid, squeezedFrom) > 0 && squeezedFrom <= start ? squeezedFrom : start;
}

/** Start of the row after the one that starts at `start`; null at the end of memory. */
export function nextRow(grid: Grid, start: number): number | null {
  const repeats = isReadable(grid.memory, start) ? repeatsAt(grid, start) : 0;
  return repeats > 0 ? start + repeats * grid.perRow : plainNext(grid, start);
}

/** Start of the row before the one that starts at `start`; null at the start of memory. */
export function previousRow(grid: Grid, start: number): number | null {
  return start <= 0 ? null : rowStart(grid, start - 1);
}

/** `start` moved by `rows` rows, stopping at the ends of memory. */
export function moveRows(grid: Grid, start: number, rows: number): number {
  let at = start;
  for (let step = 0; step < Math.abs(rows); step++) {
    const next = rows > 0 ? nextRow(grid, at) : previousRow(grid, at);
    if (next === null) break;
    at = next;
  }
  return at;
}

/** Where the pane should start so that the selection is seen: unmoved where it is already. */
export function followSelection(grid: Grid, top: number, selection: BitSpan, height: number): number {
  const first = rowStart(grid, selection.address);
  const last = rowStart(grid, selection.address + bytesTouched(selection) - 1);
  const bottom = moveRows(grid, top, Math.max(0, height - 1));
  if (first >= top && last <= bottom) return top;
  return moveRows(grid, first, -Math.floor(height / 3));
}

interface HexOptions {
  /** rows to give, at most */
  readonly height: number;
  readonly digits: number;
  readonly selection: BitSpan | null;
  /** the byte under the cursor, where the pane has one */
  readonly cursor?: number | null;
  /** [start, end) of the fields beside the selected one: every other is told apart */
  readonly fields?: readonly { readonly start: number; readonly end: number }[];
  /** [start, end) of bytes that a step wrote; those that differ from `before` are marked with `*` */
  readonly changed?: readonly { readonly start: number; readonly end: number; readonly before?: Uint8Array }[];
  /** what pages that are not there are called; as for a dump unless given */
  readonly words?: (state: PageState) => string;
}

/** Rows from the row that starts at `top` on. */
export function hexRows(grid: Grid, top: number, options: HexOptions): Line[] {
  const { memory, perRow } = grid;
  const rows: Line[] = [];
  let at: number | null = top;
  while (at !== null && rows.length < options.height) {
    const repeats: number = isReadable(memory, at) ? repeatsAt(grid, at) : -1;
    if (repeats === -1) rows.push(...gapRows(memory, at, options));
    else if (repeats === 0) rows.push(byteRow(grid, at, options));
    else
      rows.push([
        span(at.toString(16).padStart(options.digits, '0'), 'zero'),
        span(` *  the same up to ${hex(at + repeats * perRow - 1)} (${repeats} rows)`, 'zero'),
      ]);
    at = repeats > 0 ? at + repeats * perRow : plainNext(grid, at);
  }
  return rows.slice(0, options.height);
}

function gapRows(memory: PhysicalMemory, at: number, options: HexOptions): Line[] {
  const { start, end } = gapAround(memory, at);
  const words = options.words ?? describeState;
  const first = words(memory.stateOf(start));
  const last = words(memory.stateOf(Math.max(start, end - 1)));
  const range = end >= PHYSICAL_LIMIT ? `${hex(start)} and above` : `${hex(start)}–${hex(end - 1)} (${formatBytes(end - start)})`;
  const rows = [line(`  ${range}: ${first === last ? first : `${first}, then ${last}`}`, 'dim')];
  const { selection } = options;
  if (selection !== null && selection.address >= start && selection.address < end) {
    rows.push(line(`[ ${hex(selection.address)}: ${words(memory.stateOf(selection.address))}`, 'selected'));
  }
  return rows;
}

function byteRow(grid: Grid, at: number, options: HexOptions): Line {
  const { memory, perRow } = grid;
  const { digits, selection, cursor = null } = options;
  const base = alignDown(at, perRow);
  const end = plainNext(grid, at) ?? base + perRow;
  const bytes = new Uint8Array(end - at);
  const got = memory.readInto(at, bytes.length, bytes);
  const from = selection?.address ?? -1;
  const to = selection === null ? -1 : from + bytesTouched(selection);
  const chosen = (address: number): boolean => address >= from && address < to;
  const spans: Span[] = [span(base.toString(16).padStart(digits, '0'), 'address'), span(' ')];
  const text: Span[] = [];
  for (let index = 0; index < perRow; index++) {
    const address = base + index;
    const there = address >= at && address < at + got;
    const byte = there ? (bytes[address - at] ?? 0) : null;
    // brackets around the selection, so that it is seen without colour; between its bytes it is one piece
    const open = chosen(address) && (address === from || index === 0);
    const close = !open && index > 0 && !chosen(address) && chosen(address - 1);
    const inside = index > 0 && chosen(address) && chosen(address - 1);
    const changed = byte !== null && hasChanged(options.changed ?? [], address, byte);
    const sign = open ? '[' : close ? ']' : address === cursor && cursor !== from ? '›' : changed ? '*' : index > 0 && index % 8 === 0 ? '·' : ' ';
    spans.push(span(sign, open || close || inside ? 'selected' : changed ? 'changed' : address === cursor ? 'focus' : 'dim'));
    const style = address === cursor ? 'cursor' : styleOf(byte, there && chosen(address), changed, isOddField(options.fields ?? [], address));
    spans.push(span(byte === null ? '  ' : byte.toString(16).padStart(2, '0'), style));
    text.push(span(byte === null ? ' ' : byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.', style));
  }
  spans.push(chosen(base + perRow - 1) ? span(']', 'selected') : span(' '));
  return [...spans, ...text];
}

function hasChanged(ranges: NonNullable<HexOptions['changed']>, address: number, byte: number): boolean {
  return ranges.some(({ start, end, before }) => address >= start && address < end && (before === undefined || before[address - start] !== byte));
}

/** Is the address in the second, fourth … of the fields? */
function isOddField(fields: NonNullable<HexOptions['fields']>, address: number): boolean {
  return fields.findIndex(({ start, end }) => address >= start && address < end) % 2 === 1;
}

function styleOf(byte: number | null, chosen: boolean, changed: boolean, odd: boolean): Style {
  if (chosen) return 'selected';
  if (changed) return 'changed';
  if (odd) return 'neighbour';
  if (byte === null || byte === 0) return 'zero';
  return byte >= 0x20 && byte < 0x7f ? 'ascii' : 'plain';
}

/** Other readings of the bytes at an address, as a list of name and value; fewer near the end of memory. */
export function readings(memory: PhysicalMemory, address: number): readonly (readonly [string, string])[] {
  const bytes = new Uint8Array(8);
  const got = memory.readInto(address, 8, bytes);
  const view = new DataView(bytes.buffer);
  const out: (readonly [string, string])[] = [];
  if (got >= 1) out.push(['u8', `${hex(view.getUint8(0))} ${view.getUint8(0)}${view.getInt8(0) < 0 ? ` (${view.getInt8(0)})` : ''}`]);
  if (got >= 2) out.push(['u16', `${hex(view.getUint16(0, true))} ${view.getUint16(0, true)}`], ['be16', hex(view.getUint16(0))]);
  if (got >= 4) {
    const value = view.getUint32(0, true);
    const signed = view.getInt32(0, true);
    out.push(['u32', `${hex(value)} ${value}`], ['be32', hex(view.getUint32(0))]);
    if (signed < 0) {
      const name = signed >= -MAX_ERRNO ? errnoName(-signed) : null;
      out.push(['s32', `${signed}${name === null ? '' : ` -${name}`}`]);
    }
    if (value > 0x3b9aca00 && value < 0xf0000000) out.push(['time', `${new Date(value * 1000).toISOString().slice(0, 19)}Z`]);
  }
  if (got >= 8) {
    const value = view.getBigUint64(0, true);
    out.push(['u64', `${hex(value)} ${value}`], ['be64', hex(view.getBigUint64(0))]);
    if (value >= 1n << 63n) out.push(['s64', String(view.getBigInt64(0, true))]);
    const { pageSize } = memory;
    if (value > 0n && value < BigInt(Math.floor(PHYSICAL_LIMIT / pageSize))) out.push(['pfn', `${hex(value * BigInt(pageSize))}`]);
  }
  return out;
}

/**
 * A selection that does not fill whole bytes, written out: its first and last byte in binary with the selected bits in
 * brackets. Null where whole bytes are selected or the bytes are not there.
 */
export function bitLine(memory: PhysicalMemory, selection: BitSpan): Line | null {
  if (!isPartial(selection)) return null;
  const last = bytesTouched(selection) - 1;
  const spans: Span[] = [];
  for (const index of last === 0 ? [0] : [last, 0]) {
    const byte = new Uint8Array(1);
    if (memory.readInto(selection.address + index, 1, byte) !== 1) return null;
    const low = index === 0 ? selection.firstBit : 0;
    const high = Math.min(8, selection.firstBit + selection.bits - index * 8);
    const digits = (byte[0] ?? 0).toString(2).padStart(8, '0');
    if (spans.length > 0) spans.push(span(last > 1 ? ' … ' : ' ', 'dim'));
    spans.push(span(`${(selection.address + index).toString(16)}: `, 'address'), span(digits.slice(0, 8 - high), 'dim'));
    spans.push(span(`[${digits.slice(8 - high, 8 - low)}]`, 'selected'), span(digits.slice(8 - low), 'dim'));
  }
  return spans;
}
