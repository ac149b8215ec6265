/** Rules about the preserved memory map: its own structure, and the blocks it lists. Sources: kernel/liveupdate/kexec_handover.c, 6.16 to 7.3. */
import { formatBytes, hex } from '../../tree/words.js';
import { type PreservedBlock, type PreservedMap, blocksOf, countOf, endOf } from '../../handover/preserved/preserved-map.js';
import type { PhysicalMemory } from '../../memory/memory.js';
import { findRange } from '../../memory/memory.js';
import { khoScratch } from '../../../abi/kho/scratch.js';
import { sizeOf } from '../../codec/layout-table.js';
import type { ScratchArea } from '../../handover/roles.js';
import { knownAreas, scratchArraysOf } from '../scratch-arrays.js';
import { type HandoverRule, type Hit, hit, noted, wrong } from '../rule.js';
import { type Subject, cutShort, isIntact, isOfChunks, rootNode } from '../subject.js';
import type { TreeNode } from '../../tree/tree.js';
import { entryTo } from '../pointers/users.js';

const WALK = 'kho_radix_walk_tree() and kho_mem_deserialize(), kernel/liveupdate/kexec_handover.c, 6.16 to 7.3';

const mapPointer = (subject: Subject): TreeNode | undefined =>
  rootNode(subject)
    ?.children()
    .find(({ name }) => name === 'preserved-memory-map');

