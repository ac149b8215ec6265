/** Opens a dump, decodes and diagnoses it: what every command that takes a dump does first. */
import { setFlagsFromString } from 'node:v8';
import type { Arch, OpenedDump } from '../container/opened-dump.js';
import { openDump } from '../container/open.js';
import { diagnose } from '../diagnosis/diagnose.js';
import { judge } from '../verdict/judge.js';
import type { NextOptions } from '../verdict/next-kernel.js';
import { UserError } from '../codec/user-error.js';
import type { DecodedDump } from '../handover/decode.js';
import { describeState } from '../memory/memory.js';
import { type ReadDump, type ReadOptions, decodeDump, decodeDumpByBtf, decodeDumpByOwnBtf, decodeDumpTakenUp } from './decode-dump.js';
import { findLog } from './find-log.js';
import { nextOptions } from './next-option.js';
import { type LoadedObjects, loadObjects } from './load-objects.js';
import { tell } from './messages.js';
import { showProgress } from './progress.js';
import { preservedOf, toldByObjects } from '../verdict/told-by-objects.js';
import type { DumpReport } from '../report/dump-report.js';
import { atEnd } from '../codec/at-end.js';

interface LoadOptions extends NextOptions, ReadOptions {
  /** physical address of the root FDT, as the user wrote it */
  readonly khoFdt?: string | undefined;
  /** a console log's path; false for none; otherwise the folder's console.log or the dump's own printk buffer is taken */
  readonly log?: string | boolean | undefined;
  /** false: the next kernel is not run on the dump */
  readonly verdict?: boolean | undefined;
  /** a copy of the machine's /proc/iomem, for raw memory */
  readonly iomem?: string | undefined;
  /** told what is done next, and may throw to give up */
  readonly onStage?: (text: string) => Promise<void>;
}

export interface LoadedDump {
  readonly opened: OpenedDump;
  readonly report: DumpReport;
  /** the kernel in the dump, and LUO's own objects in it */
  readonly objects: LoadedObjects;
  /** the BTF that versions nobody described were read by, as messages name it */
  readonly layouts: string | null;
}

/**
 * @param wrap what the dump is looked at through
 * @throws UserError if the dump can't be read, or holds no handover
 */
export async function loadDump(path: string, options: LoadOptions = {}, wrap: (opened: OpenedDump) => OpenedDump = (opened) => opened): Promise<LoadedDump> {
  const stage = options.onStage ?? (async () => undefined);
  await stage('opening');
  const endProgress = options.onStage === undefined ? showProgress() : () => undefined;
  using _endProgress = atEnd(() => endProgress());
  return await load(path, options, stage, wrap);
}

/** What a dump holds, without findings and verdict: for what only looks at contents. */
interface DecodedOnly {
  readonly opened: OpenedDump;
  /** with the kernel's own objects in it */
  readonly decoded: DecodedDump;
  readonly objects: LoadedObjects;
}

type Stage = (text: string) => Promise<void>;

/**
 * As `loadDump`, but nothing is checked and no kernel run.
 * @param wrap what the dump is looked at through, by a caller that shows its own progress
 * @throws UserError if the dump can't be read, or holds no handover
 */
export async function loadDecoded(path: string, options: LoadOptions = {}, wrap: ((opened: OpenedDump) => OpenedDump) | null = null): Promise<DecodedOnly> {
  const endProgress = wrap === null ? showProgress() : () => undefined;
  using _endProgress = atEnd(() => endProgress());
  const { read, objects } = await decodeFile(path, options, async () => undefined, wrap ?? ((opened) => opened));
  try {
    checkFound(read, objects, options);
    tellChange(read.opened);
  } catch (error) {
    read.opened.close();
    throw error;
  }
  return { opened: read.opened, decoded: objects.decoded, objects };
}

/** In bytes: of what is made for a dump as large, little lives on, and V8 would let as much garbage pile up as all of the handover takes. */
const LARGE_DUMP = 8 * 2 ** 30;

/** V8's space for new objects grows no further. Not for the terminal, where a key is to cost little. */
function spareMemory({ bytes }: OpenedDump, { onStage }: LoadOptions): void {
  if (bytes >= LARGE_DUMP && onStage === undefined) setFlagsFromString('--semi-space-growth-factor=1');
}

async function load(path: string, options: LoadOptions, stage: Stage, wrap: (opened: OpenedDump) => OpenedDump): Promise<LoadedDump> {
  const { read, objects } = await decodeFile(path, options, stage, wrap);
  try {
    await stage('checking, and running the next kernel on it');
    const report = await reportOf(read, objects, options);
    tellChange(read.opened);
    return { opened: read.opened, report, objects, layouts: read.btf?.source ?? null };
  } catch (error) {
    read.opened.close();
    throw error;
  }
}

