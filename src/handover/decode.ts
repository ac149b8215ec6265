/**
 * From memory to everything that was handed over: finds the handovers, tells their roles, decodes each. The result is what
 * report, diagnosis, compat and the terminal look at.
 */
import type { Contract } from '../../abi/contract.js';
import { type Budget, currentBudget, withBudget } from '../codec/budget.js';
import { type PhysicalMemory, describeState } from '../memory/memory.js';
import { type BulkCheck, type Context, type Limits, limitsOf, type Reference } from './context.js';
import { type Contracts, type ForeignLayout, describedContracts, withOwnRoot } from './contracts.js';
import { type Candidate, type FdtFile, type FindResult, findHandovers, type KnownPlaces } from './find.js';
import { type Hwpoison, readHwpoison } from './hwpoison.js';
import { type KhoTest, readKhoTest } from './kho-test.js';
import { type Luo, plainIn, type PlainSessions } from './luo.js';
import { type Blob, readLuo } from './luo-root.js';
import { counted, formatBytes, hex } from '../tree/words.js';
import { Node } from '../tree/node.js';
import { type Observation, Observations } from './observe.js';
import type { Owners } from './owners/owner.js';
import { readOwners } from './owners/owners.js';
import type { PreservedMap } from './preserved/preserved-map.js';
import { areAsNamed, orOwnScratch, peekWriter, type Role, type Scratch, readScratch, tellRoles } from './roles.js';
import { readMap, readRoot } from './root.js';
import { type KexecMetadata, type ReserveMem, readKexecMetadata, readMemblock, readOtherFdt } from './small-subtrees.js';
import { type Subtree, readSubtrees } from './subtrees.js';
import { BULK_FROM } from './plain.js';

export interface Handover {
  /** `incoming`, or `incoming@0x…` where the role is not unique */
  readonly path: string;
  readonly role: Role;
  readonly roleEvidence: string;
  readonly candidate: Candidate;
  readonly compatible: string | null;
  /** the KHO contract it is read by; null where nothing could be read */
  readonly contract: Contract | null;
  readonly scratch: Scratch;
  readonly map: PreservedMap | null;
  /** the kernel that received it may have freed and reused its pages */
  readonly released: boolean;
  readonly subtrees: readonly Subtree[];
  readonly hasLuo: boolean;
  readonly luo: Luo | null;
  readonly memblock: readonly ReserveMem[] | null;
  readonly kexecMetadata: KexecMetadata | null;
  /** null without the kernel's own test of KHO, or where its list can't be read */
  readonly khoTest: KhoTest | null;
  /** null where no broken page was handed over, or the list can't be read */
  readonly hwpoison: Hwpoison | null;
  /** whose sessions and files these are in user space */
  readonly owners: Owners;
  /** versions that no release known speaks: read by the layouts of the kernel that wrote them, or as the user describes them; mostly none */
  readonly foreign: readonly ForeignLayout[];
  readonly observations: readonly Observation[];
  readonly references: readonly Reference[];
  readonly node: Node;
}

interface DecodeInput {
  readonly memory: PhysicalMemory;
  readonly files?: readonly FdtFile[];
  /** physical address named by the user */
  readonly khoFdt?: number | null;
  /** utsname release of the kernel that runs in the dump, if known */
  readonly runningRelease?: string | null;
  readonly limits?: Partial<Limits>;
  /** physical address of the root FDT that the running kernel was started with, where that is known from outside the memory */
  readonly takenUp?: number | null;
  /** look for setup_data nodes? True unless given; without them roles can hardly be told */
  readonly searchSetupData?: boolean;
  /** look for what kernels leave of themselves? False unless given; `runningKernel` reads it */
  readonly searchKernels?: boolean;
  /** lists of as many sessions are checked in bulk, and decoded when they are asked for; infinite: all are decoded at once */
  readonly bulkFrom?: number;
  /** what the dump's strings mean; the contracts of the registry unless given */
  readonly contracts?: Contracts;
  /** where the kernel's objects say the handovers are; all memory is searched where they are not given, or what is there contradicts them */
  readonly places?: KnownPlaces | null;
  /** search all memory, whatever `places` says of handovers */
  readonly searchAll?: boolean;
  /** of an earlier decoding of the same memory, so that it is not searched twice */
  readonly find?: FindResult;
}

export interface DecodedDump {
  readonly memory: PhysicalMemory;
  readonly find: FindResult;
  /** what the dump's strings were read by */
  readonly contracts: Contracts;
  /** the one a reader most likely asks about first: with sessions, then the incoming */
  readonly handovers: readonly Handover[];
  /** of the command it was decoded in: what limits ended a part of the work */
  readonly budget: Budget;
}

