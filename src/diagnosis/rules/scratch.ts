/** Rules about the scratch areas the next kernel boots in. Sources: kho_reserve_scratch(), kernel/liveupdate/kexec_handover.c, 6.16 to 7.3. */
import { khoData, setupData } from '../../../abi/boot/setup-data.js';
import { scratchNames, scratchNamesDiffer } from '../../../abi/boot/scratch-names.js';
import { khoScratch } from '../../../abi/kho/scratch.js';
import { offsetOf, sizeOf } from '../../codec/layout-table.js';
import { hex } from '../../tree/words.js';
import type { Scratch, ScratchArea } from '../../handover/roles.js';
import { SCRATCH_UNIT } from '../../handover/scan.js';
import type { HandoverRule, Hit } from '../rule.js';
import type { Subject } from '../subject.js';
import { scratchArraysOf } from '../scratch-arrays.js';

/** 16 TiB: more than any machine sets aside. */
const MAX_AREA = 2 ** 44;
/** Scratch areas of one node are placed one below the other. */
const NEAR = 2 ** 30;

const SOURCE = 'kho_reserve_scratch() and kho_populate(), kernel/liveupdate/kexec_handover.c, 6.16 to 7.3';

const path = (subject: Subject): string => `${subject.handover.path}/kho/scratch`;

function* when(subject: Subject, states: readonly Scratch['state'][]): Iterable<Hit> {
  const { scratch } = subject.handover;
  if (states.includes(scratch.state)) yield { message: scratch.why, at: scratch.address, path: path(subject) };
}

/** Every entry of the arrays known, with the address it is at. */
function* entriesOf(subject: Subject): Iterable<{
  readonly area: ScratchArea;
  readonly index: number;
  readonly at: number | null;
  readonly name: string;
  readonly others: readonly ScratchArea[];
}> {
  for (const { address, areas, isCopy } of scratchArraysOf(subject))
    for (const [index, area] of areas.entries())
      yield {
        area,
        index,
        at: address === null ? null : address + index * sizeOf(khoScratch),
        name: `scratch area ${index}${isCopy ? ' (in the copy that the jump puts into place)' : ''}`,
        others: areas.filter((_, other) => other !== index),
      };
}

const sizeAt = (at: number | null): number | null => (at === null ? null : at + offsetOf(khoScratch, 'size'));

