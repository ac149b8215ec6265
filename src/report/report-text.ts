/** The text report: one dump on a terminal or in a bug report. Every text from the dump is escaped. */
import type { Finding } from '../diagnosis/finding.js';
import { pageStates } from '../handover/contents.js';
import type { Handover } from '../handover/decode.js';
import type { Holder, LuoSource } from '../handover/life.js';
import { type Luo, type LuoFile, type LuoFlb, isWhole } from '../handover/luo.js';
import { flagsText, formatBytes, hex } from '../tree/words.js';
import type { Memfd } from '../handover/memfd.js';
import { type Owners, ownerText } from '../handover/owners/owner.js';
import type { Payload } from '../handover/payload.js';
import { exactPages } from '../handover/preserved/preserved-map.js';
import { pciAddress } from '../handover/pci.js';
import { errnoName, withErrno } from '../../abi/errno.js';
import { sealNames } from '../../abi/memfd/v2.js';
import type { Reading } from '../tree/reading.js';
import { type Json, jsonOfStruct } from './json-value.js';
import type { KernelFacts } from '../kernel/facts.js';
import type { DumpReport } from './dump-report.js';
import { verdictSentence } from '../verdict/verdict.js';
import { escapeText } from './escape.js';

/** Runs of folios listed for a file; the JSON has them all. */
const MAX_RUNS = 4;

/** The whole report, a line each. */
export function* reportText(report: DumpReport, options: { verbose?: boolean } = {}): Iterable<string> {
  yield escapeText(verdictSentence(report.verdict));
  yield* headLines(report);
  if (options.verbose === true) for (const line of report.evidence) yield `  ${escapeText(line)}`;
  for (const handover of report.handovers) {
    yield '';
    yield* handoverLines(handover, report);
  }
  yield '';
  yield* findingLines(report.findings);
}

/** What the dump is, in two or three lines: also the head of other reports. */
export function* headLines(report: DumpReport): Iterable<string> {
  const { source, kernel } = report;
  const parts: string[] = [source.container, source.arch ?? 'architecture not told', formatBytes(source.bytes), `pages of ${formatBytes(source.pageSize)}`];
  yield `${escapeText(source.path)}: ${parts.join(', ')}`;
  yield kernel === null
    ? 'kernel: not told by this dump'
    : `kernel: ${escapeText(kernel.release ?? 'unknown')} (${kernel.foundBy})${factsText(kernel.facts ?? null)}`;
  if (source.notSearched !== undefined) yield escapeText(source.notSearched);
}

/** What the kernel tells of itself, after its release. */
function factsText(facts: KernelFacts | null): string {
  if (facts === null) return '';
  const parts = [
    facts.uptime === null ? null : `up ${facts.uptime} s`,
    facts.taskCount === null ? null : `${facts.taskCount} processes`,
    facts.kaslr === null ? null : facts.kaslr === 0n ? 'no KASLR' : `KASLR ${hex(facts.kaslr)}`,
    facts.symbols === null ? 'no symbols' : `${facts.symbols.count} symbols (${facts.symbols.source}${facts.symbols.variables ? '' : ', functions alone'})`,
    facts.btf === null ? 'no BTF' : `${facts.btf.types} types`,
  ];
  return `; ${parts.filter((part) => part !== null).join(', ')}`;
}

function* handoverLines(handover: Handover, report: DumpReport): Iterable<string> {
  const { candidate, map, scratch } = handover;
  const at = candidate.fdtAddress === null ? '' : ` at ${hex(candidate.fdtAddress)}`;
  yield `${handover.role.toUpperCase()}: ${escapeText(handover.compatible ?? 'KHO of unknown version')}${at}, found by ${candidate.foundBy}`;
  yield `  role       ${escapeText(handover.roleEvidence)}`;
  if (map === null) yield '  preserved  not readable (see findings)';
  else {
    const orders = [...map.summary.byOrder].map(([order, blocks]) => `${order}:${blocks}`).join(' ');
    const partly = map.complete ? '' : ', as far as the map could be read';
    yield `  preserved  ${exactPages(map.summary)} pages (${formatBytes(map.summary.bytes)}) in ${map.summary.blocks} blocks${partly}; blocks by order ${orders}`;
    yield `             ${map.format}: ${map.formatEvidence}`;
  }
  if (scratch.areas !== null) yield `  scratch    ${scratch.areas.map((area) => `${hex(area.start)}+${formatBytes(area.size)}`).join(', ')}`;
  if (scratch.state !== 'filled') yield `  ${scratch.areas === null ? 'scratch' : '       '}    ${escapeText(scratch.why)}`;
  for (const subtree of handover.subtrees) {
    const where = subtree.address === null ? 'at no known address' : `at ${hex(subtree.address)}`;
    yield `  subtree    ${escapeText(subtree.name)} ${where}, ${subtree.size === null ? 'size not recorded' : `${subtree.size} bytes`}, ${subtree.format}`;
  }
  if (handover.kexecMetadata !== null) {
    yield `  previous   ${escapeText(handover.kexecMetadata.previousRelease)}, kexec ${handover.kexecMetadata.kexecCount} since the cold boot`;
  }
  for (const region of handover.memblock ?? []) yield `  reserve_mem ${escapeText(region.name)} at ${hex(region.start)}, ${formatBytes(region.size)}`;
  if (handover.luo !== null) yield* luoLines(handover.luo, handover.owners, report);
  else if (handover.hasLuo) yield '  LUO        not readable (see findings)';
}

