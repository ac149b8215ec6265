/**
 * Rules about the root FDT of KHO and the subtrees it names. Sources: drivers of the checks are kho_populate() and
 * kho_retrieve_subtree(), kernel/liveupdate/kexec_handover.c, 6.16 to 7.3.
 */
import { fdtHeader } from '../../../abi/fdt/header.js';
import { sizeOf } from '../../codec/layout-table.js';
import type { Handover } from '../../handover/decode.js';
import { hex } from '../../handover/meaning.js';
import type { TreeNode } from '../../handover/tree.js';
import type { Reaction } from '../finding.js';
import { type HandoverRule, type Hit, type Reactions, hit, noted, reaction, wrong } from '../rule.js';
import type { Subject } from '../subject.js';

const POPULATE = 'kho_populate(), kernel/liveupdate/kexec_handover.c, 7.3 (kernel/kexec_handover.c up to 6.18)';
const RETRIEVE = 'kho_retrieve_subtree(), kernel/liveupdate/kexec_handover.c, 7.3';

const coldBoot: Reactions = {
  otherwise: reaction(
    'cold-boot',
    'The next kernel prints "handover FDT (0x…) is invalid" and "disabling KHO revival", and boots as if nothing had been handed over. All preserved memory is lost.',
  ),
};

/** What a broken subtree does depends on who reads it. */
export function subtreeReaction(name: string): Reaction {
  switch (name) {
    case 'LUO':
      return reaction(
        'panic',
        'liveupdate_early_init() accepts only a missing LUO subtree; anything else that keeps it from being read panics the next kernel ("The incoming tree failed to initialize properly").',
      );
    case 'memblock':
      return reaction('warns', 'reserve_mem= regions are not revived: the next kernel allocates them afresh, and their old contents stay behind, unreachable.');
    case 'kexec-metadata':
      return reaction('ignored', 'Only the message "exec from" is missing in the next kernel.');
    case 'kho_test':
      return reaction('warns', "The kernel's own KHO test reports a failure; nothing else depends on it.");
    default:
      return reaction('unknown', 'What reads this subtree in the next kernel gets an error (EINVAL or ENOENT).');
  }
}

/** The subtree a node below the root FDT belongs to, by its path. */
const subtreeOf = (handover: Handover, path: string): string => {
  const prefix = `${handover.path}/kho/fdt/`;
  const rest = path.startsWith(prefix) ? path.slice(prefix.length) : path.slice(`${handover.path}/kho/subtrees/`.length);
  return decodeURIComponent(rest.split('/')[0] ?? '');
};

const withSubtree = (subject: Subject, found: Hit): Hit => ({ ...found, reaction: subtreeReaction(subtreeOf(subject.handover, found.path ?? '')) });

const khoNode = (subject: Subject): TreeNode => subject.handover.node.children().find((child) => child.name === 'kho') ?? subject.handover.node;

const rootNode = (subject: Subject): TreeNode | undefined =>
  khoNode(subject)
    .children()
    .find((child) => child.name === '/');

/** The problems that parsing the root FDT met, by libfdt's codes. A copy cut short has problems of its own: those of the copy. */
function* problems(subject: Subject, codes: readonly number[]): Iterable<Hit> {
  const { candidate } = subject.handover;
  if (candidate.fdt === null || candidate.cutInCopy) return;
  const node = khoNode(subject);
  for (const problem of candidate.fdt.problems) {
    if (!codes.includes(problem.code)) continue;
    const at = candidate.fdtAddress === null ? null : candidate.fdtAddress + problem.offset;
    const header = problem.offset < sizeOf(fdtHeader) ? node.children().find((child) => child.name === 'fdt_header') : undefined;
    yield hit(header ?? node, `the root FDT: ${problem.text} (libfdt ${problem.code})`, at);
  }
}

const confirmFdt = 'Dump the page (decode --as fdt_header --at <address>), and look for "KHO: " lines at the start of the next kernel\'s log.';

const damaged = (id: string, title: string, about: string, codes: readonly number[]): HandoverRule => ({
  id,
  severity: 'error',
  phase: 'early boot',
  title,
  about,
  reactions: coldBoot,
  confirm: confirmFdt,
  sources: [POPULATE, 'fdt_check_header(), scripts/dtc/libfdt/fdt.c'],
  check: (subject) => problems(subject, codes),
});