export const scratchRules: readonly HandoverRule[] = [
  {
    id: 'scratch/two-names',
    severity: 'warning',
    phase: 'jump',
    title: 'the devicetree names scratch by its old and by its new name',
    about: `arm64's /chosen has linux,kho-scratch (up to 7.3) and linux,kho-bootmem (queued). A kernel that writes one leaves the other alone: it is of a kernel before, and its addresses with it. ${scratchNamesDiffer.arm64}`,
    reaction: 'scratch/two-names',
    confirm: 'Compare both properties with out/scratch_phys (or bootmem_phys) of the kernel that wrote the devicetree.',
    sources: ['drivers/of/kexec.c and drivers/of/fdt.c, 6.16 to 7.3; branch kho-bootmem of liveupdate.git, 24 Sep 2026'],
    *check(subject) {
      const { namedBy, foundBy } = subject.handover.candidate;
      if (foundBy !== 'devicetree') return;
      for (const [index, node] of namedBy.entries()) {
        const twin = namedBy.slice(index + 1).find(({ address }) => address === node.address);
        if (twin === undefined) continue;
        const same = twin.scratchAddress === node.scratchAddress && twin.scratchSize === node.scratchSize;
        const [old, renamed] = scratchNames;
        yield {
          message: `/chosen of the devicetree at ${hex(node.address)} has ${old?.chosen} (${hex(node.scratchAddress)}, ${node.scratchSize} bytes) and ${renamed?.chosen} (${hex(twin.scratchAddress)}, ${twin.scratchSize} bytes)${same ? ', the same array' : ': one of them is of a kernel before'}`,
          at: node.address,
          path: path(subject),
          ...(same ? { severity: 'info' as const } : {}),
        };
      }
    },
  },
  {
    id: 'scratch/empty',
    silent: true,
    severity: 'error',
    phase: 'jump',
    title: 'size of the low scratch area is 0',
    about: 'The first area is the low memory that the next kernel needs in any case. Other areas may be empty.',
    reaction: 'scratch/unusable',
    confirm: 'Compare with out/scratch_len of debugfs, and the "reserved" lines of the old kernel’s log.',
    sources: [SOURCE, 'seen with 7.3.4: size 0 written at the jump'],
    *check(subject) {
      for (const { area, index, at, name } of entriesOf(subject))
        if (index === 0 && area.size === 0) yield { message: `${name}: size is 0`, at: sizeAt(at), path: path(subject) };
    },
  },
  {
    id: 'scratch/beyond-memory',
    silent: true,
    severity: 'error',
    phase: 'jump',
    title: 'scratch area is outside the machine’s memory',
    about: 'The areas are reserved by the first kernel of a chain, in memory that it has, and stay where they are.',
    reaction: 'scratch/unusable',
    confirm: 'Compare with out/scratch_phys of debugfs.',
    sources: [SOURCE, 'seen with 7.3.4: an address beyond memory written at the jump'],
    *check(subject) {
      const { memory } = subject.dump;
      const last = memory.readable.at(-1)?.end ?? 0;
      for (const { area, at, name, others } of entriesOf(subject)) {
        if (area.size === 0) continue;
        // A dump may leave out all that is so high: the areas of one kernel are then close together.
        const isAlone = others.length === 0 ? area.start % SCRATCH_UNIT !== 0 : !others.some(({ start }) => Math.abs(start - area.start) < NEAR);
        const text = `${name}: ${hex(area.size)} bytes at ${hex(area.start)}`;
        if (area.start % memory.pageSize !== 0) yield { message: `${text}, which starts no page`, at, path: path(subject) };
        else if (isAlone && (area.start >= last || (area.size < MAX_AREA && memory.stateOf(area.start) === 'out-of-range')))
          yield { message: `${text}, where this machine has no memory`, at, path: path(subject) };
        else if (area.size % memory.pageSize !== 0 || area.size >= MAX_AREA)
          yield { message: `${text}, which no area has`, at: sizeAt(at), path: path(subject) };
      }
    },
  },
  {
    id: 'scratch/overlap',
    silent: true,
    severity: 'error',
    phase: 'jump',
    title: 'scratch areas overlap',
    about: 'Each area is reserved apart from the others.',
    reaction: 'scratch/overlap',
    confirm: 'Compare with out/scratch_phys and out/scratch_len of debugfs.',
    sources: [SOURCE],
    *check(subject) {
      for (const { area, index, at, name, others } of entriesOf(subject)) {
        const other = others.slice(0, index).find(({ start, size }) => area.start < start + size && start < area.start + area.size);
        if (other !== undefined && area.size > 0)
          yield { message: `${name}: ${hex(area.size)} bytes at ${hex(area.start)} overlap the area at ${hex(other.start)}`, at, path: path(subject) };
      }
    },
  },
  {
    id: 'scratch/copies-differ',
    silent: true,
    severity: 'warning',
    phase: 'jump',
    title: 'copies of the scratch array differ',
    about: 'The image that is loaded for kexec has a copy of the kernel’s own array. One of them was changed.',
    reaction: 'scratch/unusable',
    confirm: 'Compare with out/scratch_phys and out/scratch_len of debugfs.',
    sources: [SOURCE],
    *check(subject) {
      const [first, ...others] = scratchArraysOf(subject);
      for (const other of others) {
        const index = other.areas.findIndex((area, at) => area.start !== first?.areas[at]?.start || area.size !== first.areas[at]?.size);
        const entry = index * sizeOf(khoScratch);
        if (index === -1 || first?.address == null || other.address === null) continue;
        const after = ['scratch/empty', 'scratch/beyond-memory', 'scratch/overlap'].map((rule) => ({ rule, path: path(subject) }));
        yield {
          message: `area ${index} of the array at ${hex(other.address)} is not that of the array at ${hex(first.address)}`,
          at: other.address + entry,
          path: path(subject),
          after,
        };
      }
    },
  },
  {
    id: 'scratch/node-size',
    silent: true,
    severity: 'error',
    phase: 'jump',
    title: 'fdt_size of a kho_data node is 0',
    about: 'setup_data hands the root FDT over as one page. Where the size is 0 the next kernel maps nothing.',
    reaction: 'scratch/node-size',
    confirm: 'Show the node in hex.',
    sources: ['add_kho() of arch/x86/kernel/setup.c, 6.16 to 7.3', 'seen with 7.3.4'],
    *check(subject) {
      for (const node of subject.handover.candidate.namedBy) {
        if (node.fdtSize === 0)
          yield {
            message: `fdt_size of the kho_data node at ${hex(node.address)} is 0, a page is ${subject.dump.memory.pageSize}`,
            at: node.address + sizeOf(setupData) + offsetOf(khoData, 'fdt_size'),
            path: `${subject.handover.path}/kho`,
          };
      }
    },
  },
  {
    id: 'scratch/not-filled',
    silent: true,
    severity: 'info',
    phase: 'jump',
    title: 'the scratch areas are not known yet',
    about:
      'The array that a setup_data node names is a destination: it is copied there at the jump. In a dump of the old kernel it still reads as zeros, or as whatever was there, and where the kernel’s own array is not in the dump either, nothing can be held against the scratch areas.',
    reaction: null,
    confirm: 'A dump of the next kernel, or out/scratch_phys and out/scratch_len of debugfs, lists them.',
    sources: [SOURCE, 'seen with 7.3.4 and 7.1.13, stopped at machine_kexec'],
    check: (subject) => when(subject, ['empty', 'implausible']),
  },
  {
    id: 'scratch/unknown',
    silent: true,
    severity: 'info',
    phase: 'jump',
    title: 'nothing in the dump tells where the scratch areas are',
    about: 'No setup_data node names this FDT, or the array that it names is not in the dump. Preserved memory cannot be checked against scratch then.',
    reaction: null,
    confirm: 'out/scratch_phys and out/scratch_len of debugfs list them.',
    sources: [SOURCE],
    check: (subject) => when(subject, ['missing', 'not-named']),
  },
  {
    id: 'scratch/alignment',
    silent: true,
    severity: 'info',
    phase: 'jump',
    title: 'a scratch area is not aligned to the largest block of the page allocator',
    about: 'Up to 7.1 areas are rounded to the smallest CMA alignment only and may merge with their neighbours’ page blocks; from 7.2 on to the largest block.',
    reaction: 'scratch/alignment',
    confirm: 'Compare start and size with 4 MiB (at 4 KiB pages).',
    sources: ['"make sure scratch size aligned", in 7.2', SOURCE],
    *check(subject) {
      const { scratch } = subject.handover;
      if (scratch.areas === null || subject.dialect !== '7.2') return;
      const unit = subject.dump.memory.pageSize * MAX_ORDER_PAGES;
      for (const area of scratch.areas) {
        if (area.start % unit === 0 && area.size % unit === 0) continue;
        yield {
          message: `the scratch area of ${hex(area.size)} bytes at ${hex(area.start)} is not aligned to ${hex(unit)}`,
          at: area.start,
          path: path(subject),
        };
      }
    },
  },
];

/** MAX_ORDER_NR_PAGES where nobody configured it otherwise. */
const MAX_ORDER_PAGES = 1024;
