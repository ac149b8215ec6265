/** `luo-inspect report --json`: the decoded dump in the shape of schema luo-inspect.report/1. */
import { type Budget, currentBudget } from '../codec/budget.js';
import type { Finding } from '../diagnosis/finding.js';
import { type PageStates, pageStates, plainStates } from '../handover/contents.js';
import type { Handover } from '../handover/decode.js';
import { type Holder, phaseOfRole, stateOfRole } from '../handover/life.js';
import { type Luo, type LuoFile, type LuoFlb, type LuoSession, plainIn } from '../handover/luo.js';
import type { Memfd } from '../handover/memfd.js';
import { hex, hexBytes } from '../tree/words.js';
import type { Owner } from '../handover/owners/owner.js';
import type { Payload } from '../handover/payload.js';
import { exactPages } from '../handover/preserved/preserved-map.js';
import { pciAddress } from '../handover/pci.js';
import type { Contract } from '../../abi/contract.js';
import type { CStringValue } from '../../abi/layout.js';
import type { Reading } from '../tree/reading.js';
import { type Json, JsonItems, type JsonObject, countJson, jsonOfStruct, pick } from './json-value.js';
import type { Verdict } from '../verdict/verdict.js';
import type { LiveObjects } from '../objects/model.js';
import type { DumpReport } from './dump-report.js';

export function reportJson(report: DumpReport): JsonObject {
  return {
    schema: 'luo-inspect.report/1',
    source: sourceJson(report),
    kernel: report.kernel === null ? null : kernelJson(report.kernel),
    handovers: report.handovers.map((handover) => handoverJson(handover, report.source.pageSize)),
    verdict: verdictJson(report.verdict),
    findings: report.findings.map(findingJson),
  };
}

/** What KHO keeps in the running kernel: both FDTs, and the blobs that it shows in debugfs. */
const khoJson = ({ kho }: LiveObjects): JsonObject => ({
  incomingFdt: kho.incomingFdt === null ? null : hex(kho.incomingFdt),
  outgoingFdt: kho.outgoingFdt === null ? null : hex(kho.outgoingFdt),
  ...pick(kho, 'finalised', 'previousRelease', 'kexecCount'),
  debugfs: kho.blobs.map(({ side, name, address, size }) => ({ side, name, address: address === null ? null : hex(address), size })),
});

function kernelJson({ release, foundBy, facts, live }: NonNullable<DumpReport['kernel']>): JsonObject {
  const config = facts?.config ?? null;
  return {
    release,
    foundBy,
    symbols: facts?.symbols == null ? null : { ...facts.symbols },
    btf: facts?.btf == null ? null : { ...facts.btf },
    kaslr: facts?.kaslr == null ? null : hex(facts.kaslr),
    taskCount: facts?.taskCount ?? null,
    uptime: facts?.uptime ?? null,
    config: config === null ? null : Object.fromEntries(config),
    kho: live == null ? null : khoJson(live),
    liveupdate: live == null ? null : pick(live, 'deserialised', 'deserialiseError'),
  };
}

export const verdictJson = (verdict: Verdict): JsonObject => ({
  ...pick(verdict, 'kind', 'errno', 'text', 'foretoldBy', 'next', 'nextFoundBy'),
  files: { ...verdict.files },
  unchecked: verdict.unchecked,
});

/** A finding as every JSON output has it. */
export function findingJson(finding: Finding): JsonObject {
  const { reaction } = finding;
  return {
    ...pick(finding, 'id', 'because', 'rule', 'severity', 'message'),
    at: finding.at === null ? null : hex(finding.at),
    path: finding.path,
    owner: ownerJson(finding.owner),
    reaction: reaction === null ? null : pick(reaction, 'kind', 'errno', 'text', 'foretoldBy'),
  };
}

