/** Rules about reserve_mem regions, kexec metadata and the KHO test. Sources: mm/memblock.c, kernel/liveupdate/kexec_handover.c, lib/test_kho.c. */
import { releaseOf } from '../../../abi/registry.js';
import { khoKexecMetadata } from '../../../abi/kexec-metadata/v1.js';
import { formatBytes, hex } from '../../tree/words.js';
import type { ReserveMem } from '../../handover/small-subtrees.js';
import type { ScratchArea } from '../../handover/roles.js';
import { knownAreas } from '../scratch-arrays.js';
import type { TreeNode } from '../../tree/tree.js';
import { physicalAddress } from '../../memory/memory.js';
import { type HandoverRule, type Hit, hit, wrong } from '../rule.js';
import { type Subject, cutShort, isIntact } from '../subject.js';
import { unclaimedBlocks } from '../pointers/claims.js';
import { trustOf } from '../pointers/trust.js';
import { memfdsOf } from './memfd.js';
import { canAskMap } from './references.js';

const MEMBLOCK = 'reserve_mem_kho_revive() and prepare_kho_fdt(), mm/memblock.c, 6.16 to 7.3';
const METADATA = 'kho_in_kexec_metadata(), kernel/liveupdate/kexec_handover.c, 7.1 to 7.3';

const regionsOf = (subject: Subject): readonly ReserveMem[] => (isIntact(subject) ? (subject.handover.memblock ?? []) : []);

const field = (node: TreeNode, name: string): TreeNode => node.children().find((child) => child.name === name) ?? node;

function* gaps(subject: Subject): Iterable<Hit> {
  const { map } = subject.handover;
  if (map === null || !canAskMap(subject)) return;
  for (const region of regionsOf(subject)) {
    const start = physicalAddress(region.start);
    const end = physicalAddress(region.start + region.size);
    // One that starts no page, and one in scratch, which is never preserved, have rules of their own.
    if (start === null || end === null || start % subject.dump.memory.pageSize !== 0 || scratchUnder(subject, region) !== undefined) continue;
    const first = map.blockOf(start);
    for (let at = start; at < end; ) {
      const block = map.blockOf(at);
      if (block === null && map.brokenAt(at, null) !== null) break;
      if (block === null) {
        const what = `the region ${JSON.stringify(region.name)} (${formatBytes(region.size)} at ${hex(region.start)}) is not preserved at ${hex(at)}`;
        // It was preserved as blocks from its start on: where none starts there, or as much is preserved that nobody claims, start was changed.
        const left = (unclaimedBlocks(subject) ?? []).reduce((sum, { order }) => sum + 2 ** order * subject.dump.memory.pageSize, 0);
        const isMoved = first === null || first.start !== start || BigInt(left) >= region.size;
        yield {
          ...hit(field(region.node, isMoved ? 'start' : 'size'), what),
          after: lostOf(subject, JSON.stringify(region.name)).map((place) => ({ at: place, rule: 'kho/keys-missing' })),
        };
        break;
      }
      at = block.start + subject.dump.memory.pageSize * 2 ** block.order;
    }
  }
}

/** The scratch area that a region overlaps. */
const scratchUnder = (subject: Subject, { start, size }: ReserveMem): ScratchArea | undefined =>
  knownAreas(subject)?.find((scratch) => start < BigInt(scratch.start + scratch.size) && BigInt(scratch.start) < start + size);

/** Where keys of a region were lost. @param name in quotes */
const lostOf = (subject: Subject, name: string): readonly number[] =>
  [...trustOf(subject).lost.values()].flatMap(({ at, all }) => (all.has(`region ${name}`) ? [at] : []));

