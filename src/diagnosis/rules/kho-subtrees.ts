/**
 * Rules about the subtrees that the root FDT names: where their data is, how large, and whose it is. Source: kho_retrieve_subtree()
 * and kho_add_subtree(), kernel/liveupdate/kexec_handover.c, 6.16 to 7.3.
 */
import type { Handover } from '../../handover/decode.js';
import type { Layer } from '../../../abi/contract.js';
import { fdtHeader } from '../../../abi/fdt/header.js';
import { khoKexecMetadata } from '../../../abi/kexec-metadata/v1.js';
import { contractsOf } from '../../../abi/registry.js';
import { decodeStruct, toCString } from '../../codec/decode.js';
import { fdtProperty, fdtStrings, hasFdtMagic, parseFdt } from '../../codec/fdt.js';
import { offsetOf, sizeOf } from '../../codec/layout-table.js';
import { readBytes } from '../../memory/memory.js';
import { hex } from '../../tree/words.js';
import { type FactName, isFactName } from '../../../abi/behaviour/facts.js';
import { type HandoverRule, type Hit, hit, wrong } from '../rule.js';
import { type Subject, khoNode, rootNode } from '../subject.js';

const RETRIEVE = 'kho_retrieve_subtree(), kernel/liveupdate/kexec_handover.c, 7.3';

/** What a broken subtree does depends on who reads it. */
const subtreeReaction = (name: string): FactName => {
  const own = `subtree/${name}`;
  return isFactName(own) ? own : 'subtree/other';
};

/** Does a devicetree's own size contradict its header? As kernels write one, it ends where its strings end. */
function endsElsewhere(subject: Subject, address: number): boolean {
  const read = readBytes(subject.dump.memory, address, sizeOf(fdtHeader));
  if (!read.ok || !hasFdtMagic(read.bytes)) return false;
  const { totalsize, off_dt_strings: strings, size_dt_strings: length } = decodeStruct(fdtHeader, read.bytes);
  return strings + length !== totalsize;
}

/** The subtree a node below the root FDT belongs to, by its path. */
const subtreeOf = (handover: Handover, path: string): string => {
  const prefix = `${handover.path}/kho/fdt/`;
  const rest = path.startsWith(prefix) ? path.slice(prefix.length) : path.slice(`${handover.path}/kho/subtrees/`.length);
  return decodeURIComponent(rest.split('/')[0] ?? '');
};

const withSubtree = (subject: Subject, found: Hit): Hit => ofSubtree(found, subtreeOf(subject.handover, found.path ?? ''));

/** Nothing but its own messages depends on kexec metadata and the KHO test. */
function ofSubtree(found: Hit, name: string): Hit {
  const told = subtreeReaction(name);
  return { ...found, reaction: told, ...(told === 'subtree/kexec-metadata' || name === 'kho_test' ? { severity: 'warning' as const } : {}) };
}