/** Decodes all handovers of a dump. An empty list means that none was found; `find.searched` says where. */
export function decodeHandovers(input: DecodeInput): DecodedDump {
  const budget = currentBudget();
  return withBudget(budget, () => decodeWith(budget, input));
}

function decodeWith(budget: Budget, input: DecodeInput): DecodedDump {
  const { memory } = input;
  const contracts = input.contracts ?? describedContracts;
  const places = input.find === undefined && input.searchAll !== true ? (input.places ?? null) : null;
  const { khoFdt = null, searchSetupData, searchKernels } = input;
  const all =
    input.find ?? findHandovers(memory, input.files ?? [], { given: khoFdt, searchSetupData, searchKernels, places, ownScratch: input.places?.scratch });
  const most = budget.allowed('handovers');
  if (all.candidates.length > most) budget.reach('handovers', 'the dump', all.candidates.length - most);
  const find = { ...all, candidates: all.candidates.slice(0, most) };
  const known = [...find.candidates, ...find.others.slice(0, most)];
  const scratches = known.map((candidate) => readScratch(memory, candidate));
  const inputs = known.map((candidate, index) => ({ candidate, scratch: scratches[index] ?? NO_SCRATCH, writer: peekWriter(memory, candidate) }));
  const told = tellRoles(inputs, input.runningRelease ?? null, find.searchedSetupData);
  if (places !== null && !areAsNamed(inputs, told, places)) return decodeWith(budget, { ...input, searchAll: true });
  const verdicts = told.map((verdict, index) => {
    const address = known[index]?.fdtAddress ?? null;
    return address !== null && address === input.takenUp ? { role: 'incoming' as const, evidence: 'the running kernel was started with it' } : verdict;
  });
  const handovers = find.candidates.map((candidate, index) => {
    const verdict = verdicts[index] ?? { role: 'unknown' as const, evidence: '' };
    const same = verdicts.slice(0, find.candidates.length).filter((other) => other.role === verdict.role).length;
    const path = same === 1 || candidate.fdtAddress === null ? verdict.role : `${verdict.role}@${hex(candidate.fdtAddress)}`;
    const afterBoot = verdict.role === 'incoming' && verdicts.some((other) => other.role === 'outgoing');
    const named = { path, ...verdict, afterBoot };
    const limits = { ...limitsOf(budget), ...input.limits };
    const told = scratches[index] ?? NO_SCRATCH;
    const scratch = verdict.role === 'outgoing' || verdict.role === 'incoming' ? orOwnScratch(memory, told, find) : told;
    return decodeChecked({ memory, candidate, scratch, named, limits, contracts }, input.bulkFrom ?? BULK_FROM);
  });
  return { memory, find, contracts, budget, handovers: handovers.sort((a, b) => interest(b) - interest(a)) };
}

const NO_SCRATCH: Scratch = { state: 'not-named', areas: null, address: null, size: 0, why: '' };

const ROLE_INTEREST: Readonly<Record<Role, number>> = { incoming: 3, outgoing: 2, stale: 1, unknown: 0 };
const interest = (handover: Handover): number => ((handover.luo?.sessions?.length ?? 0) > 0 ? 10 : 0) + ROLE_INTEREST[handover.role];

interface Named {
  readonly path: string;
  readonly role: Role;
  readonly evidence: string;
  /** has the kernel that received it come far enough to write a handover of its own? */
  readonly afterBoot: boolean;
}

/** Looks at sessions that were checked in bulk again where something else has their pages; in the end all are decoded. */
const MOST_LOOKS = 3;

interface Job {
  readonly memory: PhysicalMemory;
  readonly candidate: Candidate;
  readonly scratch: Scratch;
  readonly named: Named;
  readonly limits: Limits;
  readonly contracts: Contracts;
}

function decodeChecked(job: Job, from: number): Handover {
  const contested = new Set<number>();
  for (let look = 0; look < MOST_LOOKS; look++) {
    const handover = decodeOne(job, { from, contested: (frame) => contested.has(frame) });
    const plain = plainIn(handover.luo);
    if (plain === null) return handover;
    const found = handover.hwpoison === null ? claimedTwice(handover, plain, job.memory) : null;
    if (found?.length === 0) return handover;
    if (found === null) break;
    for (const frame of found) contested.add(frame);
  }
  return decodeOne(job, null);
}