export const khoFdtRules: readonly HandoverRule[] = [
  damaged(
    'kho/fdt-magic',
    'the root FDT does not start with the magic of a devicetree',
    'fdt_check_header() returns FDT_ERR_BADMAGIC (-9): the page was overwritten, or the address handed over is wrong.',
    [-9],
  ),
  damaged(
    'kho/fdt-version',
    'the root FDT has a version libfdt does not read',
    'libfdt reads versions 2 to 17; the kernel writes 17, compatible back to 16.',
    [-10],
  ),
  damaged(
    'kho/fdt-truncated',
    'parts of the root FDT lie outside of it',
    'An offset or size of the header points outside totalsize, or totalsize is no size (FDT_ERR_TRUNCATED, -8).',
    [-8],
  ),
  damaged(
    'kho/fdt-structure',
    'the structure block of the root FDT is damaged',
    'The header passes, but nodes and properties can not be walked (-11). What stands before the damage can still be read: if the root’s own properties are lost, the boot is a cold one; if a subtree is lost, its user gets an error.',
    [-11, -12, -4],
  ),
  {
    id: 'kho/fdt-oversized',
    severity: 'error',
    phase: 'early boot',
    title: 'the root FDT claims more than its page',
    about: 'The root FDT is created in one page and mapped as one page: what lies behind it is not the FDT’s.',
    reactions: coldBoot,
    confirm: confirmFdt,
    sources: [POPULATE],
    check: (subject) => wrong(subject, 'fdt-oversized'),
  },
  {
    id: 'kho/version-unknown',
    severity: 'error',
    phase: 'early boot',
    title: 'the compatible string of the handover is none a release knows',
    about:
      'The next kernel compares the string with its own and takes no other. It does not fail: it forgets the handover and boots cold. Everything below is still in memory, which is how this report can show it.',
    reactions: {
      otherwise: reaction(
        'cold-boot',
        'The next kernel prints "handover FDT (0x…) is incompatible with \'kho-v4\'" and "disabling KHO revival", and boots as if nothing had been handed over. Sessions are gone: RETRIEVE_SESSION gives ENOENT.',
      ),
    },
    confirm: 'Look for "is incompatible with" in the log of the next kernel; compare with `abi list`.',
    sources: [POPULATE, 'seen with 7.3.4: kho-v5 written over kho-v4 at the jump'],
    check: (subject) => wrong(subject, 'kho-unknown-version'),
  },
  {
    id: 'kho/version-unreleased',
    severity: 'warning',
    phase: 'early boot',
    title: 'the handover was written by a kernel between two releases',
    about: 'kho-v2 lived for two weeks of a merge window. Only a kernel of that window takes it over.',
    reactions: { otherwise: reaction('cold-boot', 'Every release refuses the string and boots cold.') },
    confirm: 'Compare the release in kexec metadata, and `abi list`.',
    sources: ['git history of include/linux/kho/abi/kexec_handover.h, April 2026'],
    *check(subject) {
      const { contract, compatible, candidate } = subject.handover;
      if (contract === null || contract.status === 'released' || compatible !== contract.compatible) return;
      yield {
        message: `compatible is ${compatible}, which no release ever spoke`,
        at: candidate.fdtAddress,
        path: `${subject.handover.path}/kho/fdt/compatible`,
      };
    },
  },
  {
    id: 'kho/compatible-missing',
    severity: 'error',
    phase: 'early boot',
    title: 'the root FDT has no compatible string',
    about: 'Without it nothing says how to read the rest.',
    reactions: coldBoot,
    confirm: confirmFdt,
    sources: [POPULATE],
    check: (subject) => wrong(subject, 'kho-compatible'),
  },
  {
    id: 'kho/map-property',
    severity: 'error',
    phase: 'early boot',
    title: 'the property that names the preserved memory map is missing or has a wrong size',
    about: 'preserved-memory-map holds 8 bytes: the physical address of the first chunk or of the radix root, in the byte order of the machine.',
    reactions: {
      otherwise: reaction('cold-boot', 'kho_populate() finds no map, and the next kernel boots cold.'),
      byDialect: {
        '6.16': reaction(
          'panic',
          'Up to 6.19 the map is not checked when the handover is taken: nothing is reserved, and preserved memory is used for other things.',
        ),
      },
    },
    confirm: 'decode the FDT page; the property has 8 bytes in every release.',
    sources: ['"kho: validate preserved memory map during population", 14 Jan 2026', POPULATE],
    check: (subject) => wrong(subject, 'kho-property'),
  },
  {
    id: 'kho/map-pointer',
    severity: 'error',
    phase: 'early boot',
    title: 'the preserved memory map is said to stand where no page is',
    about: 'The next kernel follows the address without looking: it walks whatever stands there.',
    reactions: { otherwise: reaction('panic', 'Following a wild address faults before the console speaks: the machine hangs or resets.') },
    confirm: 'Compare with the pages that this dump has; the map stands on whole pages of ordinary memory.',
    sources: [POPULATE],
    check: (subject) => wrong(subject, 'map-pointer'),
  },
  {
    id: 'kho/map-none',
    severity: 'error',
    phase: 'preserve',
    title: 'the handover names no preserved memory map',
    about:
      'Up to 7.0 the address is 0 until the handover is finalised, so a dump of the running old kernel shows 0. From 7.1 on it is set at boot and never 0.',
    reactions: { otherwise: reaction('cold-boot', 'kho_populate() finds no map, and the next kernel boots cold.') },
    confirm: 'Take the dump at the jump (machine_kexec), after finalisation.',
    sources: [POPULATE],
    *check(subject) {
      const early = subject.dialect === '6.16' && subject.moment !== 'early';
      for (const found of noted(subject, 'map-none')) {
        yield early
          ? { ...found, message: 'preserved-memory-map is 0: not finalised yet', severity: 'info', reaction: null }
          : {
              ...found,
              message: `preserved-memory-map is 0; ${subject.dialect === '6.16' ? 'a finalised handover has a map' : 'from 7.1 on it is set when the kernel boots'}`,
            };
      }
    },
  },
  {
    id: 'kho/subtree-property',
    severity: 'error',
    phase: 'early boot',
    title: 'a subtree lacks the properties that say where its data is',
    about:
      'A subtree has `fdt` (up to 7.0), or `preserved-data` and `blob-size` (from 7.1), 8 bytes each. In 6.19 a subtree that could not be added stays behind as an empty node; 7.1 removes it.',
    reactions: {
      otherwise: reaction(
        'unknown',
        'EINVAL, and from 7.1 "broken KHO subnode"; what follows depends on the subtree: LUO panics, memblock allocates afresh.',
        'EINVAL',
      ),
    },
    confirm: 'Look for "broken KHO subnode" in the log of the next kernel.',
    sources: [RETRIEVE],
    *check(subject) {
      for (const found of wrong(subject, 'subtree-property')) yield withSubtree(subject, found);
    },
  },
  {
    id: 'kho/subtree-address',
    severity: 'error',
    phase: 'early boot',
    title: 'a subtree points outside memory',
    about: 'preserved-data (or fdt) is a physical address in memory of this machine, which the preserved map covers.',
    reactions: { otherwise: reaction('unknown', 'The next kernel reads whatever stands there; LUO then panics, others fail.') },
    confirm: 'Compare with the memory of the dump and with the preserved map.',
    sources: [RETRIEVE],
    *check(subject) {
      for (const found of wrong(subject, 'subtree-missing')) yield withSubtree(subject, found);
    },
  },
  {
    id: 'kho/subtree-unaligned',
    severity: 'warning',
    phase: 'preserve',
    title: 'a subtree’s data does not start a page',
    about: 'Every user of KHO in the kernel hands over pages of its own, so a blob starts a page; an address inside of one was changed.',
    reactions: { otherwise: reaction('unknown', 'The next kernel reads from the middle of the page; LUO then panics, others fail.') },
    confirm: 'Show the page in hex.',
    sources: ['all callers of kho_add_subtree(), 6.16 to 7.3'],
    *check(subject) {
      for (const { name, address, node } of subject.handover.subtrees) {
        if (address === null || address % subject.dump.memory.pageSize === 0) continue;
        const pointer = rootNode(subject)
          ?.children()
          .find((child) => child.name === name)
          ?.children()
          .find((child) => child.name === 'preserved-data' || child.name === 'fdt');
        yield {
          ...hit(pointer ?? node, `the data of subtree ${JSON.stringify(name)} starts at ${hex(address)}, inside a page`),
          reaction: subtreeReaction(name),
        };
      }
    },
  },
  {
    id: 'kho/version-properties',
    severity: 'error',
    phase: 'early boot',
    title: 'the version of the handover does not go with its properties',
    about: 'Subtrees have `fdt` in kho-v1, `preserved-data` in kho-v2, and `blob-size` beside it from kho-v3 on: the compatible string was changed.',
    reactions: {
      otherwise: reaction(
        'cold-boot',
        'A kernel of the version that the string names finds none of the properties it looks for; one of the version that wrote it refuses the string.',
      ),
    },
    confirm: 'Compare the properties with `abi show` of both versions.',
    sources: [RETRIEVE],
    *check(subject) {
      const { compatible, contract, candidate } = subject.handover;
      const node = rootNode(subject)
        ?.children()
        .find((child) => child.name === 'compatible');
      if (contract === null || compatible !== contract.compatible || node === undefined) return;
      const used = new Set(candidate.fdt?.root?.children.flatMap((child) => child.properties.map((property) => property.name)));
      const fits =
        compatible === 'kho-v1'
          ? !used.has('preserved-data')
          : compatible === 'kho-v2'
            ? !used.has('fdt') && !used.has('blob-size')
            : !used.has('fdt') && (used.size === 0 || used.has('blob-size'));
      if (!fits) yield hit(node, `compatible is ${compatible}, but its subtrees have ${[...used].join(', ')}`);
    },
  },
  {
    id: 'kho/subtree-size',
    severity: 'error',
    phase: 'early boot',
    title: 'the size of a subtree’s blob can not be',
    about: 'blob-size is the size of the blob in bytes; up to 7.0 the blob is an FDT and says its size itself.',
    reactions: { otherwise: reaction('unknown', 'Depends on the subtree: LUO panics on a blob that is too small, kexec metadata is ignored.') },
    confirm: 'decode the blob at the address in preserved-data.',
    sources: [RETRIEVE],
    *check(subject) {
      for (const found of wrong(subject, 'subtree-size')) yield withSubtree(subject, found);
    },
  },
  {
    id: 'kho/subtree-blob',
    severity: 'error',
    phase: 'early boot',
    title: 'the FDT of a subtree is damaged',
    about: 'memblock, the KHO test and, up to 7.1, LUO hand over an FDT of their own.',
    reactions: { otherwise: reaction('unknown', 'Depends on the subtree: reserve_mem= regions are allocated afresh, the KHO test fails, LUO panics.') },
    confirm: 'decode --as fdt_header --at <address>.',
    sources: [RETRIEVE, 'mm/memblock.c, lib/test_kho.c'],
    *check(subject) {
      const kho = khoNode(subject).path;
      for (const found of wrong(subject, 'fdt-invalid', (observation) => observation.node.path !== kho)) {
        yield { ...found, reaction: subtreeReaction(decodeURIComponent((found.path ?? '').split('/')[1] ?? '')) };
      }
    },
  },
  {
    id: 'kho/blob-size',
    severity: 'warning',
    phase: 'early boot',
    title: 'blob-size and what the blob says of itself disagree',
    about: 'The writer records the exact size: an FDT’s totalsize, or the size of the structure. Readers accept a blob that is larger than they need.',
    reactions: { otherwise: reaction('ignored', 'As long as the blob is not too small, the next kernel reads the part it knows.') },
    confirm: 'Compare blob-size with the header of the blob.',
    sources: ['kho_add_subtree(), kernel/liveupdate/kexec_handover.c, 7.1 to 7.3'],
    *check(subject) {
      for (const { name, size, ownSize } of subject.handover.subtrees) {
        if (size === null || ownSize === null || size === ownSize || subject.handover.released) continue;
        const path = `${subject.handover.path}/kho/fdt/${name}/blob-size`;
        yield {
          message: `blob-size of subtree ${JSON.stringify(name)} is ${size}, the blob itself has ${ownSize} bytes`,
          at: propertyAt(subject, name, 'blob-size'),
          path,
        };
      }
    },
  },
  {
    id: 'kho/subtree-duplicate',
    severity: 'warning',
    phase: 'early boot',
    title: 'two subtrees have the same name',
    about: 'kho_add_subtree() refuses a name twice (EEXIST), so no kernel writes this; a reader finds the first.',
    reactions: { otherwise: reaction('ignored', 'The second is never found; its memory stays preserved and unclaimed.') },
    confirm: 'List the subtrees in the report.',
    sources: ['kho_add_subtree(), kernel/liveupdate/kexec_handover.c, 6.19 to 7.3'],
    *check(subject) {
      const seen = new Set<string>();
      for (const { name, node } of subject.handover.subtrees) {
        if (seen.has(name)) yield hit(node, `a subtree ${JSON.stringify(name)} was listed before`);
        seen.add(name);
      }
    },
  },
  {
    id: 'kho/subtree-unknown',
    severity: 'info',
    phase: 'early boot',
    title: 'nobody known uses a subtree of this name',
    about: 'Kernels up to 7.3 register memblock, LUO, kexec-metadata and kho_test. Any other name is an out-of-tree user’s, or damage.',
    reactions: { otherwise: reaction('unknown', 'If nothing in the next kernel asks for it, its memory stays preserved and unclaimed.') },
    confirm: 'Ask who calls kho_add_subtree() with that name.',
    sources: ['all callers of kho_add_subtree(), 6.16 to 7.3'],
    *check(subject) {
      const known = new Set(['memblock', 'LUO', 'kexec-metadata', 'kho_test']);
      for (const { name, node, address } of subject.handover.subtrees) {
        if (!known.has(name)) yield hit(node, `the subtree ${JSON.stringify(name)} (at ${address === null ? 'no address' : hex(address)}) is of no user known`);
      }
    },
  },
  {
    id: 'kho/fdt-full',
    severity: 'info',
    phase: 'preserve',
    title: 'the root FDT has no room for another subtree',
    about: 'The root FDT is one page. A 4 KiB page holds about 65 subtrees; then kho_add_subtree() fails with ENOMEM, and its user goes without.',
    reactions: null,
    confirm: 'Look for ENOMEM from the user that is missing in the list of subtrees.',
    sources: ['kho_add_subtree(), kernel/liveupdate/kexec_handover.c, 6.19 to 7.3'],
    *check(subject) {
      const { fdt, fdtAddress } = subject.handover.candidate;
      const { pageSize } = subject.dump.memory;
      const room = fdt === null ? pageSize : pageSize - fdt.header.totalsize;
      if (room >= 0 && room < ROOM_OF_A_SUBTREE)
        yield hit(khoNode(subject), `${room} bytes of the root FDT’s page are left, a subtree takes about ${ROOM_OF_A_SUBTREE}`, fdtAddress);
    },
  },
  {
    id: 'kho/fdt-layout',
    severity: 'info',
    phase: 'early boot',
    title: 'the header of an FDT is not as the kernel’s libfdt writes it',
    about:
      'A packed FDT of the kernel has version 17 (compatible back to 16), boot CPU 0, and reservation block, structure and strings in this order without gaps. Another header is legal, but no kernel wrote it.',
    reactions: { otherwise: reaction('ignored', 'libfdt reads it all the same.') },
    confirm: confirmFdt,
    sources: ['fdt_pack() and fdt_finish(), scripts/dtc/libfdt'],
    check: checkLayout,
  },
];