/** Opens a dump and decodes it by the types that go with it: those named, those beside it, those in it. @throws UserError */
export async function decodeFile(
  path: string,
  options: LoadOptions,
  stage: Stage,
  wrap: (opened: OpenedDump) => OpenedDump,
): Promise<{ readonly read: ReadDump; readonly objects: LoadedObjects }> {
  const opened = wrap(await openDump(path, { iomem: options.iomem }));
  spareMemory(opened, options);
  try {
    await stage(`${opened.container}: searching for handovers and decoding them`);
    const khoFdt = options.khoFdt === undefined ? null : parseAddress(options.khoFdt);
    let read = await decodeDumpByBtf(opened, khoFdt, options);
    await stage("reading the kernel's own objects");
    let objects = await loadObjects(read.opened, read.decoded, { ...options, types: read.btf });
    const other = isOfAnotherBuild(read, objects);
    if (other !== null && typeof options.btf === 'string') throw new UserError(`${other}; give the BTF of that kernel, or leave --btf out: the dump has it`);
    if (other !== null) {
      read = { ...decodeDump(opened, { khoFdt, before: read }), btf: null, said: [...read.said, `not used: ${other}`] };
      objects = await loadObjects(read.opened, read.decoded, options);
    }
    const takenUp = objects.live?.kho.incomingFdt ?? null;
    if (takenUp !== null && read.decoded.handovers.some(({ candidate, role }) => candidate.fdtAddress === takenUp && role !== 'incoming')) {
      read = decodeDumpTakenUp(read, khoFdt, takenUp);
      objects = await loadObjects(read.opened, read.decoded, { ...options, types: read.btf });
    }
    const types = objects.kernel?.btfBytes == null || options.btf === false || read.btf !== null ? null : objects.kernel.typesOrNull;
    const own = types === null ? null : decodeDumpByOwnBtf(opened, khoFdt, read, types.btf);
    if (own !== null) {
      read = own;
      objects = await loadObjects(read.opened, read.decoded, { ...options, types: read.btf });
    }
    return { read, objects };
  } catch (error) {
    opened.close();
    throw error;
  }
}

/**
 * Raw BTF has no build id. Where the dump has the BTF of its own kernel, and that kernel wrote the handover, the two have to be the same.
 * @returns what contradicts it; null where nothing does
 */
function isOfAnotherBuild({ opened, decoded, btf }: ReadDump, { kernel }: LoadedObjects): string | null {
  const own = kernel?.btfBytes == null ? null : (kernel.typesOrNull?.btf ?? null);
  if (btf === null || own === null || !decoded.handovers.some(({ role }) => role === 'outgoing') || btf.btf.isSameAs(own)) return null;
  return `${btf.source}: of another build than the kernel in ${opened.path}: ${btf.btf.typeCount} types against the ${own.typeCount} of the BTF in the dump`;
}

/** A dump that is still being written, or cut, reads as one that lacks things. @throws UserError where bytes are gone */
function tellChange(opened: OpenedDump): void {
  const change = opened.changed();
  if (change === null) return;
  const text = `${opened.path}: ${change} while it was read; copy it, and read the copy`;
  if (change.startsWith('shrank')) throw new UserError(text);
  tell(text);
}

/** Only x86 has setup_data, only arm64 names a handover in a devicetree. */
function archOf({ find }: DecodedDump): Arch | null {
  const by = new Set(find.candidates.map(({ foundBy }) => foundBy));
  return by.has('setup_data') === by.has('devicetree') ? null : by.has('setup_data') ? 'x86_64' : 'aarch64';
}

/** So many are named one by one. */
const NAMED_TROUBLES = 20;

/** @throws UserError where there is no handover, or none at the address that was given */
function checkFound({ opened, decoded }: Pick<ReadDump, 'opened' | 'decoded'>, objects: LoadedObjects, options: LoadOptions): void {
  if (objects.decoded.handovers.length === 0) {
    throw new UserError(
      `${opened.path}: no handover found; searched ${decoded.find.searched.join(', and ')}. If you know where the root FDT is, name it: --kho-fdt 0x…`,
    );
  }
  const [named] = decoded.find.candidates;
  if (options.khoFdt !== undefined && named !== undefined && named.foundBy === 'given' && named.fdt === null) {
    const state = describeState(named.pageState);
    throw new UserError(
      `${opened.path}: --kho-fdt ${options.khoFdt}: that page is ${state}; leave it out to search the dump, or take a dump that has the page`,
    );
  }
}

async function reportOf({ opened, decoded, kernel, btf, said }: ReadDump, objects: LoadedObjects, options: LoadOptions): Promise<DumpReport> {
  checkFound({ opened, decoded }, objects, options);
  const log = await findLog(opened, options.log ?? true);
  const arch = opened.arch ?? archOf(decoded);
  const facts = { path: opened.path, memory: opened.memory, arch, release: kernel?.release ?? null };
  const { findings, verdict } = judge({
    facts,
    decoded,
    findings: diagnose(decoded, { log, objects }),
    log,
    options: await nextOptions(options),
    replay: options.verdict !== false,
    objects: toldByObjects(objects.live, objects.decoded.handovers),
    preserved: preservedOf(objects.live),
  });
  return {
    source: {
      path: opened.path,
      container: opened.container,
      bytes: opened.bytes,
      arch,
      pageSize: opened.memory.pageSize,
      ...(opened.filter === undefined ? {} : { filter: opened.filter }),
      ...(decoded.find.notSearched === null ? {} : { notSearched: decoded.find.notSearched }),
    },
    kernel: kernel === null ? null : { release: kernel.release, foundBy: kernel.foundBy, facts: objects.facts, live: objects.live },
    handovers: objects.decoded.handovers,
    verdict,
    findings,
    decoded: objects.decoded,
    log,
    evidence: [
      ...opened.evidence,
      ...(kernel === null || kernel.evidence === null ? [] : [kernel.evidence]),
      ...(btf === null ? [] : [btf.evidence]),
      ...said,
      ...objects.missing,
      ...objects.troubles.slice(0, NAMED_TROUBLES).map(({ what, why }) => `${what}: ${why}`),
      ...(log === null ? [] : [`console log: ${log.path}`]),
      ...decoded.find.searched,
      ...decoded.handovers.map((handover) => `${handover.path}: ${handover.roleEvidence}`),
    ],
  };
}

/** @throws UserError unless `text` is a decimal or 0x number that can be a physical address */
export function parseAddress(text: string): number {
  const value = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value >= 2 ** 52) throw new UserError(`${JSON.stringify(text)} is no physical address; write it as 0x… or in decimal`);
  return value;
}