function* luoLines(luo: Luo, owners: Owners, report: DumpReport): Iterable<string> {
  const versions = [luo.compatible, luo.sessionCompatible, luo.flbCompatible]
    .filter((text) => text !== null && text !== '')
    .map((text) => escapeText(text ?? ''));
  yield `  LUO        ${versions.join(', ')}; live update number ${luo.liveupdateNumber ?? 'unknown'}${luo.notSerialised ? '; no session serialised' : ''}${SOURCES[luo.source ?? 'serialised']}`;
  for (const session of luo.sessions ?? []) {
    const life = session.life === undefined ? '' : `${session.life.state}${holdersText(session.life.openBy)}, `;
    yield `    session "${escapeText(session.name.text)}", ${life}${session.files.length === 1 ? '1 file' : `${session.files.length} files`}${session.complete ? '' : ', as far as they could be read'}${otherText(session.reading, ['name', 'file_set_ser'])}${ownedBy(owners, session.path)}`;
    for (const file of session.files) yield* fileLines(file, owners, report);
  }
  if (luo.sessions !== null && !isWhole(luo)) yield '    the list of sessions could not be read to its end';
  for (const flb of luo.flbs ?? []) yield* flbLines(flb);
}

/** `; unit foo.service, …`, or nothing. */
function ownedBy(owners: Owners, path: string): string {
  const owner = owners.byPath.get(path);
  return owner === undefined ? '' : `; ${escapeText(ownerText(owner))}`;
}

const SOURCES: Readonly<Record<LuoSource, string>> = {
  serialised: '',
  'kernel-objects': "; from the running kernel's own objects",
  both: "; serialised, and in the running kernel's own objects",
};

/** Holders named in a line. */
const MAX_HOLDERS = 4;

function holdersText(holders: readonly Holder[] | null): string {
  if (holders === null || holders.length === 0) return '';
  const named = holders.slice(0, MAX_HOLDERS).map(({ pid, comm, fd }) => `${escapeText(comm)}[${pid}] fd ${fd}`);
  return ` by ${named.join(', ')}${holders.length > MAX_HOLDERS ? ` and ${holders.length - MAX_HOLDERS} more` : ''}`;
}

/** Phase, errno and name of a file, as far as its object tells. */
function lifeText({ life }: LuoFile): string {
  if (life === undefined) return '';
  const status = life.retrieveStatus === null || life.retrieveStatus >= 0 ? '' : ` (${errnoName(-life.retrieveStatus) ?? life.retrieveStatus})`;
  const name = life.name === null ? '' : ` "${escapeText(life.name)}"`;
  const module = life.module === null || life.module === 'vmlinux' ? '' : ` [${escapeText(life.module)}]`;
  return `${life.phase}${status}${module}${name}: `;
}

function* fileLines(file: LuoFile, owners: Owners, report: DumpReport): Iterable<string> {
  yield `      token ${hex(file.token)}  ${escapeText(file.compatible.text)}  ${lifeText(file)}${describe(file.decoded, file.data)}${otherText(file.reading, ['compatible', 'data', 'token'])}${ownedBy(owners, file.path)}`;
  if (file.decoded?.kind !== 'memfd') return;
  yield* folioLines(file.decoded);
  yield* absentLine(file.decoded, report);
}

/** That a file's contents can't be extracted from this dump, or not all. */
function* absentLine(memfd: Memfd, { decoded, source }: DumpReport): Iterable<string> {
  const { present, zero, excluded, outOfRange } = pageStates(memfd, decoded.memory);
  const absent = excluded + outOfRange;
  if (absent === 0) return;
  const filter = source.filter === undefined || excluded === 0 ? '' : ` (${source.filter})`;
  yield `        ${present + zero === 0 ? 'none' : present + zero} of ${present + zero + absent} pages of its contents in this dump${filter}`;
}

