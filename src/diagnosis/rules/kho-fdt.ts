/**
 * Rules about the root FDT of KHO and the subtrees it names. Sources: drivers of the checks are kho_populate() and
 * kho_retrieve_subtree(), kernel/liveupdate/kexec_handover.c, 6.16 to 7.3.
 */
import { LARGEST_FDT } from '../../codec/fdt.js';
import { fdtHeader, fdtProp } from '../../../abi/fdt/header.js';
import { offsetOf, sizeOf } from '../../codec/layout-table.js';
import { type Clue, type HandoverRule, type Hit, hit, noted, wrong } from '../rule.js';
import { type Subject, isOfChunks, khoNode, rootNode } from '../subject.js';

const POPULATE = 'kho_populate(), kernel/liveupdate/kexec_handover.c, 7.3 (kernel/kexec_handover.c up to 6.18)';
const RETRIEVE = 'kho_retrieve_subtree(), kernel/liveupdate/kexec_handover.c, 7.3';

/** The problems that parsing the root FDT met, by libfdt's codes. A copy cut short has problems of its own: those of the copy. */
function* problems(subject: Subject, codes: readonly number[]): Iterable<Hit> {
  const { candidate } = subject.handover;
  if (candidate.fdt === null || candidate.cutInCopy) return;
  const node = khoNode(subject);
  for (const problem of candidate.fdt.problems) {
    if (!codes.includes(problem.code)) continue;
    // Nothing holds totalsize against the page (kho/fdt-oversized).
    if (problem.offset === offsetOf(fdtHeader, 'totalsize') && isOversized(subject)) continue;
    const at = candidate.fdtAddress === null ? null : candidate.fdtAddress + problem.blamed;
    const header = problem.blamed < sizeOf(fdtHeader) ? node.children().find((child) => child.name === 'fdt_header') : undefined;
    yield hit(header ?? node, `the root FDT: ${problem.text} (libfdt ${problem.code})`, at);
  }
}

const isOversized = (subject: Subject): boolean => {
  const totalsize = subject.handover.candidate.fdt?.header.totalsize ?? 0;
  return totalsize > subject.dump.memory.pageSize && totalsize <= LARGEST_FDT;
};

const confirmFdt = 'Dump the page (decode --as fdt_header --at <address>), and look for "KHO: " lines at the start of the next kernel\'s log.';