/** Page frames of plain sessions that something else claims, too; null where they are not few. */
function claimedTwice(
  { candidate, scratch, memblock, khoTest, references }: Handover,
  { claimed, kept, blocks }: PlainSessions,
  { pageSize }: PhysicalMemory,
): number[] | null {
  const found: number[] = [];
  const see = (frame: number): void => {
    if (claimed.has(frame) || blocks.has(frame * pageSize)) found.push(frame);
  };
  if (candidate.fdtAddress !== null) see(Math.floor(candidate.fdtAddress / pageSize));
  // The list itself refers to each of its blocks, once.
  const listed = new Set<number>();
  for (const { address } of references) {
    const frame = Math.floor(address / pageSize);
    if (blocks.has(address) && !listed.has(frame)) listed.add(frame);
    else see(frame);
  }
  for (const { address } of khoTest?.folios() ?? []) see(Math.floor(address / pageSize));
  for (const { files } of kept)
    for (const { decoded } of files)
      if (decoded?.kind === 'memfd') for (const { count, pfn } of decoded.columns()) for (let at = 0; at < count; at++) see(pfn[at] ?? 0);
  const ranges = [...(scratch.areas ?? []), ...(memblock ?? [])].map(({ start, size }) => ({ start: Number(start), size: Number(size) }));
  const within = (start: number, end: number): boolean => [...blocks].some((address) => address + pageSize > start && address < end);
  return ranges.some(
    ({ start, size }) => claimed.hasAny(Math.floor(start / pageSize), Math.ceil((start + size) / pageSize)) || (size > 0 && within(start, start + size)),
  )
    ? null
    : found;
}

function decodeOne({ memory, candidate, scratch, named, limits, contracts }: Job, bulk: Pick<BulkCheck, 'from' | 'contested'> | null): Handover {
  const root = new Node(named.path, named.path, { type: 'handover', address: candidate.fdtAddress, description: named.evidence });
  const observations = new Observations();
  const context: Context = {
    memory,
    observations,
    limits,
    contracts,
    foreign: new Map(),
    prefix: named.path,
    root,
    map: null,
    released: false,
    references: [],
    bulk: null,
  };
  const kho = root.group('kho', { address: candidate.fdtAddress, description: 'Kexec Handover' });
  observeScratch(observations, kho, scratch);
  const base = { path: named.path, role: named.role, roleEvidence: named.evidence, candidate, scratch, node: root, references: context.references };
  const { fdt } = candidate;
  if (fdt === null && candidate.blobFiles.length === 0) {
    observations.add('fdt-missing', kho, `the root FDT at ${hex(candidate.fdtAddress ?? 0)} is ${describeState(candidate.pageState)}`, 'absent');
    const nothing = {
      compatible: null,
      contract: null,
      map: null,
      released: false,
      subtrees: [],
      hasLuo: false,
      luo: null,
      memblock: null,
      kexecMetadata: null,
      khoTest: null,
      hwpoison: null,
      owners: readOwners(null, memory),
    };
    return { ...base, ...nothing, foreign: [], observations: observations.all };
  }
  if (fdt === null) observations.add('fdt-missing', kho, 'this folder has no fdt file, so only the blobs beside it can be read', 'absent');
  const { compatible, contract } = fdt === null ? { compatible: null, contract: null } : readRoot(context, fdt, candidate, kho);
  context.contracts = withOwnRoot(contracts, contract);
  context.released = named.role === 'stale' || named.afterBoot;
  const map = fdt === null ? null : readMap(context, fdt, candidate, contract, kho);
  if (map !== null) currentBudget().spend('map-nodes', map.structurePages.length, `${named.path}/kho/preserved`);
  context.map = map;
  // An intact map is freed early in boot: where it is gone, so may be everything else. A kernel done with a handover frees it too.
  context.released =
    named.role === 'stale' ||
    named.afterBoot ||
    (observations.count('map-reused') > 0 && !isStillWhole(memory, candidate, named.role)) ||
    (named.role !== 'outgoing' && observations.count('map-missing') > 0);
  const { subtrees, blobs } = readSubtrees(context, fdt, candidate, contract, kho);
  context.bulk = bulk === null || contract?.status !== 'released' ? null : { kho: contract, ...bulk };
  const inBlob = <T>(name: string, read: (context: Context, blob: Blob, root: Node) => T): T | null => {
    const blob = blobs.get(name);
    return blob === undefined ? null : read(context, blob, root);
  };
  const luo = inBlob('LUO', readLuo);
  const memblock = inBlob('memblock', readMemblock);
  const kexecMetadata = inBlob('kexec-metadata', readKexecMetadata);
  const khoTest = inBlob('kho_test', readKhoTest);
  const hwpoison = inBlob('hwpoison', readHwpoison);
  for (const [name, blob] of blobs) {
    if (!KNOWN_SUBTREES.has(name)) readOtherFdt(context, blob, kho, `${name} contents`, null);
  }
  observeForeign(context, luo?.node ?? kho);
  root.meaning = [compatible ?? 'no version', luo === null ? 'no LUO' : counted(luo.sessions?.length, 'session')].join(', ');
  return {
    ...base,
    compatible,
    contract,
    map,
    released: context.released,
    subtrees,
    hasLuo: blobs.has('LUO'),
    luo,
    memblock,
    kexecMetadata,
    khoTest,
    hwpoison,
    owners: readOwners(luo, memory),
    foreign: [...context.foreign.values()],
    observations: observations.all,
  };
}

