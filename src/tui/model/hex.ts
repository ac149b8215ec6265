/**
 * The rows of the hex pane: bytes at physical addresses, the selected node's bits marked, and what a page that is not there
 * is called instead of made-up bytes. Pure, over `PhysicalMemory`.
 */
import { formatBytes, hex } from '../../tree/words.js';
import { type PageState, type PhysicalMemory, describeState, findRange, isReadable, PHYSICAL_LIMIT } from '../../memory/memory.js';
import { type Line, type Span, type Style, line, span } from './text.js';
import { type BitSpan, bytesTouched, isPartial } from './value.js';

/** Bytes a row holds in a pane of `width` columns, with addresses of `digits` digits: 4, 8, 16 or 32. */
export function bytesPerRow(width: number, digits: number): number {
  for (const count of [32, 16, 8]) if (digits + 3 + count * 4 <= width) return count;
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

/** Start of the row that holds `address`: a full gap is one row. */
export function rowStart(memory: PhysicalMemory, address: number, perRow: number): number {
  if (!isReadable(memory, address)) return gapAround(memory, address).start;
  const aligned = alignDown(address, perRow);
  const { index } = findRange(memory.readable, address);
  return Math.max(aligned, memory.readable[index]?.start ?? aligned);
}

/** Start of the row after the one that starts at `start`; null at the end of memory. */
export function nextRow(memory: PhysicalMemory, start: number, perRow: number): number | null {
  if (!isReadable(memory, start)) {
    const { end } = gapAround(memory, start);
    return end >= PHYSICAL_LIMIT ? null : end;
  }
  const next = alignDown(start, perRow) + perRow;
  const { index } = findRange(memory.readable, start);
  const end = memory.readable[index]?.end ?? next;
  return Math.min(next, end);
}

/** Start of the row before the one that starts at `start`; null at the start of memory. */
export function previousRow(memory: PhysicalMemory, start: number, perRow: number): number | null {
  return start <= 0 ? null : rowStart(memory, start - 1, perRow);
}

/** `start` moved by `rows` rows, stopping at the ends of memory. */
export function moveRows(memory: PhysicalMemory, start: number, rows: number, perRow: number): number {
  let at = start;
  for (let step = 0; step < Math.abs(rows); step++) {
    const next = rows > 0 ? nextRow(memory, at, perRow) : previousRow(memory, at, perRow);
    if (next === null) break;
    at = next;
  }
  return at;
}

/** Where the pane should start so that the selection is seen: unmoved where it is already. */
export function followSelection(memory: PhysicalMemory, top: number, selection: BitSpan, height: number, perRow: number): number {
  const first = rowStart(memory, selection.address, perRow);
  const last = rowStart(memory, selection.address + bytesTouched(selection) - 1, perRow);
  const bottom = moveRows(memory, top, Math.max(0, height - 1), perRow);
  if (first >= top && last <= bottom) return top;
  return moveRows(memory, first, -Math.floor(height / 3), perRow);
}

export interface HexOptions {
  /** rows to give, at most */
  readonly height: number;
  readonly perRow: number;
  readonly digits: number;
  readonly selection: BitSpan | null;
  /** [start, end) of bytes that a step changed, marked with `*` */
  readonly changed?: readonly { readonly start: number; readonly end: number }[];
  /** what pages that are not there are called; as for a dump unless given */
  readonly words?: (state: PageState) => string;
}

/** The rows from address `top` on. */
export function hexRows(memory: PhysicalMemory, top: number, options: HexOptions): Line[] {
  const rows: Line[] = [];
  let at: number | null = top;
  while (at !== null && rows.length < options.height) {
    if (isReadable(memory, at)) rows.push(byteRow(memory, at, options));
    else rows.push(...gapRows(memory, at, options));
    at = nextRow(memory, at, options.perRow);
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

function byteRow(memory: PhysicalMemory, at: number, options: HexOptions): Line {
  const { perRow, digits, selection } = options;
  const base = alignDown(at, perRow);
  const end = nextRow(memory, at, perRow) ?? base + perRow;
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
    // brackets around the selection, so that it is seen without colour
    const open = chosen(address) && (address === from || index === 0);
    const close = !open && index > 0 && !chosen(address) && chosen(address - 1);
    const changed = there && (options.changed?.some((range) => address >= range.start && address < range.end) ?? false);
    spans.push(
      span(open ? '[' : close ? ']' : changed ? '*' : index > 0 && index % 8 === 0 ? '·' : ' ', open || close ? 'selected' : changed ? 'changed' : 'dim'),
    );
    const style = styleOf(byte, there && chosen(address), changed);
    spans.push(span(byte === null ? '  ' : byte.toString(16).padStart(2, '0'), style));
    text.push(span(byte === null ? ' ' : byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.', style));
  }
  spans.push(span(chosen(base + perRow - 1) ? ']' : ' ', 'selected'));
  return [...spans, ...text];
}

function styleOf(byte: number | null, chosen: boolean, changed: boolean): Style {
  if (chosen) return 'selected';
  if (changed) return 'changed';
  if (byte === null || byte === 0) return 'zero';
  return byte >= 0x20 && byte < 0x7f ? 'ascii' : 'plain';
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