/** Regions that lie on a folio, or on the page of a structure. */
function* onOthers(subject: Subject): Iterable<Hit> {
  const regions = regionsOf(subject).flatMap(({ name, start, size, node }) => {
    const first = physicalAddress(start);
    const end = physicalAddress(start + size);
    return first === null || end === null ? [] : [{ name, first, end, node }];
  });
  if (regions.length === 0) return;
  const told = new Set<string>();
  const { distrusted } = trustOf(subject);
  const see = function* (address: number, pages: number, what: string): Iterable<Hit> {
    const end = address + pages * subject.dump.memory.pageSize;
    for (const region of regions) {
      if (told.has(region.name) || address >= region.end || end <= region.first) continue;
      told.add(region.name);
      yield hit(field(region.node, 'start'), `region ${JSON.stringify(region.name)} (from ${hex(region.first)} on) overlaps ${what} at ${hex(address)}`);
    }
  };
  for (const reference of subject.handover.references)
    if (!distrusted.has(reference)) yield* see(reference.address, 2 ** (reference.order ?? 0), `the ${reference.what}`);
  const { pageSize } = subject.dump.memory;
  const [low, high] = [Math.min(...regions.map(({ first }) => first)) / pageSize, Math.max(...regions.map(({ end }) => end)) / pageSize];
  const { map } = subject.handover;
  let orders = new Uint8Array(0);
  let left = subject.limits.items;
  for (const memfd of memfdsOf(subject))
    for (const columns of memfd.columns()) {
      const { count, pfn } = columns;
      if (told.size === regions.length) return;
      left -= count;
      if (left < 0) return cutShort(subject, `${subject.handover.path}/memblock, regions on folios`);
      if (orders.length < count) orders = new Uint8Array(count);
      map?.ordersInto(pfn, count, orders);
      for (let at = 0; at < count; at++) {
        const frame = pfn[at] ?? 0;
        // Nearly all lie elsewhere.
        if (frame === 0 || frame >= high || (map !== null && frame + 2 ** Math.max(0, (orders[at] ?? 0) - 1) <= low)) continue;
        yield* see(frame * pageSize, memfd.pagesOf(memfd.folioAt(columns, at), null) ?? 1, 'a folio of a memfd');
      }
    }
}

