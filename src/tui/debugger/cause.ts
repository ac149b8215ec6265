/**
 * From a symptom to its cause: the first step inside a call that went wrong, the bytes it went wrong by (of those it had read), the
 * step that wrote them last, and what would mend them where that can be told.
 */
import { AddressIndex } from '../../address/address-index.js';
import type { Finding } from '../../diagnosis/finding.js';
import type { EngineClient, Step, StepRead } from '../../engine/client.js';
import { readBytes } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import { decodedAtStep } from './inspect.js';
import { wentWrong } from './step-lines.js';
import type { TraceIndex } from './trace-index.js';

interface Mend {
  /** physical */
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly why: string;
}

export interface Cause {
  /** number of the step where it showed */
  readonly symptom: number;
  /** number of the step that went wrong first */
  readonly step: number;
  /** the bytes it went wrong by */
  readonly read: StepRead | null;
  /** the step that wrote them last; null where no step of this run did */
  readonly writer: number | null;
  readonly because: readonly string[];
  readonly mend: Mend | null;
}

/** Steps looked back for reads and for whoever wrote them. */
const LOOK_BACK = 300_000;
const MOST_READS = 256;

/** Where the run went wrong: an expectation that was not met, what it stopped at, else the first call that an agent was refused. */
export function symptomOf(client: EngineClient, index: TraceIndex): Step | null {
  const failure = client.failure();
  if (failure !== null) return failure;
  index.extend(client);
  for (const { done } of index.actions.values()) if (done?.errno != null) return done;
  return null;
}

export function causeOf(client: EngineClient, index: TraceIndex, symptom: Step): Cause {
  const step = firstWrong(client, index, symptom);
  const reads = readsBefore(client, index, step);
  const writers = lastWriters(client, reads, step.step);
  const report = decodedAtStep(client, client.fromDump ? 1 : Math.max(1, step.step - 1));
  const errors = (report?.findings ?? []).filter(({ severity }) => severity !== 'info');
  const named = explaining(reads, writers, errors, client);
  const because: string[] = [];
  const injected = injectedNear(client, index, step);
  if (injected !== null) because.push(`because: ${escapeText(injected)}`);
  const finding = named === null ? null : (errors.find((one) => isIn(one, named)) ?? null);
  if (finding !== null) because.push(`because: ${escapeText(finding.message)} (${finding.rule})`);
  const said = saidBy(client, index, step);
  if (said !== null && injected === null) because.push(`the kernel says: “${escapeText(said)}”`);
  const writer = named === null ? null : (writers.get(named) ?? null);
  if (named !== null && injected === null) {
    const origin =
      writer === null
        ? client.fromDump
          ? 'as they came with the dump'
          : 'written by no step of this run'
        : `last written by step ${writer}: ${escapeText(client.stepAt(writer)?.op ?? '')}`;
    because.push(`it read ${hex(named.address)} (${named.length} bytes), ${origin}; F goes there`);
  }
  const mend = mendOf(client, named, writer) ?? (report === null || finding === null ? null : mendOfFolio(report.decoded, finding));
  if (mend !== null) because.push(`mend: ${mend.why}; after F, e offers it`);
  return { symptom: symptom.step, step: step.step, read: injected === null ? named : null, writer: injected === null ? writer : null, because, mend };
}

/** The first step of the failing call that went wrong; the symptom itself where none before it did. */
function firstWrong(client: EngineClient, index: TraceIndex, symptom: Step): Step {
  const range = symptom.action === null ? null : index.actions.get(symptom.action);
  for (let number = range?.first ?? symptom.step; number < symptom.step; number++) {
    const step = client.stepAt(number);
    if (step !== null && wentWrong(step)) return step;
  }
  return symptom;
}

/** What was read up to the step, latest first: by the same step of the agent, else by the kernel that is booting. */
function readsBefore(client: EngineClient, index: TraceIndex, step: Step): StepRead[] {
  const first = step.action === null ? Math.max(1, step.step - LOOK_BACK) : (index.actions.get(step.action)?.first ?? 1);
  const reads: StepRead[] = [];
  for (let number = step.step; number >= first && reads.length < MOST_READS; number--) {
    const one = client.stepAt(number);
    if (one === null || one.kernel !== step.kernel) break;
    reads.push(...[...one.reads].reverse());
  }
  return reads;
}

const overlaps = (a: StepRead, b: StepRead): boolean => a.address < b.address + b.length && b.address < a.address + a.length;

/** The last step before `before` that wrote bytes of each read. */
function lastWriters(client: EngineClient, reads: readonly StepRead[], before: number): Map<StepRead, number> {
  const found = new Map<StepRead, number>();
  for (let number = before - 1; number >= 1 && number > before - LOOK_BACK && found.size < reads.length; number--) {
    const step = client.stepAt(number);
    for (const write of step?.writes ?? []) for (const read of reads) if (!found.has(read) && overlaps(read, write)) found.set(read, number);
  }
  return found;
}