export const khoMapRules: readonly HandoverRule[] = [
  {
    id: 'kho/map-node',
    severity: 'error',
    phase: 'early boot',
    title: 'a part of the preserved memory map is damaged',
    about:
      'A pointer of the map leads to no page of this machine, to a page that was met before (a shared node or a cycle), or to one that holds something else; or chunks are out of order. The kernel checks none of it.',
    reaction: 'kho/map-misread',
    confirm: 'Show the entry in hex; nodes and leaves are on whole pages, each linked once.',
    sources: [WALK, 'seen with 6.17.8 and 6.18.15: num_elms beyond the page'],
    *check(subject) {
      for (const found of wrong(subject, 'map-node'))
        yield {
          ...found,
          after: entryTo(subject, found.at),
          ...(found.path?.endsWith('/num_elms') === true ? { reaction: 'kho/map-read-past-page' as const } : {}),
        };
      // No part of the map that is still to be read is free, or zeros: a dump that has the root FDT has them all.
      if (!isIntact(subject) || subject.handover.role === 'stale') return;
      for (const { kind, nature, node, text, at } of subject.handover.observations)
        if (nature === 'absent' && kind === 'map-node') yield { ...hit(node, text, at), severity: 'warning', reaction: null };
        else if (nature === 'absent' && kind === 'map-missing') yield { ...hit(mapPointer(subject) ?? node, text), severity: 'warning', reaction: null };
    },
  },
  {
    id: 'kho/map-reused',
    severity: 'error',
    phase: 'early boot',
    title: 'page of the preserved memory map holds something else',
    about:
      'In the kernel that received it the map is freed early in boot and soon overwritten, which is no fault. In a dump of the old kernel, or of the next before it looked, it means that the map is lost.',
    reaction: 'kho/map-misread',
    confirm: 'Look at the page: text, an ELF header or page tables tell who took it.',
    sources: [WALK],
    *check(subject) {
      if (subject.handover.role !== 'outgoing') return;
      for (const observation of subject.handover.observations) {
        if (observation.kind !== 'map-reused') continue;
        const pointer = mapPointer(subject);
        yield { message: observation.text, at: pointer?.address ?? observation.at, path: pointer?.path ?? observation.node.path };
      }
    },
  },
  {
    id: 'kho/map-key',
    severity: 'error',
    phase: 'early boot',
    title: 'key of the preserved memory map is not a block of memory',
    about: 'The highest set bit of a key tells the order. A bit in the wrong branch of the tree gives an order no memory has, or an address beyond 52 bits.',
    reaction: 'kho/map-misread',
    confirm: 'Compare the leaf with its place in the tree.',
    sources: ['kho_radix_decode_key(), include/linux/kho/abi/kexec_handover.h, 7.1 to 7.3'],
    check: (subject) => wrong(subject, 'map-key'),
  },
  {
    id: 'kho/map-ambiguous',
    severity: 'info',
    phase: 'early boot',
    title: 'bitmap size of the preserved memory map is ambiguous',
    about:
      'Under the one string kho-v1 bitmaps have 512 bytes (up to 6.17.8) or a page (from 6.17.9). A kernel of the other kind takes the handover over and reads it wrongly: an older reader forgets most pages, a newer one reads past each bitmap, reserves wrong memory and dies before its console speaks.',
    reaction: 'kho/map-ambiguous',
    confirm: 'The release in the old kernel’s log decides: up to 6.17.8, or later.',
    sources: ['"kho: increase metadata bitmap size to PAGE_SIZE", 6.18 and 6.17.9'],
    check: (subject) => noted(subject, 'map-ambiguous'),
  },
  {
    id: 'kho/beyond-memory',
    silent: true,
    severity: 'error',
    phase: 'early boot',
    title: 'preserved block is beyond the end of the machine’s memory',
    about: 'Judged only where the dump holds the machine’s memory whole; a dump of selected pages does not say where memory ends.',
    reaction: 'kho/beyond-memory',
    confirm: 'Compare with the e820 lines of the log.',
    sources: ['kho_preserved_memory_reserve(), kernel/liveupdate/kexec_handover.c, 7.3'],
    check: beyondMemory,
  },
  {
    id: 'kho/order-overflow',
    severity: 'error',
    phase: 'early boot',
    title: 'size of a preserved block overflows',
    about: 'Up to 7.0 the size of a block is computed as a 32-bit 1 << (order + PAGE_SHIFT): at 4 KiB pages order 19 is negative, and larger ones wrap.',
    reaction: 'kho/order-overflow',
    confirm: 'byOrder in the report.',
    sources: ['kernel/kexec_handover.c, 6.17.8 and 6.18.15'],
    *check(subject) {
      const { map, candidate } = subject.handover;
      if (map === null || !isOfChunks(subject.dialect)) return;
      const shift = Math.log2(subject.dump.memory.pageSize);
      for (const [order, blocks] of map.summary.byOrder) {
        if (order + shift >= 31 && map.brokenAt(0, order) === null)
          yield { message: `${blocks} blocks of order ${order}: 1 << ${order + shift} does not fit an int`, at: candidate.fdtAddress, path: mapPath(subject) };
      }
    },
  },
  {
    id: 'kho/preserved-twice',
    severity: 'error',
    phase: 'preserve',
    title: 'pages are preserved by two blocks',
    about:
      'A block of 2^order pages is one key. Two keys over the same page come from a preservation undone at another order, or from damage; the page is restored once, and the second restore warns and fails.',
    reaction: 'kho/preserved-twice',
    confirm: 'Look both keys up; find out which structure points there.',
    sources: ['"kho: fix order calculation for kho_unpreserve_pages()"', 'kho_restore_page(), kernel/liveupdate/kexec_handover.c, 7.3'],
    check: preservedTwice,
  },
  {
    id: 'kho/in-scratch',
    silent: true,
    severity: 'error',
    phase: 'preserve',
    title: 'preserved memory is inside a scratch area',
    about:
      'The next kernel boots in the scratch areas and uses them before it looks at the map. Preserving memory there is refused only by kernels built with CONFIG_KEXEC_HANDOVER_DEBUG (from 6.17.9).',
    reaction: 'kho/in-scratch',
    confirm: 'Compare the block with the scratch areas in the report.',
    sources: ['"kho: warn and fail on metadata or preserved memory in scratch area", 6.18 and 6.17.9'],
    check: inScratch,
  },
  {
    id: 'kho/map-in-scratch',
    silent: true,
    severity: 'error',
    phase: 'preserve',
    title: 'a page of the preserved memory map is inside a scratch area',
    about: 'Up to 6.17.8 bitmaps came from the slab and could come to lie in scratch (in KFENCE’s pool, for instance), where the next kernel overwrites them.',
    reaction: 'kho/map-misread',
    confirm: 'Compare the page with the scratch areas in the report.',
    sources: ['"kho: allocate metadata directly from the buddy allocator", 6.18 and 6.17.9'],
    *check(subject) {
      const { map } = subject.handover;
      const areas = knownAreas(subject);
      if (map === null || areas === null || !isIntact(subject)) return;
      for (const page of map.structurePages) {
        const area = areas.find(({ start, size }) => page >= start && page < start + size);
        if (area !== undefined)
          yield { message: `the page of the map at ${hex(page)} is in the scratch area at ${hex(area.start)}`, at: page, path: mapPath(subject) };
      }
    },
  },
];

const mapPath = (subject: Subject): string => `${subject.handover.path}/kho/preserved`;

/** On average as many bytes a range, at least, where a dump holds memory whole and not by the page. */
const WHOLE_MEMORY = 1 << 20;

/** Does the dump hold the machine's memory rather than selected pages of it? Else it does not tell where memory ends. */
function holdsWholeMemory(memory: PhysicalMemory): boolean {
  const total = memory.readable.reduce((sum, range) => sum + range.end - range.start, 0);
  return memory.readable.length > 0 && total / memory.readable.length >= WHOLE_MEMORY;
}

function* beyondMemory(subject: Subject): Iterable<Hit> {
  const { map } = subject.handover;
  const { memory } = subject.dump;
  if (map === null || !isIntact(subject) || !holdsWholeMemory(memory)) return;
  const blocks = blocksWithin(subject, map, (start, end) => {
    const { index, inside } = findRange(memory.readable, start);
    return !inside || end > (memory.readable[index]?.end ?? 0);
  });
  for (const { start, order } of blocks) {
    const end = start + memory.pageSize * 2 ** order;
    if (touches(memory, start, end)) continue;
    yield { message: `a block of order ${order} at ${hex(start)} is preserved, where this machine has no memory`, at: null, path: mapPath(subject) };
  }
}