const damaged = (id: string, title: string, about: string, codes: readonly number[]): HandoverRule => ({
  id,
  severity: 'error',
  phase: 'early boot',
  title,
  about,
  reaction: 'kho/fdt-refused',
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
    'The header passes, but nodes and properties cannot be walked (-11). What is before the damage can still be read: if the root’s own properties are lost, the boot is a cold one; if a subtree is lost, its user gets an error.',
    [-11, -12, -4],
  ),
  {
    id: 'kho/fdt-oversized',
    severity: 'info',
    phase: 'early boot',
    title: 'root FDT’s totalsize is more than a page',
    about:
      'The root FDT is created in one page and mapped as one page. The next kernel does not hold totalsize against it; what the blocks’ offsets say counts.',
    reaction: 'kho/fdt-oversized',
    confirm: confirmFdt,
    sources: [POPULATE],
    check: (subject) => wrong(subject, 'fdt-oversized'),
  },
  {
    id: 'kho/version-unknown',
    severity: 'error',
    phase: 'early boot',
    title: 'compatible string of the handover is of no known release',
    about:
      'The next kernel compares the string with its own and takes no other. It does not fail: it forgets the handover and boots cold. Everything below is still in memory, which is how this report can show it.',
    reaction: 'kho/version-unknown',
    confirm: 'Look for "is incompatible with" in the log of the next kernel; compare with `abi list`.',
    sources: [POPULATE, 'seen with 7.3.4: kho-v5 written over kho-v4 at the jump'],
    check: (subject) => wrong(subject, 'kho-unknown-version'),
  },
  {
    id: 'kho/property-name',
    severity: 'error',
    phase: 'early boot',
    title: 'property name is unknown to KHO',
    about:
      'Names of properties are once in the strings block, and all properties of the name lead there. Where a node lacks a property and has one of an unknown name instead, the string, or the property’s offset into the block, was changed.',
    reaction: 'kho/property-name',
    confirm: 'Show the strings block in hex.',
    sources: [POPULATE, RETRIEVE, 'seen with 7.3.4: one letter of blob-size changed'],
    check: propertyNames,
  },
  {
    id: 'kho/version-unreleased',
    severity: 'warning',
    phase: 'early boot',
    title: 'version of the handover is of a merge window, not of a release',
    about: 'kho-v2 lived for two weeks of a merge window. Only a kernel of that window takes it over.',
    reaction: 'kho/version-unreleased',
    confirm: 'Compare the release in kexec metadata, and `abi list`.',
    sources: ['git history of include/linux/kho/abi/kexec_handover.h, April 2026'],
    *check(subject) {
      const { contract, compatible, candidate } = subject.handover;
      if (contract === null || contract.status === 'released' || contract.status === 'own' || compatible !== contract.compatible) return;
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
    reaction: 'kho/fdt-refused',
    confirm: confirmFdt,
    sources: [POPULATE],
    *check(subject) {
      for (const found of wrong(subject, 'kho-compatible')) yield { ...found, after: [...byName(subject), ...byStructure(subject)] };
    },
  },
  {
    id: 'kho/map-property',
    severity: 'error',
    phase: 'early boot',
    title: 'the property that names the preserved memory map is missing or has a wrong size',
    about: 'preserved-memory-map holds 8 bytes: the physical address of the first chunk or of the radix root, in the byte order of the machine.',
    reaction: 'kho/map-property',
    confirm: 'decode the FDT page; the property has 8 bytes in every release.',
    sources: ['"kho: validate preserved memory map during population", 14 Jan 2026', POPULATE],
    *check(subject) {
      for (const found of wrong(subject, 'kho-property')) yield { ...found, at: lengthOf(subject, 'preserved-memory-map') ?? found.at, after: byName(subject) };
    },
  },
  {
    id: 'kho/map-pointer',
    severity: 'error',
    phase: 'early boot',
    title: 'preserved-memory-map is not the address of a page',
    about: 'The next kernel follows the address without looking: it walks whatever is there.',
    reaction: 'kho/map-pointer',
    confirm: 'Compare with the pages that this dump has; the map is on whole pages of ordinary memory.',
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
    reaction: 'kho/map-none',
    confirm: 'Take the dump at the jump (machine_kexec), after finalisation.',
    sources: [POPULATE],
    *check(subject) {
      // A kernel without LUO (up to 6.18) puts its FDT into an image only once it is finalised.
      const isLoaded = subject.handover.candidate.namedBy.length > 0 && !subject.handover.hasLuo;
      const early = isOfChunks(subject.dialect) && subject.moment !== 'early' && !isLoaded;
      for (const found of noted(subject, 'map-none')) {
        yield early
          ? { ...found, message: 'preserved-memory-map is 0: not finalised yet', severity: 'info', reaction: null }
          : {
              ...found,
              message: `preserved-memory-map is 0; ${isOfChunks(subject.dialect) ? 'a finalised handover has a map' : 'from 7.1 on it is set when the kernel boots'}`,
            };
      }
    },
  },
  {
    id: 'kho/version-properties',
    severity: 'error',
    phase: 'early boot',
    title: 'version and properties of the root FDT disagree',
    about: 'Subtrees have `fdt` in kho-v1, `preserved-data` in kho-v2, and `blob-size` beside it from kho-v3 on: the compatible string was changed.',
    reaction: 'kho/version-properties',
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
      if (!fits) yield { ...hit(node, `compatible is ${compatible}, but its subtrees have ${[...used].join(', ')}`), after: byName(subject) };
    },
  },
  {
    id: 'kho/fdt-full',
    severity: 'info',
    phase: 'preserve',
    title: 'the root FDT has no room for another subtree',
    about: 'The root FDT is one page. A 4 KiB page holds about 65 subtrees; then kho_add_subtree() fails with ENOMEM, and its user goes without.',
    reaction: null,
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
    reaction: 'kho/fdt-layout',
    confirm: confirmFdt,
    sources: ['fdt_pack() and fdt_finish(), scripts/dtc/libfdt'],
    check: checkLayout,
  },
];

