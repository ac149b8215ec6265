/**
 * The printk buffer of a dump: the console log without a console. Everything about its layout is in VMCOREINFO.
 * Source: kernel/printk/printk_ringbuffer.h, 5.10 to 7.3.
 */
import type { VirtualMemory } from './virtual-memory.js';
import type { Vmcoreinfo } from './vmcoreinfo.js';

const MAX_RECORDS = 1 << 20;
const MAX_TEXT = 8192;
/** Of all records together; a machine with thousands of processors has a buffer of 32 MiB. */
const MAX_TEXTS = 1 << 25;
/** A descriptor's state, in the two highest bits of its state_var: committed, finalized. */
const READABLE_STATES: ReadonlySet<bigint> = new Set([1n, 2n]);
const STATE_SHIFT = 62n;
const ID_MASK = (1n << STATE_SHIFT) - 1n;

export interface PrintkRecord {
  /** nanoseconds since boot */
  readonly time: bigint;
  /** may hold several lines */
  readonly text: string;
  /** thread that printed it; null where VMCOREINFO does not tell, or no thread did */
  readonly thread: number | null;
}

/** `[seconds.micro] text`, as dmesg prints it. */
export const printkLine = ({ time, text }: PrintkRecord): string =>
  `[${(time / 1000000000n).toString().padStart(5)}.${((time / 1000n) % 1000000n).toString().padStart(6, '0')}] ${text}`;

/** Records, oldest first; null where the buffer is not in the dump. */
export function readPrintk(memory: VirtualMemory, info: Vmcoreinfo): readonly PrintkRecord[] | null {
  const layout = layoutOf(info);
  const pointer = info.symbol('prb');
  const ring = pointer === null ? null : wide(memory, pointer);
  if (layout === null || ring === null) return null;
  const descRing = ring + layout('printk_ringbuffer.desc_ring');
  const dataRing = ring + layout('printk_ringbuffer.text_data_ring');
  const countBits = narrow(memory, descRing + layout('prb_desc_ring.count_bits'));
  const sizeBits = narrow(memory, dataRing + layout('prb_data_ring.size_bits'));
  const descs = wide(memory, descRing + layout('prb_desc_ring.descs'));
  const infos = wide(memory, descRing + layout('prb_desc_ring.infos'));
  const data = wide(memory, dataRing + layout('prb_data_ring.data'));
  const head = wide(memory, descRing + layout('prb_desc_ring.head_id') + layout('atomic_long_t.counter'));
  const tail = wide(memory, descRing + layout('prb_desc_ring.tail_id') + layout('atomic_long_t.counter'));
  if (countBits === null || sizeBits === null || descs === null || infos === null || data === null || head === null || tail === null) return null;
  if (countBits > 20 || sizeBits > 30) return null;
  const lines: PrintkRecord[] = [];
  const caller = info.offset('printk_info.caller_id');
  const descSize = BigInt(info.size('prb_desc') ?? 0);
  const infoSize = BigInt(info.size('printk_info') ?? 0);
  let id = tail & ID_MASK;
  // No two records share text: more of it than the buffer holds is damage.
  let left = Math.min(MAX_TEXTS, 2 ** sizeBits);
  for (let step = 0; step < Math.min(MAX_RECORDS, 2 ** countBits) && left >= 0; step++) {
    const index = id % (1n << BigInt(countBits));
    const line = readRecord(memory, layout, { desc: descs + index * descSize, info: infos + index * infoSize, data, sizeBits, caller }, id);
    left -= line?.text.length ?? 0;
    if (line !== null) lines.push(line);
    if (id === (head & ID_MASK)) break;
    id = (id + 1n) & ID_MASK;
  }
  return lines;
}

type Layout = (member: string) => bigint;

const MEMBERS = [
  'printk_ringbuffer.desc_ring',
  'printk_ringbuffer.text_data_ring',
  'prb_desc_ring.count_bits',
  'prb_desc_ring.descs',
  'prb_desc_ring.infos',
  'prb_desc_ring.head_id',
  'prb_desc_ring.tail_id',
  'prb_desc.state_var',
  'prb_desc.text_blk_lpos',
  'prb_data_blk_lpos.begin',
  'prb_data_blk_lpos.next',
  'printk_info.ts_nsec',
  'printk_info.text_len',
  'prb_data_ring.size_bits',
  'prb_data_ring.data',
  'atomic_long_t.counter',
];

function layoutOf(info: Vmcoreinfo): Layout | null {
  const offsets = new Map(MEMBERS.map((member) => [member, info.offset(member)]));
  if ([...offsets.values()].includes(null) || info.size('prb_desc') === null || info.size('printk_info') === null) return null;
  return (member) => BigInt(offsets.get(member) ?? 0);
}

interface RecordPlace {
  readonly desc: bigint;
  readonly info: bigint;
  readonly data: bigint;
  readonly sizeBits: number;
  /** offset of caller_id */
  readonly caller: number | null;
}

/** Set in caller_id where no thread printed: the rest is a processor then. */
const NO_THREAD = 0x80000000;

function readRecord(memory: VirtualMemory, layout: Layout, { desc, info, data, sizeBits, caller }: RecordPlace, id: bigint): PrintkRecord | null {
  const state = wide(memory, desc + layout('prb_desc.state_var') + layout('atomic_long_t.counter'));
  if (state === null || (state & ID_MASK) !== id || !READABLE_STATES.has(state >> STATE_SHIFT)) return null;
  const blk = desc + layout('prb_desc.text_blk_lpos');
  const begin = wide(memory, blk + layout('prb_data_blk_lpos.begin'));
  const next = wide(memory, blk + layout('prb_data_blk_lpos.next'));
  const time = wide(memory, info + layout('printk_info.ts_nsec'));
  const length = memory.tryRead(info + layout('printk_info.text_len'), 2);
  if (begin === null || next === null || time === null || length === null) return null;
  const callerId = caller === null ? null : narrow(memory, info + BigInt(caller));
  const thread = callerId === null || callerId >= NO_THREAD ? null : callerId;
  // Both odd: a record without text.
  if ((begin & 1n) === 1n && (next & 1n) === 1n) return { time, text: '', thread };
  const size = 1n << BigInt(sizeBits);
  const wrapped = begin % size > next % size && next % size !== 0n;
  const start = (wrapped ? 0n : begin % size) + 8n;
  const text = memory.tryRead(data + start, Math.min(MAX_TEXT, new DataView(length.buffer).getUint16(0, true)));
  return text === null ? null : { time, text: Buffer.from(text).toString('utf8'), thread };
}

function wide(memory: VirtualMemory, address: bigint): bigint | null {
  const bytes = memory.tryRead(BigInt.asUintN(64, address), 8);
  return bytes === null ? null : new DataView(bytes.buffer).getBigUint64(0, true);
}

function narrow(memory: VirtualMemory, address: bigint): number | null {
  const bytes = memory.tryRead(BigInt.asUintN(64, address), 4);
  return bytes === null ? null : new DataView(bytes.buffer).getUint32(0, true);
}