function* flbLines(flb: LuoFlb): Iterable<string> {
  yield `    FLB "${escapeText(flb.name.text)}", ${flb.count} references, ${describe(flb.decoded, flb.data)}${otherText(flb.reading, ['name', 'data', 'count'])}`;
  if (flb.decoded?.kind !== 'pci') return;
  for (const device of flb.decoded.devices)
    yield `      device ${pciAddress(device.domain, device.bdf)}${device.refcount === null ? '' : `, ${device.refcount} references`}`;
}

function describe(payload: Payload | null, data: bigint): string {
  if (payload === null) return data === 0n ? 'no data' : `data ${hex(data)}`;
  switch (payload.kind) {
    case 'memfd':
      return describeMemfd(payload, data);
    case 'pci':
      return `${payload.devices.length} devices (${payload.struct} at ${hex(data)})`;
    case 'struct': {
      const { values, struct } = payload.reading;
      const fields = values === null ? 'not readable' : Object.entries(jsonOfStruct(struct, values)).map(([name, value]) => `${name} ${valueText(value)}`);
      const [domain, bdf] = [values?.domain, values?.bdf];
      const address = typeof domain === 'number' && typeof bdf === 'number' ? `${pciAddress(domain, bdf)}, ` : '';
      return `${address}${Array.isArray(fields) ? fields.join(', ') : fields} (${payload.struct} at ${hex(data)})`;
    }
  }
}

/** A field on one line; one that has fields of its own, as a kho_vmalloc has, as its JSON. */
const valueText = (value: Json): string => escapeText(typeof value === 'object' ? JSON.stringify(value) : String(value));

/** Fields that the line does not name already: what a newer contract added. */
function otherText({ struct, values }: Reading, named: readonly string[]): string {
  // Of many thousand sessions each line names all there is.
  if (values === null || Object.entries(struct.fields).every(([name, { kind }]) => kind !== 'bits' && named.includes(name))) return '';
  return Object.entries(jsonOfStruct(struct, values))
    .filter(([name]) => !named.includes(name))
    .map(([name, value]) => `, ${name} ${valueText(value)}`)
    .join('');
}

function describeMemfd(memfd: Memfd, data: bigint): string {
  const seals = memfd.seals === null ? 'no seals in this version' : memfd.seals === 0 ? 'no seals' : flagsText(memfd.seals, sealNames);
  const position = memfd.pos === 0n ? '' : memfd.pos === null ? ', no position in this version' : `, position ${memfd.pos}`;
  const more = otherText(memfd.reading, ['pos', 'size', 'seals', 'nr_folios', 'folios', ...(memfd.flags === 0 ? ['flags'] : [])]);
  const folios = memfd.cut == null ? `${memfd.folioCount} folios` : `${memfd.readableFolios} folios and more (${escapeText(memfd.cut)})`;
  const where = memfd.reading.values === null ? '' : ` (memfd_luo_ser at ${hex(data)})`;
  return `${memfd.size} bytes (${formatBytes(memfd.size)}), ${folios}, ${seals}${position}${more}${where}`;
}

const folioTexts = new WeakMap<Memfd, readonly string[]>();

/** Made once, however many files lead to the memfd. */
function folioLines(memfd: Memfd): readonly string[] {
  const lines = folioTexts.get(memfd) ?? [...runLines(memfd)];
  folioTexts.set(memfd, lines);
  return lines;
}

function* runLines(memfd: Memfd): Iterable<string> {
  let shown = 0;
  for (const run of memfd.runs()) {
    if (shown === MAX_RUNS) {
      yield '        … (--json lists every run)';
      return;
    }
    yield `        pages ${run.index}-${BigInt(run.index) + BigInt(run.pages - 1)} at pfn ${hex(run.pfn)}`;
    shown++;
  }
}

/** Findings, a line each with what the next kernel does after it. */
function* findingLines(findings: readonly Finding[]): Iterable<string> {
  if (findings.length === 0) {
    yield 'no findings';
    return;
  }
  const count = (severity: Finding['severity']): number => findings.filter((finding) => finding.severity === severity).length;
  yield `findings: ${count('error')} errors, ${count('warning')} warnings, ${count('info')} notes`;
  for (const finding of findings) {
    const at = finding.at === null ? '' : ` at ${hex(finding.at)}`;
    yield `  ${finding.severity.toUpperCase().padEnd(7)} ${finding.rule}${at}: ${escapeText(finding.message)}`;
    if (finding.path !== null)
      yield `          in ${escapeText(finding.path)}${finding.owner === undefined ? '' : ` (${escapeText(ownerText(finding.owner))})`}`;
    if (finding.reaction !== null)
      yield `          next kernel: ${withErrno(finding.reaction.kind, finding.reaction.errno)}: ${escapeText(finding.reaction.text)}`;
  }
}