/** @param pageSize in bytes */
function handoverJson(handover: Handover, pageSize: number): JsonObject {
  const { map, scratch } = handover;
  return {
    role: handover.role,
    roleEvidence: handover.roleEvidence,
    kho: {
      fdt: handover.candidate.fdtAddress === null ? null : hex(handover.candidate.fdtAddress),
      foundBy: handover.candidate.foundBy,
      compatible: handover.compatible,
      scratch: scratch.areas === null ? null : scratch.areas.map((area) => ({ start: hex(area.start), size: area.size })),
      scratchEvidence: scratch.why,
      preserved:
        map === null
          ? null
          : {
              ...pick(map, 'format', 'formatEvidence', 'complete'),
              blocks: map.summary.blocks,
              pages: countJson(exactPages(map.summary)),
              bytes: countJson(exactPages(map.summary) * BigInt(pageSize)),
              byOrder: Object.fromEntries([...map.summary.byOrder].map(([order, blocks]) => [`${order}`, blocks])),
            },
      subtrees: handover.subtrees.map((subtree) => ({
        name: subtree.name,
        address: subtree.address === null ? null : hex(subtree.address),
        size: subtree.size === null ? null : countJson(subtree.size),
        format: subtree.format,
      })),
    },
    luo: handover.luo === null ? null : luoJson(handover.luo, handover),
    memblock:
      handover.memblock === null
        ? null
        : { reserveMem: handover.memblock.map((region) => ({ name: region.name, start: hex(region.start), size: countJson(region.size) })) },
    kexecMetadata: handover.kexecMetadata === null ? null : pick(handover.kexecMetadata, 'version', 'previousRelease', 'kexecCount'),
  };
}

function luoJson(luo: Luo, handover: Handover): JsonObject {
  return {
    source: luo.source ?? 'serialised',
    compatible: luo.compatible === '' ? null : luo.compatible,
    ...layoutJson(luo.contract),
    sessionCompatible: luo.sessionCompatible,
    flbCompatible: luo.flbCompatible,
    liveupdateNumber: luo.liveupdateNumber === null ? null : countJson(luo.liveupdateNumber),
    sessions: sessionsJson(luo, handover),
    flbs: luo.flbs === null ? null : luo.flbs.map(flbJson),
  };
}

/** A list that is made while it is written, where sessions are decoded when they are asked for. */
function sessionsJson(luo: Luo, handover: Handover): Json {
  const { sessions } = luo;
  if (sessions === null) return null;
  const made = function* (): Iterable<JsonObject> {
    for (const session of sessions) yield sessionJson(session, handover);
  };
  return plainIn(luo) === null ? [...made()] : new JsonItems(made);
}

/** A name, with its bytes where they are no UTF-8. */
const nameJson = (name: CStringValue): JsonObject => (name.validUtf8 ? { name: name.text } : { name: name.text, nameBytes: hexBytes(name.bytes) });

const sessionJson = (session: LuoSession, handover: Handover): JsonObject => ({
  ...nameJson(session.name),
  owner: ownerJson(handover.owners.byPath.get(session.path)),
  state: session.life?.state ?? stateOfRole(handover.role),
  openBy: holdersJson(session.life?.openBy ?? null),
  ...moreFields(session.reading, ['name', 'file_set_ser']),
  files: session.unreadable ? null : session.files.map((file) => fileJson(file, handover)),
});

const holdersJson = (holders: readonly Holder[] | null): Json => holders?.map((holder) => pick(holder, 'pid', 'comm', 'fd')) ?? null;

/** Whose a session or file is; null where nothing tells. */
const ownerJson = (owner: Owner | undefined): JsonObject | null => (owner === undefined ? null : pick(owner, 'kind', 'name', 'detail', 'by'));

const fileJson = (file: LuoFile, { role, owners }: Handover): JsonObject => ({
  token: hex(file.token),
  compatible: file.compatible.text,
  phase: file.life?.phase ?? phaseOfRole(role),
  retrieveStatus: file.life?.retrieveStatus ?? null,
  handler: file.life === undefined ? null : { module: file.life.module, operations: file.life.operations },
  openBy: holdersJson(file.life?.openBy ?? null),
  data: hex(file.data),
  owner: ownerJson(owners.byPath.get(file.path)),
  ...moreFields(file.reading, ['token', 'compatible', 'data']),
  decoded: file.decoded === null ? null : { ...payloadJson(file.decoded), ...(file.decoded.kind === 'memfd' ? { name: file.life?.name ?? null } : {}) },
});