/** Of a handover that nobody has taken yet, and whose blobs all are where they should be, the map was not freed: its pointer is damaged. */
function isStillWhole(memory: PhysicalMemory, candidate: Candidate, role: Role): boolean {
  const { intactBlobs, reusedBlobs } = peekWriter(memory, candidate);
  return role === 'outgoing' && intactBlobs > 0 && reusedBlobs === 0;
}

/** One observation for all versions that no contract describes, and one for those whose contract the kernel contradicts. */
function observeForeign(context: Context, node: Node): void {
  const all = [...context.foreign.values()].flatMap(({ compatible, contract }) =>
    contract.measured === undefined ? [] : [{ compatible, layer: contract.layer, ...contract.measured }],
  );
  const unknown = all.filter((one) => !one.contradicts);
  // Blocks and vmalloc areas have no string of their own: beside a version nobody described, or one that the user did, they are part of it.
  const isOther = unknown.length > 0 || all.length < context.foreign.size;
  const changed = all.filter((one) => one.contradicts && (!isOther || one.layer !== 'kho'));
  const along = all
    .filter((one) => one.contradicts && !changed.includes(one))
    .map((one) => `; ${one.compatible} is not as described either (${one.differences.join(', ')})`);
  const [first] = all;
  if (first === undefined) return;
  if (unknown.length > 0) {
    const missing = unknown.flatMap((one) => one.missing);
    const gone = missing.length === 0 ? '' : `; it has no ${missing.join(', ')}`;
    const renamed = unknown.flatMap((one) => one.renamed);
    const called = renamed.length === 0 ? '' : `; by their places these are under another name: ${renamed.join(', ')}`;
    const lost = new Set(
      context.observations.all.flatMap(({ kind, nature, node: at }) =>
        (kind === 'handler-unknown' || kind === 'flb-unknown') && nature === 'note' ? [JSON.stringify(at.value)] : [],
      ),
    );
    const more = lost.size > MOST_NAMED ? `, and ${lost.size - MOST_NAMED} more` : '';
    const others = lost.size === 0 ? '' : `; of no family known, so not decoded: ${[...lost].slice(0, MOST_NAMED).join(', ')}${more}`;
    const names = unknown.map((one) => `${one.compatible} (in the form of ${one.nearest})`).join(', ');
    context.observations.add(
      'layout-unknown',
      node,
      `no contract describes ${names}: read by the layouts in ${first.source}${gone}${called}${others}${along.join('')}`,
      'note',
    );
  }
  for (const one of changed)
    context.observations.add(
      'layout-changed',
      node,
      `${one.compatible} of this kernel is not as described (${one.differences.join(', ')}): read as ${one.source} has it`,
      'note',
    );
}

/** Names of handlers in one sentence. */
const MOST_NAMED = 8;

const KNOWN_SUBTREES = new Set(['LUO', 'memblock', 'kexec-metadata', 'kho_test', 'hwpoison']);

function observeScratch(observations: Observations, kho: Node, scratch: Scratch): void {
  const node = kho.group('scratch', { address: scratch.address, bits: scratch.size * 8, description: 'memory the next kernel boots in' });
  for (const [index, area] of (scratch.areas ?? []).entries()) {
    node.group(`${index}`, { address: area.start, bits: area.size * 8, meaning: `${formatBytes(area.size)} at ${hex(area.start)}` }, `[${index}]`);
  }
  if (scratch.areas !== null) return;
  const kind = scratch.state === 'empty' ? 'scratch-empty' : scratch.state === 'implausible' ? 'scratch-implausible' : 'scratch-missing';
  observations.add(kind, node, scratch.why, scratch.state === 'missing' ? 'absent' : 'note');
}
