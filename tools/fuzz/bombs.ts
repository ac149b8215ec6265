/**
 * Files that are small and well formed, and name far more work than they hold: structures that many pointers share, ranges that overlap, counts
 * that multiply. Random damage never makes these. Each is written by the layouts of abi/, in a size that the random numbers choose.
 */
import { gzipSync } from 'node:zlib';
import { elf64Nhdr } from '../../abi/elf/elf64.js';
import { FLATTENED_HEADER_BLOCK, FLATTENED_SIGNATURE, flattenedHeader, flattenedPiece, pageDesc } from '../../abi/kdump/kdump.js';
import { khoserMemBitmapPtr, khoserMemChunkHdr } from '../../abi/kho/chunk.js';
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { LIME_MAGIC, limeHeader } from '../../abi/lime/v1.js';
import { fileBlocks, flbPage, sessionBlocks } from '../../abi/luo/areas.js';
import { luoFileSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from '../../abi/luo/entries.js';
import { areaCapacity, entryOffset } from '../../src/codec/area.js';
import { encodeInto, encodeStruct } from '../../src/codec/encode.js';
import { buildFdt } from '../../src/codec/fdt.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import type { Random } from '../random.js';
import { elfCore, Memory, memfd, PAGE, tablePage, text, words, writeKdumpHead } from './image.js';

/** How much of something, in orders of magnitude. */
const many = (random: Random, most: number): number => Math.max(1, Math.round(most ** random.unit()));

type Make = (random: Random, most: (limit: number) => number) => Uint8Array;

const named = (index: number): { compatible: string; token: number } => ({ compatible: 'memfd-v2', token: index });

/** By name; `most(n)` is a size of up to n. */
export const bombs: Readonly<Record<string, Make>> = {
  /** sessions whose files all lead to a few memfds, and these to one table */
  'shared-files'(random, most) {
    const memory = new Memory();
    const table = tablePage(memory, random.below(2));
    const blocks = most(4000);
    const first = memory.vmalloc(table, blocks);
    const memfds = Array.from({ length: most(400) }, () => memfd(memory, BigInt(blocks) * 1044480n, BigInt(blocks) * 255n, first, blocks));
    const files = most(60);
    const sessions = memory.chain(sessionBlocks, luoSessionSer, most(500), (index) => ({
      name: `s${index}`,
      file_set_ser: { files: memory.chain(fileBlocks, luoFileSer, files, (file) => ({ ...named(file), data: random.pick(memfds) })), count: files },
    }));
    memory.handOver('kho-v4', memory.radix(6), [memory.luo(sessions)]);
    return memory.core();
  },
  /** folios all over a machine of 2^51 bytes, of which the dump has next to nothing */
  'far-folios'(_random, most) {
    const memory = new Memory();
    const folios = most(400_000);
    const perPage = Math.floor(PAGE / sizeOf(memfdLuoFolioSer));
    const pages = Array.from({ length: Math.ceil(folios / perPage) }, () => memory.alloc());
    for (let index = 0; index < folios; index++)
      memory.write((pages[Math.floor(index / perPage)] ?? 0) + (index % perPage) * sizeOf(memfdLuoFolioSer), memfdLuoFolioSer, {
        pfn_flags: { pfn: (index * 0x40001) % 2 ** 38, flags: 3 },
        index,
      });
    const chunk = memory.vmalloc(pages);
    const data = memfd(memory, BigInt(folios) * 4096n, BigInt(folios), chunk, pages.length);
    const files = memory.chain(fileBlocks, luoFileSer, 1, () => ({ ...named(1), data }));
    const sessions = memory.chain(sessionBlocks, luoSessionSer, 1, () => ({ name: 'vm-0', file_set_ser: { files, count: 1 } }));
    memory.handOver('kho-v4', 0, [memory.luo(sessions)]);
    return elfCore(
      [
        { at: 0, offset: 0, size: memory.bytes.length },
        { at: 2 ** 51, offset: 0, size: PAGE },
      ],
      memory.bytes,
    );
  },
  /** a long list of sessions as kernels write it, whose files are all the same */
  'plain-sessions'(_random, most) {
    const memory = new Memory();
    const files = most(30_000);
    const data = memfd(memory, 255n * 4096n, 255n, memory.vmalloc([tablePage(memory, 1)]), 1);
    const one = memory.chain(fileBlocks, luoFileSer, files, (file) => ({ ...named(file + 1), data }));
    const sessions = memory.chain(sessionBlocks, luoSessionSer, 1024 + most(3000), (index) => ({
      name: `s${index}`,
      file_set_ser: { files: one, count: files },
    }));
    memory.handOver('kho-v4', memory.radix(6), [memory.luo(sessions)]);
    return memory.core();
  },
  /** sessions and files without end, each its own */
  entries(random, most) {
    const memory = new Memory();
    const files = most(400_000);
    const inOne = random.below(2) === 0;
    const data = memfd(memory, 0n, 0n, 0, 0);
    const one = inOne ? memory.chain(fileBlocks, luoFileSer, files, (file) => ({ ...named(file), data })) : 0;
    const sessions = memory.chain(sessionBlocks, luoSessionSer, inOne ? 1 : files, (index) => ({
      name: `s${index}`,
      file_set_ser: { files: one, count: inOne ? files : 0 },
    }));
    memory.handOver('kho-v4', memory.radix(6), [memory.luo(sessions)]);
    return memory.core();
  },
  /** memfds, each its own, each with a table of its own */
  memfds(random, most) {
    const memory = new Memory();
    const files = most(20_000);
    const table = tablePage(memory, 1);
    const sessions = memory.chain(sessionBlocks, luoSessionSer, 1, () => ({
      name: 's',
      file_set_ser: {
        files: memory.chain(fileBlocks, luoFileSer, files, (file) => {
          const blocks = random.below(4);
          return { ...named(file), data: memfd(memory, BigInt(blocks) << 20n, BigInt(blocks) * 255n, memory.vmalloc(table, blocks), blocks) };
        }),
        count: files,
      },
    }));
    memory.handOver('kho-v4', 0, [memory.luo(sessions)]);
    return memory.core();
  },
  /** one memfd, and a table of ever the same page */
  table(random, most) {
    const memory = new Memory();
    const blocks = most(2_000_000);
    const first = memory.vmalloc(tablePage(memory, random.below(2)), blocks);
    const data = memfd(memory, 1n << BigInt(random.below(63)), BigInt(blocks) * 255n, first, blocks);
    const files = memory.chain(fileBlocks, luoFileSer, 1, () => ({ ...named(1), data }));
    const sessions = memory.chain(sessionBlocks, luoSessionSer, 1, () => ({ name: 'vm-0', file_set_ser: { files, count: 1 } }));
    memory.handOver('kho-v4', random.below(2) === 0 ? 0 : memory.radix(6), [memory.luo(sessions)]);
    return memory.core();
  },
  /** handovers that all lead to the same map and sessions */
  roots(random, most) {
    const memory = new Memory();
    const table = tablePage(memory, 1);
    const blocks = most(500);
    const data = memfd(memory, 1n << 40n, BigInt(blocks) * 255n, memory.vmalloc(table, blocks), blocks);
    const count = most(20_000);
    const files = memory.chain(fileBlocks, luoFileSer, count, (file) => ({ ...named(file), data }));
    const sessions = memory.chain(sessionBlocks, luoSessionSer, 1, () => ({ name: 's', file_set_ser: { files, count } }));
    const [luo, map] = [memory.luo(sessions), memory.radix(6)];
    for (let left = most(4000); left > 0; left--)
      memory.handOver(
        'kho-v4',
        map,
        Array.from({ length: 1 + random.below(4) }, () => luo),
      );
    return memory.core();
  },
  /** subtrees that are all one large FDT */
  subtrees(random, most) {
    const memory = new Memory();
    const properties = Array.from({ length: most(20_000) }, (_, index) => [`p${index % 50}`, words(index)] as const);
    const fdt = buildFdt({ name: '', properties: [['compatible', text('x-v1')], ...properties], children: [] });
    const at = memory.alloc(Math.ceil(fdt.length / PAGE));
    memory.put(at, fdt);
    const map = memory.radix(6);
    const subtrees = Array.from({ length: most(40) }, (_, index) => ({ name: `t${index}`, at, size: random.below(2) === 0 ? fdt.length : 1 << 20 }));
    for (let left = most(200); left > 0; left--) memory.handOver('kho-v4', map, subtrees);
    return memory.core();
  },
  /** reserve_mem regions without end */
  regions(_random, most) {
    const memory = new Memory();
    const children = Array.from({ length: most(30_000) }, (_, index) => ({
      name: `r${index}`,
      properties: [['compatible', text('reserve-mem-v1')] as const, ['start', words(0x1000 * (index % 7))] as const, ['size', words(0x1000)] as const],
      children: [],
    }));
    const fdt = buildFdt({ name: '', properties: [['compatible', text('memblock-v1')]], children });
    const at = memory.alloc(Math.ceil(fdt.length / PAGE));
    memory.put(at, fdt);
    memory.handOver('kho-v4', memory.radix(6), [{ name: 'memblock', at, size: fdt.length }]);
    return memory.core();
  },
  /** a map of chunks whose bitmaps are all one */
  chunks(random, most) {
    const memory = new Memory();
    const bitmap = memory.alloc();
    memory.put(bitmap, new Uint8Array(PAGE).fill(random.pick([0xff, 0x55, 1])));
    const chunks = Array.from({ length: most(3000) }, () => memory.alloc());
    const [head, each] = [sizeOf(khoserMemChunkHdr), sizeOf(khoserMemBitmapPtr)];
    const perChunk = Math.floor((PAGE - head) / each);
    const order = random.below(11);
    const span = PAGE * 8 * PAGE * 2 ** order;
    for (const [index, at] of chunks.entries()) {
      memory.write(at, khoserMemChunkHdr, { next: chunks[index + 1] ?? 0, order, num_elms: perChunk });
      for (let slot = 0; slot < perChunk; slot++)
        memory.write(at + head + slot * each, khoserMemBitmapPtr, { phys_start: ((index * perChunk + slot) * span) % 2 ** 51, bitmap });
    }
    memory.handOver('kho-v1', chunks[0] ?? 0, []);
    return memory.core();
  },
  /** FLBs that all lead to one table of devices, or each to one that overlaps the next */
  flbs(random, most) {
    const memory = new Memory();
    const pages = most(2000);
    const devices = memory.alloc(pages);
    const overlap = random.below(2) === 0;
    if (overlap) memory.put(devices, new Uint8Array(pages * PAGE).fill(1));
    memory.put(devices, words(random.below(2) === 0 ? 1 << 20 : 40_000, 40_000));
    const page = memory.alloc();
    const capacity = areaCapacity(flbPage, PAGE);
    memory.write(page, luoFlbHeaderSer, { pgcnt: 1, count: capacity });
    for (let slot = 0; slot < capacity; slot++) {
      const data = overlap ? devices + (slot % pages) * PAGE : devices;
      if (overlap) memory.put(data, words(1 << 16, 1 << 16));
      memory.write(page + entryOffset(flbPage, slot, PAGE), luoFlbSer, { name: random.pick(['pci-v1', 'pci-v2', 'pci-v3', 'iommu-v1']), data, count: 1 });
    }
    const map = memory.radix(6);
    for (let left = most(64); left > 0; left--) memory.handOver('kho-v4', map, [memory.luo(0, page)]);
    return memory.core();
  },
  /** VMs that all lead to a few lists of thousands of pages */
  vms(_random, most) {
    const memory = new Memory();
    const lists = most(16);
    const list = memory.alloc(lists + 8);
    memory.put(list, new Uint8Array(new BigUint64Array(((lists + 8) * PAGE) / 8).fill(4096n).buffer));
    const vms = most(2000);
    const data = memory.alloc(Math.ceil((vms * 16) / PAGE));
    for (let vm = 0; vm < vms; vm++) memory.put(data + vm * 16, words(0, list + (vm % lists) * PAGE));
    const files = memory.chain(fileBlocks, luoFileSer, vms, (vm) => ({ compatible: 'kvm_vm_luo_v1', token: vm + 1, data: data + vm * 16 }));
    const sessions = memory.chain(sessionBlocks, luoSessionSer, 1, () => ({ name: 'vms', file_set_ser: { files, count: vms } }));
    memory.handOver('kho-v4', memory.radix(6), [memory.luo(sessions)]);
    return memory.core();
  },
  /** PT_LOADs and notes that all name one part of the file */
  'elf-overlap'(random, most) {
    const bytes = new Uint8Array(most(4 << 20) + PAGE).fill(random.pick([0, 1, 0x55]));
    const head = sizeOf(elf64Nhdr);
    const notes = random.below(2) === 0;
    for (let at = 0; notes && at + head + 12 <= bytes.length; at += head + 12) encodeInto(elf64Nhdr, { n_namesz: 11, n_descsz: 0, n_type: 0 }, bytes, at);
    const count = most(200_000);
    const size = bytes.length - (bytes.length % PAGE);
    return elfCore(
      Array.from({ length: count }, (_, index) => ({ at: (index * 2 * size) % 2 ** 51, offset: 0, size, isNote: notes && index > 0 })),
      bytes,
    );
  },
  /** page descriptors that all lead to one page */
  kdump(random, most) {
    const count = most(2_000_000);
    const bitmapBlocks = Math.ceil(count / 8 / PAGE);
    const descriptorsAt = (2 + 2 * bitmapBlocks) * PAGE;
    const each = sizeOf(pageDesc);
    const page = descriptorsAt + count * each;
    const out = Buffer.alloc(page + PAGE, random.pick([1, 0x55]));
    out.fill(0, 0, 2 * PAGE);
    writeKdumpHead(out, count, 2 * bitmapBlocks);
    out.fill(0xff, 2 * PAGE, descriptorsAt);
    const descriptor = encodeStruct(pageDesc, { offset: page, size: PAGE });
    for (let index = 0; index < count; index++) out.set(descriptor, descriptorsAt + index * each);
    return out;
  },
  /** ranges of LiME without end */
  lime(random, most) {
    const count = most(100_000);
    const size = random.pick([1, 16, PAGE]);
    const part = Buffer.alloc(sizeOf(limeHeader) + size);
    return Buffer.concat(
      Array.from({ length: Math.min(count, Math.floor((64 << 20) / part.length)) }, (_, index) => {
        encodeInto(limeHeader, { magic: LIME_MAGIC, version: 1, s_addr: index * 2 * PAGE, e_addr: index * 2 * PAGE + size - 1 }, part, 0);
        return Buffer.from(part);
      }),
    );
  },
  /** pieces that each lie over the one before */
  flattened(random, most) {
    const head = Buffer.alloc(FLATTENED_HEADER_BLOCK);
    encodeInto(flattenedHeader, { signature: FLATTENED_SIGNATURE, type: 1, version: 1 }, head, 0);
    const size = random.pick([1, 64, PAGE]);
    const pieces = Array.from({ length: Math.min(most(500_000), Math.floor((64 << 20) / (size + 16))) }, (_, index) =>
      Buffer.concat([
        encodeStruct(flattenedPiece, { offset: random.below(2) === 0 ? index : random.below(1 << 30), buf_size: size }),
        Buffer.alloc(size, 0x7f),
      ]),
    );
    return Buffer.concat([head, ...pieces, encodeStruct(flattenedPiece, { offset: -1n, buf_size: -1n })]);
  },
};

/** One of these, in a size up to `scale` of the largest, as it is or compressed. */
export function bomb(name: string, random: Random, scale = 1): Uint8Array {
  const make = bombs[name];
  if (make === undefined) throw new RangeError(`no bomb is called ${name}`);
  const bytes = make(random, (limit) => (scale === 1 ? limit : many(random, limit * scale)));
  return random.below(4) === 0 ? gzipSync(bytes, { level: 1 }) : bytes;
}