export const khoSubtreeRules: readonly HandoverRule[] = [
  {
    id: 'kho/subtree-property',
    severity: 'error',
    phase: 'early boot',
    title: 'a subtree lacks the properties that say where its data is',
    about:
      'A subtree has `fdt` (up to 7.0), or `preserved-data` and `blob-size` (from 7.1), 8 bytes each. In 6.19 a subtree that could not be added is left as an empty node; 7.1 removes it.',
    reaction: 'kho/subtree-property',
    confirm: 'Look for "broken KHO subnode" in the log of the next kernel.',
    sources: [RETRIEVE],
    *check(subject) {
      for (const found of wrong(subject, 'subtree-property'))
        yield {
          ...withSubtree(subject, found),
          after: [
            { rule: 'kho/property-name', below: `${subject.handover.path}/kho` },
            ...['kho/fdt-truncated', 'kho/fdt-structure'].map((rule) => ({ rule, path: khoNode(subject).path })),
          ],
        };
    },
  },
  {
    id: 'kho/subtree-address',
    severity: 'error',
    phase: 'early boot',
    title: 'a subtree points outside memory',
    about: 'preserved-data (or fdt) is a physical address in memory of this machine, which the preserved map covers.',
    reaction: 'kho/subtree-address',
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
    title: 'data of a subtree is not page-aligned',
    about: 'Every user of KHO in the kernel hands over pages of its own, so a blob starts a page; an address inside of one was changed.',
    reaction: 'kho/subtree-unaligned',
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
    id: 'kho/subtree-size',
    severity: 'error',
    phase: 'early boot',
    title: 'size of a subtree’s blob is impossible',
    about: 'blob-size is the size of the blob in bytes; up to 7.0 the blob is an FDT and says its size itself.',
    reaction: 'kho/subtree-size',
    confirm: 'decode the blob at the address in preserved-data.',
    sources: [RETRIEVE],
    *check(subject) {
      for (const found of wrong(subject, 'subtree-size'))
        yield { ...withSubtree(subject, found), after: ['kho/wrong-page', 'kho/subtree-unaligned'].map((rule) => ({ rule, below: found.path ?? '' })) };
    },
  },
  {
    id: 'kho/subtree-blob',
    severity: 'error',
    phase: 'early boot',
    title: 'the FDT of a subtree is damaged',
    about: 'memblock, the KHO test and, up to 7.1, LUO hand over an FDT of their own.',
    reaction: 'kho/subtree-blob',
    confirm: 'decode --as fdt_header --at <address>.',
    sources: [RETRIEVE, 'mm/memblock.c, lib/test_kho.c'],
    *check(subject) {
      const kho = khoNode(subject).path;
      for (const found of wrong(subject, 'fdt-invalid', (observation) => observation.node.path !== kho)) {
        yield ofSubtree(found, decodeURIComponent((found.path ?? '').split('/')[1] ?? ''));
      }
    },
  },
  {
    id: 'kho/blob-size',
    severity: 'warning',
    phase: 'early boot',
    title: 'blob-size and what the blob says of itself disagree',
    about: 'The writer records the exact size: an FDT’s totalsize, or the size of the structure. Readers accept a blob that is larger than they need.',
    reaction: 'kho/blob-size',
    confirm: 'Compare blob-size with the header of the blob.',
    sources: ['kho_add_subtree(), kernel/liveupdate/kexec_handover.c, 7.1 to 7.3'],
    *check(subject) {
      for (const { name, size, ownSize, address } of subject.handover.subtrees) {
        if (size === null || ownSize === null || size === ownSize || subject.handover.released) continue;
        const path = `${subject.handover.path}/kho/fdt/${name}/blob-size`;
        const isOwn = address !== null && endsElsewhere(subject, address);
        yield {
          message: `blob-size of subtree ${JSON.stringify(name)} is ${size}, the blob itself has ${ownSize} bytes`,
          at: isOwn ? address + offsetOf(fdtHeader, 'totalsize') : propertyAt(subject, name, 'blob-size'),
          path: isOwn ? `${subject.handover.path}/${name === 'LUO' ? 'luo' : name}/fdt_header/totalsize` : path,
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
    reaction: 'kho/subtree-duplicate',
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
    id: 'kho/subtree-renamed',
    silent: true,
    severity: 'error',
    phase: 'early boot',
    title: 'name and data of a subtree disagree',
    about: 'A user of KHO finds its data by the name of the subtree alone. What a name leads to that nobody asks for says whose it is.',
    reaction: 'kho/subtree-renamed',
    confirm: 'Compare the name in the root FDT with the start of the data.',
    sources: [RETRIEVE, 'seen with 7.1.13 and 7.3.4: one letter of LUO and of memblock changed'],
    *check(subject) {
      if (subject.handover.released) return;
      const nodes =
        rootNode(subject)
          ?.children()
          .filter((child) => child.type === 'fdt node') ?? [];
      for (const [index, { name, node, address }] of subject.handover.subtrees.entries()) {
        const owner = address === null || KNOWN.has(name) ? null : ownerOf(subject, address);
        if (owner === null || subject.handover.subtrees.some((other) => other.name === owner)) continue;
        const from = nodes[index] ?? node;
        const at = from.address === null ? null : from.address + TOKEN;
        const lost = owner === 'LUO' ? {} : { reaction: subtreeReaction(owner) };
        yield { ...hit(from, `the subtree is called ${JSON.stringify(name)}, its data is that of ${owner}`, at), ...lost };
      }
    },
  },
  {
    id: 'kho/subtree-unknown',
    severity: 'info',
    phase: 'early boot',
    title: 'subtree name is unknown',
    about: 'Kernels up to 7.3 register memblock, LUO, kexec-metadata and kho_test. Any other name is an out-of-tree user’s, or damage.',
    reaction: 'kho/subtree-unknown',
    confirm: 'Ask who calls kho_add_subtree() with that name.',
    sources: ['all callers of kho_add_subtree(), 6.16 to 7.3'],
    *check(subject) {
      for (const { name, node, address } of subject.handover.subtrees) {
        if (KNOWN.has(name)) continue;
        const who = PROPOSED.has(name) ? 'of a mail series, and of no user in a release' : 'of no user known';
        yield hit(node, `the subtree ${JSON.stringify(name)} (at ${address === null ? 'no address' : hex(address)}) is ${who}`);
      }
    },
  },
];

const KNOWN: ReadonlySet<string> = new Set(['memblock', 'LUO', 'kexec-metadata', 'kho_test']);
/** Read by src/handover, though no release writes them. */
const PROPOSED: ReadonlySet<string> = new Set(['hwpoison']);

/** bytes; a node's name is after its token */
const TOKEN = 4;

/** The name of the user whose data is at `address`, by what it says of itself. */
function ownerOf(subject: Subject, address: number): string | null {
  const { memory } = subject.dump;
  const read = readBytes(memory, address, Math.min(memory.pageSize, memory.pageSize - (address % memory.pageSize)));
  if (!read.ok) return null;
  const compatible = hasFdtMagic(read.bytes)
    ? fdtStrings(fdtProperty(parseFdt(read.bytes).root ?? NOTHING, 'compatible')).join(';')
    : toCString(read.bytes.subarray(0, MAX_VERSION)).text;
  for (const contract of compatible.split(';').flatMap(contractsOf)) {
    const name = USERS.get(contract.layer);
    if (name !== undefined) return name;
  }
  if (hasFdtMagic(read.bytes)) return null;
  const { version, previous_release: release } = decodeStruct(khoKexecMetadata, read.bytes);
  return version === 1 && release.terminated && /^\d+\.\d+/.test(release.text) ? 'kexec-metadata' : null;
}

const NOTHING = { name: '', offset: 0, end: 0, properties: [], children: [] };
const MAX_VERSION = 64;
const USERS: ReadonlyMap<Layer, string> = new Map<Layer, string>([
  ['luo', 'LUO'],
  ['memblock', 'memblock'],
  ['kho-test', 'kho_test'],
]);

function propertyAt(subject: Subject, subtree: string, property: string): number | null {
  const { fdt, fdtAddress } = subject.handover.candidate;
  const found = fdt?.root?.children.find((node) => node.name === subtree)?.properties.find((candidate) => candidate.name === property);
  return found === undefined || fdtAddress === null ? null : fdtAddress + found.offset;
}