const flbJson = (flb: LuoFlb): JsonObject => ({
  ...nameJson(flb.name),
  data: hex(flb.data),
  count: countJson(flb.count),
  ...moreFields(flb.reading, ['name', 'data', 'count']),
  decoded: flb.decoded === null ? null : payloadJson(flb.decoded),
});

/** Fields of a structure that its record does not name: whatever a newer contract added. */
function otherFields({ struct, values }: Reading, named: readonly string[]): JsonObject {
  if (values === null) return {};
  return Object.fromEntries(Object.entries(jsonOfStruct(struct, values)).filter(([name]) => !named.includes(name)));
}

/** The same as one member, for entries whose own members have names of their own. */
function moreFields(reading: Reading, named: readonly string[]): { fields?: JsonObject } {
  const fields = otherFields(reading, named);
  return Object.keys(fields).length === 0 ? {} : { fields };
}

/** Said of what no contract describes: whose layout it was read by, and which fields it should have and has not. */
function layoutJson(contract: Contract | null): JsonObject {
  const measured = contract?.measured;
  if (measured === undefined) return {};
  return { layoutFrom: measured.from, ...(measured.missing.length === 0 ? {} : { missing: measured.missing }) };
}

function payloadJson(payload: Payload): JsonObject {
  switch (payload.kind) {
    case 'memfd':
      return memfdJson(payload);
    case 'pci':
      return {
        struct: payload.struct,
        ...layoutJson(payload.contract),
        devices: payload.devices.map(({ domain, bdf, refcount }) => ({ domain, bdf: hex(bdf), address: pciAddress(domain, bdf), refcount })),
      };
    case 'struct': {
      const { values, struct } = payload.reading;
      const fields: JsonObject = values === null ? {} : jsonOfStruct(struct, values);
      return { struct: payload.struct, ...layoutJson(payload.contract), ...fields, ...deviceAddress(values) };
    }
  }
}

function deviceAddress(values: Readonly<Record<string, unknown>> | null): { address?: Json } {
  const [domain, bdf] = [values?.domain, values?.bdf];
  return typeof domain === 'number' && typeof bdf === 'number' ? { address: pciAddress(domain, bdf) } : {};
}

/** The dump, and in which state the pages of its memfds are in it. */
export const sourceJson = (report: Pick<DumpReport, 'source' | 'handovers' | 'decoded'>): JsonObject => ({
  ...report.source,
  memfdPages: { ...memfdPages(report) },
});

/** Pages of all memfds by their state in this dump: of the dump, not of the handover, and so a part of `source`. */
function memfdPages({ handovers, decoded: { memory } }: Pick<DumpReport, 'handovers' | 'decoded'>): PageStates {
  const sum = { present: 0, zero: 0, excluded: 0, outOfRange: 0, unknown: 0 };
  const add = (states: PageStates): void => {
    sum.present += states.present;
    sum.zero += states.zero;
    sum.excluded += states.excluded;
    sum.outOfRange += states.outOfRange;
    sum.unknown += states.unknown;
  };
  // A table that many files lead to has its pages once.
  const counted = new Set<number>();
  for (const { luo, map } of handovers) {
    const plain = plainIn(luo);
    if (plain !== null && map !== null) add(plainStates(plain, map, memory));
    for (const { files } of plain?.kept ?? luo?.sessions ?? [])
      for (const { decoded: file } of files) {
        if (file?.kind !== 'memfd') continue;
        const table = file.area?.blocks[0];
        if (table !== undefined && counted.has(table)) continue;
        if (table !== undefined) counted.add(table);
        add(pageStates(file, memory));
      }
  }
  return sum;
}

/** What a command has listed runs of: tables by the address of their first page. */
const listed = new WeakMap<Budget, Set<number>>();