/** Blocks of stretches of the map (from start to end, in bytes) that are worth a look, as far as the limit goes. */
function* blocksWithin(subject: Subject, map: PreservedMap, isWorth: (start: number, end: number) => boolean): Iterable<PreservedBlock> {
  const { pageSize } = subject.dump.memory;
  let left = subject.limits.items;
  for (const bits of map.bits()) {
    left -= countOf(bits.words);
    if (left < 0) return cutShort(subject, mapPath(subject));
    if (isWorth(bits.start, endOf(bits, pageSize))) yield* blocksOf(bits, pageSize);
  }
}

function touches(memory: PhysicalMemory, start: number, end: number): boolean {
  const { index, inside } = findRange(memory.readable, start);
  const range = memory.readable[index];
  return inside || (range !== undefined && range.start < end) || (memory.stateOf(start) !== 'out-of-range' && !hasHole(memory, start));
}

/** Between two ranges that are far apart lies no memory (the gap below 4 GiB); a small gap is a page the dump left out. */
function hasHole(memory: PhysicalMemory, address: number): boolean {
  const { index } = findRange(memory.readable, address);
  const before = memory.readable[index - 1]?.end ?? 0;
  const after = memory.readable[index]?.start ?? Number.POSITIVE_INFINITY;
  return after - before >= 64 * WHOLE_MEMORY;
}

/** Blocks by address in one array of numbers: block number of the first page times 64, plus the order. */
function sortedBlocks(map: PreservedMap, pageSize: number, limit: number): Float64Array | null {
  if (map.summary.blocks > limit) return null;
  const packed = new Float64Array(map.summary.blocks);
  let count = 0;
  for (const { start, order } of map.blocks()) {
    if (count === packed.length) break;
    packed[count++] = (start / pageSize) * 64 + order;
  }
  return packed.subarray(0, count).sort();
}

function* preservedTwice(subject: Subject): Iterable<Hit> {
  const { map } = subject.handover;
  const { pageSize } = subject.dump.memory;
  if (map === null || !isIntact(subject) || map.summary.byOrder.size < 2) return;
  const blocks = sortedBlocks(map, pageSize, subject.limits.items);
  if (blocks === null) return cutShort(subject, `${mapPath(subject)}, blocks preserved twice`, map.summary.blocks);
  let reach = { end: 0, start: 0, order: 0 };
  for (const packed of blocks) {
    const order = packed % 64;
    const start = (packed - order) / 64;
    if (start < reach.end) {
      const text = `the page at ${hex(start * pageSize)} is preserved as a block of order ${order} and inside the block of order ${reach.order} at ${hex(reach.start * pageSize)}`;
      for (const block of [{ start, order }, reach]) {
        const place = map.placeOf(block.start * pageSize, block.order);
        yield { message: text, at: place?.at ?? null, path: place?.path ?? mapPath(subject) };
      }
    }
    const end = start + 2 ** order;
    if (end > reach.end) reach = { end, start, order };
  }
}

function* inScratch(subject: Subject): Iterable<Hit> {
  const { map } = subject.handover;
  const known = knownAreas(subject);
  if (map === null || known === null || !isIntact(subject)) return;
  const areas = known.filter((area) => area.size > 0);
  const found = new Map<ScratchArea, { count: number; first: { start: number; order: number } }>();
  const overlaps = (start: number, end: number): boolean => areas.some((area) => start < area.start + area.size && area.start < end);
  for (const { start, order } of blocksWithin(subject, map, overlaps)) {
    const size = subject.dump.memory.pageSize * 2 ** order;
    const area = areas.find((candidate) => start < candidate.start + candidate.size && candidate.start < start + size);
    if (area === undefined) continue;
    const before = found.get(area);
    if (before === undefined) found.set(area, { count: 1, first: { start, order } });
    else before.count++;
  }
  for (const [area, { count, first }] of found) {
    const size = subject.dump.memory.pageSize * 2 ** first.order;
    const text = `the preserved block of ${formatBytes(size)} at ${hex(first.start)} overlaps the scratch area of ${formatBytes(area.size)} at ${hex(area.start)}`;
    const entry = scratchArraysOf(subject).flatMap(({ address, areas: all }) =>
      address === null || !all.includes(area) ? [] : [address + all.indexOf(area) * sizeOf(khoScratch)],
    )[0];
    // Of one block its key is in doubt, of many the area.
    const place = count === 1 ? map.placeOf(first.start, first.order) : null;
    if (count === 1 || entry === undefined)
      yield { message: count === 1 ? text : `${text}, and ${count - 1} more do`, at: place?.at ?? first.start, path: place?.path ?? mapPath(subject) };
    else yield { message: `${text}, and ${count - 1} more do`, at: entry, path: `${subject.handover.path}/kho/scratch` };
  }
}