const DAMAGE: ReadonlySet<string> = new Set(['flip', 'edit memory']);

const isIn = (finding: Finding, read: StepRead): boolean => finding.at !== null && finding.at >= read.address && finding.at < read.address + read.length;

/** The read that explains it: of damaged bytes, else of bytes that a finding is about, else the last one. */
function explaining(reads: readonly StepRead[], writers: ReadonlyMap<StepRead, number>, findings: readonly Finding[], client: EngineClient): StepRead | null {
  for (const read of reads) {
    const writer = writers.get(read);
    const step = writer === undefined ? null : client.stepAt(writer);
    if (step === null || !DAMAGE.has(step.op)) continue;
    const write = step.writes.find((one) => overlaps(read, one));
    return write === undefined ? read : narrowed(reads, writers, read, write);
  }
  for (const finding of findings) {
    const read = reads.find((one) => isIn(finding, one));
    if (read !== undefined) return read;
  }
  return reads[0] ?? null;
}

/** The bytes that were damaged, of a structure that was read whole: the map of writers must know the narrower read as well. */
function narrowed(reads: readonly StepRead[], writers: ReadonlyMap<StepRead, number>, read: StepRead, write: StepRead): StepRead {
  if (read.length <= write.length) return read;
  return reads.find((one) => one.length <= write.length && overlaps(one, write) && writers.get(one) === writers.get(read)) ?? read;
}

/** A fault of the scenario in the call of the step. */
function injectedNear(client: EngineClient, index: TraceIndex, step: Step): string | null {
  if (step.injected !== null) return step.injected;
  const first = step.action === null ? step.step : (index.actions.get(step.action)?.first ?? step.step);
  for (let number = step.step; number >= first; number--) {
    const injected = client.stepAt(number)?.injected ?? null;
    if (injected !== null) return injected;
  }
  return null;
}

/** Of a kernel that boots, so many steps before the one that went wrong are looked at. */
const BOOT_STEPS = 12;
const COMPLAINT = /fail|mismatch|unable|invalid|corrupt|incompatible|error|warning|not (?:found|supported)|BUG|panic/i;

/** The kernel's first complaint in the failing call, up to what it says once the step went wrong. */
function saidBy(client: EngineClient, index: TraceIndex, step: Step): string | null {
  const first = step.action === null ? step.step - BOOT_STEPS : (index.actions.get(step.action)?.first ?? step.step);
  for (let number = Math.max(1, first); number <= step.step + 1; number++) {
    const one = client.stepAt(number);
    const line = one?.action === step.action && one.kernel === step.kernel ? one.log.find((text) => COMPLAINT.test(text)) : undefined;
    if (line !== undefined) return line;
  }
  return null;
}

/** Damage by the scenario or by an edit is undone by the bytes from before. */
function mendOf(client: EngineClient, read: StepRead | null, writer: number | null): Mend | null {
  const step = writer === null ? null : client.stepAt(writer);
  if (read === null || step === null || !DAMAGE.has(step.op)) return null;
  const write = step.writes.find((one) => overlaps(read, one));
  return write === undefined ? null : { address: write.address, bytes: write.before, why: `what was there before step ${writer}` };
}

const PFN_BITS = 52;

/**
 * A folio that is not preserved, where exactly one page differs from it in a single bit of the pfn, is preserved, and is named by
 * nobody: that is the page which was meant.
 */
function mendOfFolio(dump: ConstructorParameters<typeof AddressIndex>[0], finding: Finding): Mend | null {
  if (finding.rule !== 'memfd/folio-not-preserved' || finding.at === null) return null;
  const read = readBytes(dump.memory, finding.at, 8);
  if (!read.ok) return null;
  const word = new DataView(read.bytes.buffer, read.bytes.byteOffset, 8).getBigUint64(0, true);
  const index = new AddressIndex(dump);
  const { pageSize } = dump.memory;
  const found: bigint[] = [];
  for (let bit = 0; bit < PFN_BITS; bit++) {
    const other = word ^ (1n << BigInt(bit));
    const address = Number(BigInt.asUintN(PFN_BITS, other)) * pageSize;
    if (!Number.isSafeInteger(address)) continue;
    const preserved = dump.handovers.some(({ map }) => map?.orderAt(address) != null);
    if (preserved && index.pointersTo(address).length === 0) found.push(other);
  }
  const [only] = found;
  if (only === undefined || found.length > 1) return null;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, only, true);
  const pfn = (value: bigint): string => hex(BigInt.asUintN(PFN_BITS, value));
  return { address: finding.at, bytes, why: `pfn ${pfn(only)} for ${pfn(word)}: one bit apart, preserved, and named by no other folio` };
}