/** A finding about the name of a property comes before what lacks it. */
const byName = (subject: Subject): readonly Clue[] => [{ rule: 'kho/property-name', below: `${subject.handover.path}/kho` }];
const byStructure = (subject: Subject): readonly Clue[] => [
  { rule: 'kho/fdt-structure', path: khoNode(subject).path },
  { rule: 'kho/fdt-truncated', below: khoNode(subject).path },
  { rule: 'kho/fdt-truncated', path: khoNode(subject).path },
];

/** Physical address of the length of a property of the root. */
function lengthOf(subject: Subject, name: string): number | null {
  const { fdt, fdtAddress } = subject.handover.candidate;
  const property = fdt?.root?.properties.find((candidate) => candidate.name === name);
  return property === undefined || fdtAddress === null || property.value.length === 8
    ? null
    : fdtAddress + property.tokenOffset + offsetOf(fdtProp, 'len') + TOKEN_SIZE;
}

/** bytes */
const TOKEN_SIZE = 4;
const OF_ROOT = new Set(['compatible', 'preserved-memory-map']);
const OF_SUBTREE = new Set(['fdt', 'preserved-data', 'blob-size']);

function* propertyNames(subject: Subject): Iterable<Hit> {
  const { fdt, fdtAddress, cutInCopy } = subject.handover.candidate;
  const { contract, released } = subject.handover;
  if (fdt === null || fdt.root === null || fdtAddress === null || cutInCopy || released || contract?.fdt == null) return;
  const wanted = new Set(contract.fdt.children.flatMap(({ properties }) => Object.keys(properties)));
  const seen = new Map<number, { name: string; tokens: number[] }>();
  for (const [node, known, needed] of [[fdt.root, OF_ROOT, OF_ROOT] as const, ...fdt.root.children.map((child) => [child, OF_SUBTREE, wanted] as const)]) {
    const names = new Set(node.properties.map(({ name }) => name));
    if ([...needed].every((name) => names.has(name))) continue;
    for (const { name, tokenOffset } of node.properties) {
      if (known.has(name)) continue;
      const offset = new DataView(fdt.bytes.buffer, fdt.bytes.byteOffset).getUint32(tokenOffset + TOKEN_SIZE + offsetOf(fdtProp, 'nameoff'));
      const before = seen.get(offset);
      if (before === undefined) seen.set(offset, { name, tokens: [tokenOffset] });
      else before.tokens.push(tokenOffset);
    }
  }
  for (const [offset, { name, tokens }] of seen) {
    // Of several properties it is their string that was changed, of one its offset, unless no other has what it lacks.
    const [token = 0] = tokens;
    const isString =
      tokens.length > 1 || offset + fdt.header.off_dt_strings >= fdt.bytes.length || startsAString(fdt.bytes, fdt.header.off_dt_strings + offset);
    const at = fdtAddress + (isString ? fdt.header.off_dt_strings + offset : token + TOKEN_SIZE + offsetOf(fdtProp, 'nameoff'));
    const where = tokens.length === 1 ? 'a property' : `${tokens.length} properties`;
    yield hit(
      khoNode(subject)
        .children()
        .find((child) => child.name === '/') ?? khoNode(subject),
      `the name of ${where} is ${JSON.stringify(name)}, which no handover has`,
      at,
    );
  }
}

const startsAString = (bytes: Uint8Array, offset: number): boolean => bytes[offset - 1] === 0;

/** begin, name, two properties of 8 bytes, end; without the name */
const ROOM_OF_A_SUBTREE = 64;

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