/** begin, name, two properties of 8 bytes, end; without the name */
const ROOM_OF_A_SUBTREE = 64;

function propertyAt(subject: Subject, subtree: string, property: string): number | null {
  const { fdt, fdtAddress } = subject.handover.candidate;
  const found = fdt?.root?.children.find((node) => node.name === subtree)?.properties.find((candidate) => candidate.name === property);
  return found === undefined || fdtAddress === null ? null : fdtAddress + found.offset;
}

function* checkLayout(subject: Subject): Iterable<Hit> {
  const { candidate, released } = subject.handover;
  for (const group of [khoNode(subject), ...subject.handover.node.children()]) {
    const header = group.children().find((child) => child.name === 'fdt_header');
    const isRoot = group === khoNode(subject);
    if (header === undefined || (isRoot ? candidate.cutInCopy : released)) continue;
    const values = new Map(header.children().map((child) => [child.name, Number(child.value)]));
    const value = (name: keyof typeof fdtHeader.fields): number => values.get(name) ?? 0;
    const exact: Partial<Record<keyof typeof fdtHeader.fields, number>> = {
      version: 17,
      last_comp_version: 16,
      boot_cpuid_phys: 0,
    };
    for (const [name, wanted] of Object.entries(exact)) {
      const node = header.children().find((child) => child.name === name);
      if (node !== undefined && Number(node.value) !== wanted) yield hit(node, `${name} is ${node.value}, the kernel writes ${wanted}`);
    }
    const blocks = `reservations at ${value('off_mem_rsvmap')}, structure at ${value('off_dt_struct')} (${value('size_dt_struct')} bytes), strings at ${value('off_dt_strings')} (${value('size_dt_strings')} bytes), ${value('totalsize')} bytes in all`;
    const packed =
      value('off_dt_struct') === value('off_mem_rsvmap') + EMPTY_RESERVATIONS &&
      value('off_dt_strings') === value('off_dt_struct') + value('size_dt_struct') &&
      value('totalsize') === value('off_dt_strings') + value('size_dt_strings');
    if (!packed) yield hit(header, `its blocks do not follow each other without gaps: ${blocks}`);
  }
}

/** Two 64-bit zeros end the reservation block. */
const EMPTY_RESERVATIONS = 16;