/** A table that many files lead to, as to none that a kernel hands over, is not listed for each without end. */
function* runsJson(memfd: Memfd): Iterable<JsonObject> {
  const budget = currentBudget();
  const before = listed.get(budget) ?? new Set();
  listed.set(budget, before);
  const table = memfd.area?.blocks[0];
  const again = table !== undefined && before.has(table);
  if (again && budget.left('shared-runs') === 0) return;
  if (table !== undefined) before.add(table);
  for (const { index, pfn, pages, flags } of memfd.runs()) {
    if (again && !budget.spend('shared-runs', 1, 'memfds that several files lead to')) return;
    yield { index: countJson(index), pfn: hex(pfn), pages, flags: hex(flags) };
  }
}

function memfdJson(memfd: Memfd): JsonObject {
  const folios =
    memfd.area === null && memfd.readableFolios === 0 && memfd.folioCount !== 0n
      ? null
      : {
          count: memfd.cut == null ? countJson(memfd.folioCount) : null,
          runs: new JsonItems(() => runsJson(memfd)),
        };
  return {
    struct: memfd.struct,
    ...layoutJson(memfd.contract),
    pos: memfd.pos === null ? null : countJson(memfd.pos),
    size: countJson(memfd.size),
    ...(memfd.seals === null ? {} : { seals: hex(memfd.seals) }),
    ...(memfd.flags === null ? {} : { flags: hex(memfd.flags) }),
    ...otherFields(memfd.reading, ['pos', 'size', 'seals', 'flags', 'nr_folios', 'folios']),
    folios,
  };
}

/** The same for what is too large to hold: lines of schema luo-inspect.report-lines/1, one at a time. */
export function* reportNdjson(report: DumpReport): Iterable<string> {
  const line = (type: string, value: object): string => JSON.stringify({ type, ...value });
  yield line('source', {
    schema: 'luo-inspect.report-lines/1',
    source: sourceJson(report),
    kernel: report.kernel === null ? null : kernelJson(report.kernel),
  });
  yield line('verdict', verdictJson(report.verdict));
  for (const handover of report.handovers) {
    const { luo, ...rest } = handoverJson(handover, report.source.pageSize);
    yield line('handover', { handover: handover.path, ...rest, luo: withoutLists(luo) });
    yield* luoLines(handover, line);
  }
  for (const finding of report.findings) yield line('finding', findingJson(finding));
}

/** Sessions and FLBs have lines of their own. */
function withoutLists(luo: JsonObject[string] | undefined): JsonObject | null {
  if (typeof luo !== 'object' || luo === null || Array.isArray(luo)) return null;
  return Object.fromEntries(Object.entries(luo).filter(([key]) => key !== 'sessions' && key !== 'flbs'));
}

function* luoLines(handover: Handover, line: (type: string, value: object) => string): Iterable<string> {
  for (const session of handover.luo?.sessions ?? []) {
    const { files: _, ...own } = sessionJson({ ...session, files: [] }, handover);
    const where = { handover: handover.path, session: session.name.text };
    yield line('session', { handover: handover.path, ...own, files: session.files.length });
    for (const file of session.files) {
      const { decoded } = file;
      const { token } = fileJson({ ...file, decoded: null }, handover);
      const whole = fileJson(file, handover);
      yield line('file', { ...where, ...whole, decoded: countedOnly(whole.decoded) });
      if (decoded?.kind === 'memfd') for (const run of runsJson(decoded)) yield line('run', { ...where, token, ...run });
    }
  }
  for (const flb of handover.luo?.flbs ?? []) yield line('flb', { handover: handover.path, ...flbJson(flb) });
}

/** A memfd's runs have lines of their own. */
function countedOnly(decoded: JsonObject[string] | undefined): unknown {
  if (typeof decoded !== 'object' || decoded === null || !('folios' in decoded) || typeof decoded.folios !== 'object' || decoded.folios === null)
    return decoded;
  const { runs: _, ...folios } = Object.fromEntries(Object.entries(decoded.folios));
  return { ...decoded, folios };
}