export const smallSubtreeRules: readonly HandoverRule[] = [
  {
    id: 'memblock/damaged',
    severity: 'error',
    phase: 'early boot',
    title: 'the list of reserve_mem= regions is damaged',
    about: 'memblock-v1 has a node for each region, with the compatible reserve-mem-v1, a start and a size of 8 bytes each.',
    reaction: 'memblock/afresh',
    confirm: 'Look for "Revived memory reservation" in the log of the next kernel; it is missing for the region.',
    sources: [MEMBLOCK],
    check: (subject) => wrong(subject, 'memblock', (observation) => !observation.node.path.includes('/kho_test')),
  },
  {
    id: 'memblock/region',
    severity: 'error',
    phase: 'early boot',
    title: 'reserve_mem= region is impossible',
    about: 'A region is whole pages of this machine’s memory and is not empty.',
    reaction: 'memblock/afresh',
    confirm: 'Compare with reserve_mem= on the command line.',
    sources: [MEMBLOCK],
    *check(subject) {
      const pageSize = BigInt(subject.dump.memory.pageSize);
      for (const { name, start, size, node } of regionsOf(subject)) {
        const text = `region ${JSON.stringify(name)}: ${formatBytes(size)} at ${hex(start)}`;
        if (start === 0n || start % pageSize !== 0n || physicalAddress(start) === null) yield hit(field(node, 'start'), `${text}: no page starts there`);
        else if (size === 0n || physicalAddress(start + size) === null) yield hit(field(node, 'size'), `${text}: no region has this size`);
      }
    },
  },
  {
    id: 'memblock/size-unaligned',
    severity: 'warning',
    phase: 'early boot',
    title: 'size of a reserve_mem= region is not a multiple of the page size',
    about: 'reserve_mem= takes sizes in any unit; what is preserved are the pages.',
    reaction: 'memblock/size-unaligned',
    confirm: 'Compare with reserve_mem= on the command line.',
    sources: [MEMBLOCK],
    *check(subject) {
      const pageSize = BigInt(subject.dump.memory.pageSize);
      for (const { name, size, node } of regionsOf(subject)) {
        if (size % pageSize !== 0n) yield hit(field(node, 'size'), `the size of region ${JSON.stringify(name)} is ${size} bytes`);
      }
    },
  },
  {
    id: 'memblock/not-preserved',
    silent: true,
    severity: 'error',
    phase: 'preserve',
    title: 'a reserve_mem= region is not preserved, or not all of it',
    about: 'The region’s pages have keys in the preserved memory map like any other; start and size are found nowhere else.',
    reaction: 'memblock/not-preserved',
    confirm: 'Compare the region with the blocks of the map.',
    sources: [MEMBLOCK],
    check: gaps,
  },
  {
    id: 'memblock/size',
    severity: 'warning',
    phase: 'early boot',
    title: 'more is preserved after a reserve_mem= region than belongs to it',
    about: 'A region is preserved as blocks that end where it ends. A block that goes on means that the size was changed.',
    reaction: 'memblock/afresh',
    confirm: 'Compare with reserve_mem= on the command line.',
    sources: [MEMBLOCK],
    *check(subject) {
      const { map } = subject.handover;
      if (map === null || !canAskMap(subject)) return;
      for (const { name, start, size, node } of regionsOf(subject)) {
        const end = physicalAddress(start + size);
        const block = end === null || end === 0 ? null : map.blockOf(end - 1);
        if (block === null || end === null) continue;
        const reach = block.start + subject.dump.memory.pageSize * 2 ** block.order;
        if (reach - end >= subject.dump.memory.pageSize)
          yield hit(field(node, 'size'), `region ${JSON.stringify(name)} ends at ${hex(end)}, its last preserved block at ${hex(reach)}`);
      }
    },
  },
  {
    id: 'memblock/overlap',
    silent: true,
    severity: 'error',
    phase: 'early boot',
    title: 'two reserve_mem= regions overlap',
    about: 'Regions are allocated apart from each other.',
    reaction: 'memblock/overlap',
    confirm: 'List the regions in the report.',
    sources: [MEMBLOCK],
    *check(subject) {
      const sorted = [...regionsOf(subject)].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
      for (const [index, region] of sorted.entries()) {
        const before = sorted[index - 1];
        if (before !== undefined && before.start + before.size > region.start)
          yield {
            ...hit(field(region.node, 'start'), `region ${JSON.stringify(region.name)} starts inside region ${JSON.stringify(before.name)}`),
            after: [field(before.node, 'size'), field(region.node, 'start')].flatMap(({ path }) => [
              { path, rule: 'memblock/region' },
              { path, rule: 'memblock/not-preserved' },
            ]),
          };
      }
    },
  },
  {
    id: 'memblock/shared',
    silent: true,
    severity: 'error',
    phase: 'early boot',
    title: 'reserve_mem= region overlaps pages of something else',
    about: 'A region has memory of its own. One that overlaps a folio of a memfd, or the page of a structure, was moved there: start was changed.',
    reaction: 'memblock/shared',
    confirm: 'Compare with reserve_mem= on the command line, and the "reserve_mem" lines of the old kernel’s log.',
    sources: [MEMBLOCK, 'seen with 7.3.4: a region moved onto a memfd’s folios'],
    check: onOthers,
  },
  {
    id: 'memblock/in-scratch',
    silent: true,
    severity: 'error',
    phase: 'preserve',
    title: 'reserve_mem= region is inside a scratch area',
    about: 'The next kernel uses the scratch areas before it revives anything.',
    reaction: 'memblock/in-scratch',
    confirm: 'Compare the region with the scratch areas in the report.',
    sources: [MEMBLOCK],
    *check(subject) {
      for (const region of regionsOf(subject)) {
        const { name, node } = region;
        const area = scratchUnder(subject, region);
        if (area !== undefined) yield hit(field(node, 'start'), `region ${JSON.stringify(name)} overlaps the scratch area at ${hex(area.start)}`);
      }
    },
  },
  {
    id: 'kexec-metadata/damaged',
    severity: 'warning',
    phase: 'early boot',
    title: 'the kexec metadata cannot be read',
    about: 'Version 1 has 73 bytes: the version, the release of the kernel that jumped, and how many kexecs there were since the last cold boot.',
    reaction: 'kexec-metadata/damaged',
    confirm: 'Look for "exec from:" in the log of the next kernel; it is missing.',
    sources: [METADATA],
    check: (subject) => wrong(subject, 'kexec-metadata'),
  },
  {
    id: 'kexec-metadata/count',
    severity: 'warning',
    phase: 'early boot',
    title: 'kexec count is impossible',
    about: 'The count is 1 for the first handover after a cold boot.',
    reaction: 'kexec-metadata/count',
    confirm: 'Compare with the "exec from:" lines of the log.',
    sources: [METADATA],
    *check(subject) {
      const { kexecMetadata, luo } = subject.handover;
      if (kexecMetadata === null || !isIntact(subject)) return;
      const node = metadataField(kexecMetadata.node, 'kexec_count');
      if (kexecMetadata.kexecCount === 0) yield hit(node, 'the kexec count is 0; the first is 1');
      else if (kexecMetadata.kexecCount > MAX_PLAUSIBLE_KEXECS) yield hit(node, `the kexec count is ${kexecMetadata.kexecCount}`);
      else if (luo !== null && (luo.liveupdateNumber ?? 0n) > BigInt(kexecMetadata.kexecCount))
        yield hit(node, `${kexecMetadata.kexecCount} kexecs, but ${luo.liveupdateNumber} live updates`);
    },
  },
  {
    id: 'kexec-metadata/count-ahead',
    severity: 'info',
    phase: 'early boot',
    title: 'there were more kexecs than live updates',
    about:
      'Kernels without LUO count in kexec metadata, but not as a live update: one of the chain handed over no LUO state, or one of the two numbers is damaged.',
    reaction: 'kexec-metadata/count-ahead',
    confirm: 'Compare the "exec from:" and "liveupdate number:" lines of the log.',
    sources: [METADATA],
    *check(subject) {
      const { kexecMetadata, luo } = subject.handover;
      const number = luo?.liveupdateNumber ?? null;
      if (kexecMetadata === null || number === null || !isIntact(subject) || BigInt(kexecMetadata.kexecCount) <= number) return;
      yield hit(metadataField(kexecMetadata.node, 'kexec_count'), `kexec count ${kexecMetadata.kexecCount}, live update number ${number}`);
    },
  },
  {
    id: 'kexec-metadata/release',
    severity: 'warning',
    phase: 'early boot',
    title: 'previous release is not a kernel release',
    about: 'previous_release is utsname’s release, such as 7.3.4, zeroed after its end.',
    reaction: 'kexec-metadata/release',
    confirm: 'Compare with the banner in the old kernel’s log.',
    sources: [METADATA],
    *check(subject) {
      const { kexecMetadata, contract } = subject.handover;
      if (kexecMetadata === null || !isIntact(subject)) return;
      const text = kexecMetadata.previousRelease;
      const node = metadataField(kexecMetadata.node, 'previous_release');
      const release = releaseOf(text);
      if (!/^\d+\.\d+[\x21-\x7e]*$/.test(text)) yield hit(node, `previous_release is ${JSON.stringify(text)}`);
      else if (release !== null && contract?.status === 'released' && !contract.releases.includes(release))
        yield { ...hit(node, `previous_release is ${text}, but ${release} does not write ${contract.compatible}`), severity: 'info' };
      else if (release === null) yield { ...hit(node, `previous_release is ${text}, a release that is not known here`), severity: 'info' };
    },
  },
  {
    id: 'kho-test/damaged',
    severity: 'warning',
    phase: 'early boot',
    title: 'the data of the kernel’s own KHO test is damaged',
    about: 'CONFIG_TEST_KEXEC_HANDOVER hands over random folios and a checksum.',
    reaction: 'kho-test/damaged',
    confirm: 'Look for "test_kho:" in the log of the next kernel.',
    sources: ['lib/test_kho.c, 6.16 to 7.3'],
    *check(subject) {
      yield* wrong(subject, 'kho-test');
      yield* wrong(subject, 'memblock', (observation) => observation.node.path.includes('/kho_test'));
    },
  },
];

/** More kexecs than anybody made without a cold boot. */
const MAX_PLAUSIBLE_KEXECS = 1_000_000;

const metadataField = (node: TreeNode, name: string): TreeNode => field(node.children().find((child) => child.name === khoKexecMetadata.name) ?? node, name);
