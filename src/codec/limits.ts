/**
 * How much work and memory one command may spend on what it was given, whatever the file says: one table, which the budget
 * counts by and docs/limits.md is made from.
 */

interface Limit {
  /** how much, unless `--limit <name>=<n>` says otherwise */
  readonly allowed: number;
  readonly unit: string;
  /** what is counted */
  readonly counts: string;
  /** what happens past it */
  readonly past: string;
}

/** `Refused`: status 2, in one line. Everything else goes on with what was read, and `diagnose` has a finding limit/reached. */
export const limits = {
  'unpacked-ratio': {
    allowed: 256,
    unit: 'times',
    counts: 'what a compressed dump unpacks to against its own size, all layers of compression together, from 1 GiB on',
    past: 'refused',
  },
  'memory-ranges': {
    allowed: 1 << 20,
    unit: 'ranges',
    counts: 'stretches of memory that a dump is searched in',
    past: 'what lies past them is not searched; it is still read where something points to it',
  },
  'flattened-pieces': {
    allowed: 1 << 21,
    unit: 'pieces',
    counts: 'of a file that makedumpfile -F wrote',
    past: 'refused',
  },
  handovers: {
    allowed: 32,
    unit: 'handovers',
    counts: 'root FDTs found in one dump',
    past: 'the rest are not decoded',
  },
  'fdt-items': {
    allowed: 1 << 18,
    unit: 'nodes and properties',
    counts: 'of all FDTs together',
    past: 'the FDT is read up to there',
  },
  'fdt-text': {
    allowed: 1 << 24,
    unit: 'bytes',
    counts: 'names of nodes and properties in all FDTs together',
    past: 'the FDT is read up to there',
  },
  'name-bytes': {
    allowed: 256,
    unit: 'bytes',
    counts: 'one name of an FDT',
    past: 'the name is cut there',
  },
  'map-nodes': {
    allowed: 1 << 20,
    unit: 'nodes',
    counts: 'nodes, chunks and bitmaps of preserved memory maps',
    past: 'the map is read up to there',
  },
  entries: {
    allowed: 1 << 15,
    unit: 'entries',
    counts:
      'sessions, files, FLBs and preserved PCI devices of all handovers together that are decoded and kept: not those of a list of 1024 sessions and more in whose block nothing is wrong',
    past: 'the rest are not decoded',
  },
  'block-chain': {
    allowed: 10000,
    unit: 'blocks',
    counts: 'blocks of one chain; the kernel itself gives up there',
    past: 'the chain is read up to there',
  },
  'vmalloc-chunks': {
    allowed: 1 << 18,
    unit: 'chunks',
    counts: 'chunks of all vmalloc areas together',
    past: 'the area is read up to there',
  },
  followed: {
    allowed: 1 << 16,
    unit: 'structures',
    counts: 'structures, pages and entries that the data of files and FLBs leads to, memfds apart',
    past: 'the rest are not decoded',
  },
  references: {
    allowed: 1 << 21,
    unit: 'pages',
    counts: 'pages of one handover that structures point to, folios apart',
    past: 'whether the rest are preserved is not checked',
  },
  'shared-pages': {
    allowed: 1 << 14,
    unit: 'pages',
    counts: 'pages of tables, of bitmaps and of files that are reached a second time, as nothing that a kernel hands over is',
    past: 'the rest are not read again',
  },
  'frame-pieces': {
    allowed: 1 << 13,
    unit: 'GiB',
    counts: 'of memory with a page frame in it, in pages of 4 KiB, for each of the few lists of frames that are told apart',
    past: 'whether the rest are named twice, or by nothing, is not checked',
  },
  'shared-runs': {
    allowed: 1 << 16,
    unit: 'runs of folios',
    counts: 'of tables that a JSON report has listed already, as those of another file',
    past: 'the list ends there, which standard error tells',
  },
  'ledger-arrays': {
    allowed: 1 << 16,
    unit: 'times 1024 blocks',
    counts: 'preserved blocks that the page ledger keeps an owner of, in neighbourhoods of 1024: 256 GiB in single pages, any machine in huge ones',
    past: 'the blocks after them are not accounted for, which the ledger tells',
  },
  'ledger-claims': {
    allowed: 1 << 24,
    unit: 'blocks',
    counts: 'preserved blocks, or pages that are not preserved, that the page ledger meets over all that is claimed',
    past: 'the rest are nobody’s, which the ledger tells',
  },
  'check-items': {
    allowed: 1 << 25,
    unit: 'items',
    counts: 'folios, blocks and references that one rule looks at',
    past: 'the rule has not looked at the rest',
  },
  'lost-blocks': {
    allowed: 1 << 16,
    unit: 'blocks',
    counts: 'preserved blocks that nothing points to, looked at for sessions and files that no list leads to',
    past: 'the rest are not looked at',
  },
  'btf-visits': {
    allowed: 1 << 21,
    unit: 'members',
    counts: 'members of BTF structures that are opened up, those of anonymous ones in them included',
    past: 'refused',
  },
  'btf-text': {
    allowed: 1 << 25,
    unit: 'bytes',
    counts: 'names read from BTF',
    past: 'refused',
  },
  'kernel-image-attempts': {
    allowed: 100,
    unit: 'places',
    counts: 'places of a vmlinuz that start like a compressed kernel and are tried',
    past: 'refused',
  },
  'kernel-image-bytes': {
    allowed: 3 << 26,
    unit: 'bytes',
    counts: 'what compressed kernels and BTF files unpack to, in memory',
    past: 'refused',
  },
  'yaml-bytes': {
    allowed: 1 << 20,
    unit: 'bytes',
    counts: 'a scenario, a contract file or a suppression file',
    past: 'refused',
  },
  'archive-bytes': {
    allowed: 1 << 26,
    unit: 'bytes',
    counts: 'a tar archive, unpacked, or the files of a folder: a capture or a copied kho folder',
    past: 'refused',
  },
  'gate-lines': {
    allowed: 1 << 19,
    unit: 'lines',
    counts: 'headers that `abi gate` reads, before and after each patch, and fields and macros of theirs, worked out',
    past: 'refused',
  },
  'engine-steps': {
    // Some 30 an entry, as many as replay-entries allows.
    allowed: 1 << 18,
    unit: 'steps',
    counts: 'steps of one run of the engine: of `sim`, of `step`, of the next kernel on a dump',
    past: 'the run ends there, and what comes of it is unknown',
  },
  'engine-bytes': {
    allowed: 1 << 27,
    unit: 'bytes',
    counts: 'bytes that one run of the engine writes',
    past: 'the run ends there, and what comes of it is unknown',
  },
  'engine-blocks': {
    allowed: 1 << 19,
    unit: 'blocks',
    counts: 'blocks of memory that the kernels of one run allocate',
    past: 'the run ends there, and what comes of it is unknown',
  },
  'engine-looks': {
    allowed: 1 << 19,
    unit: 'things',
    counts:
      'pages of files that steps of one run of the engine go through without writing them (a page of the pattern counts as four), descriptors and mappings that fork copies',
    past: 'the run ends there, and what comes of it is unknown',
  },
  'engine-map-pages': {
    allowed: 1 << 14,
    unit: 'pages',
    counts: 'pages of a preserved map that one run of the engine walks, 16 of them more than once at most',
    past: 'the run ends there, and what comes of it is unknown',
  },
  'explore-work': {
    allowed: 3 << 18,
    unit: 'steps',
    counts: 'steps of all runs of `explore`, with 256 bytes written as one',
    past: 'the other faults are not tried',
  },
  'replay-entries': {
    allowed: 1 << 13,
    unit: 'entries',
    counts: 'sessions and files of a handover with which the next kernel is run on it, without those checked in bulk',
    past: 'the next kernel is not run: the verdict is that of the rules (`step` refuses)',
  },
} as const satisfies Readonly<Record<string, Limit>>;

export type LimitName = keyof typeof limits;

export const isLimitName = (name: string): name is LimitName => Object.hasOwn(limits, name);
