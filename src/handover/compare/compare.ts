/**
 * What a handover kept, lost or changed: the outgoing one of a dump beside the incoming one of a later dump. Names are matched,
 * not places: sessions by name, files by token, FLBs and regions by name, pages by address.
 */
import type { DecodedDump, Handover } from '../decode.js';
import { type LuoFile, type LuoFlb, type LuoSession, isWhole } from '../luo.js';
import { currentBudget, reachedText } from '../../codec/budget.js';
import type { PhysicalMemory } from '../../memory/memory.js';
import { PagesRead } from '../contents.js';
import { counted, formatBytes, hex } from '../../tree/words.js';
import { type PciDevice, pciAddress } from '../pci.js';
import { type Sides, compareFile, fileText } from './compare-files.js';
import { type Difference, type Kept, tell, worstFirst } from './difference.js';
import type { ContentSide } from './same-contents.js';
import { type FileFate, NOT_ALL_READ, type OpenPages, fatesOf } from './fates.js';

export interface Comparison {
  readonly before: Handover;
  /** null where the later dump has no handover that came in */
  readonly after: Handover | null;
  /** worst first */
  readonly differences: readonly Difference[];
  readonly kept: Kept;
  /** why the two may not belong together, or not in this order; a sentence each */
  readonly doubts: readonly string[];
  /** of either dump: which memory was not searched for handovers, and why; a sentence, null where all of it was */
  readonly notSearched: { readonly before: string | null; readonly after: string | null };
  /** limits that ended the reading of either dump, or the comparison; a sentence each */
  readonly notRead: readonly string[];
  /** of every file before */
  readonly fates: readonly FileFate[];
}

/** The handover a dump gives away: the outgoing one, if sessions are serialised in it, else the one with sessions. */
const givenAway = (dump: DecodedDump): Handover | undefined =>
  dump.handovers.find((handover) => handover.role === 'outgoing' && sessionsOf(handover).length > 0) ?? dump.handovers[0];

/** The handover a dump was given. */
const received = (dump: DecodedDump): Handover | undefined =>
  dump.handovers.find((handover) => handover.role === 'incoming') ??
  dump.handovers.find((handover) => handover.role === 'stale' || sessionsOf(handover).length > 0);

/** Which handover of each dump is compared: what one kernel gave and the next got, or in two dumps of one kernel the same one. */
function sidesOf(before: DecodedDump, after: DecodedDump): { readonly from: Handover; readonly to: Handover | null } | null {
  const from = givenAway(before);
  if (from === undefined) return null;
  const same = after.handovers.find((other) => other.role === from.role && sameHandover(from, other));
  return { from, to: same ?? received(after) ?? null };
}

/** One FDT at one place, written after as many kexecs: what a kernel gives away is no other while it runs. */
const sameHandover = (a: Handover, b: Handover): boolean =>
  a.role === 'outgoing' &&
  a.candidate.fdtAddress !== null &&
  a.candidate.fdtAddress === b.candidate.fdtAddress &&
  a.kexecMetadata?.kexecCount === b.kexecMetadata?.kexecCount;

const sessionsOf = (handover: Handover): readonly LuoSession[] => handover.luo?.sessions ?? [];

/** Both dumps have at least one handover. @returns null if the first has none */
export function compareDumps(before: DecodedDump, after: DecodedDump, openPages: OpenPages = null): Comparison | null {
  const pair = sidesOf(before, after);
  if (pair === null) return null;
  const { from, to } = pair;
  const fates = fatesOf(from, to, openPages);
  const out: Difference[] = [];
  const kept: Kept = { sessions: 0, files: 0, contents: 0, devices: 0, flbs: 0, pages: 0, regions: 0 };
  if (to === null || to.role === 'stale') allLost(from, to, out);
  else {
    compareHeads(from, to, out);
    const sides = { before: sideOf(before.memory), after: sideOf(after.memory) };
    compareSessions(from, to, sides, new Map(fates.map((fate) => [fate.beforePath, fate])), out, kept);
    compareFlbs(from, to, out, kept);
    compareRegions(from, to, out, kept);
    comparePages(from, to, before.memory.pageSize, out, kept);
  }
  const notSearched = { before: before.find.notSearched, after: after.find.notSearched };
  const reached = [before.budget, after.budget, currentBudget()].flatMap((budget) => budget.reached.map(reachedText));
  return { before: from, after: to, differences: out.sort(worstFirst), kept, doubts: doubtsOf(from, to), notSearched, notRead: [...new Set(reached)], fates };
}

/** What may make less of the comparison than it says; a sentence each. */
export function notesOf({ doubts, notSearched: { before, after }, notRead }: Comparison): readonly string[] {
  const searched = Object.entries({ before, after }).flatMap(([side, text]) => (text === null ? [] : [`${side}: ${text}`]));
  return [...doubts, ...searched, ...notRead.map((text) => `not all of it was looked at: ${text}`)];
}

/** For where there are no differences. */
export const nothingDiffers = ({ notRead }: Comparison): string => (notRead.length === 0 ? 'nothing differs' : 'nothing that was read differs');

/** The FDT is handed over in place, and carries its count of kexecs with it: one handover has the same of both in either dump. */
function doubtsOf(from: Handover, to: Handover | null): readonly string[] {
  if (to === null) return [];
  const doubts: string[] = [];
  const [a, b] = [from.candidate.fdtAddress, to.candidate.fdtAddress];
  if (a !== null && b !== null && a !== b)
    doubts.push(
      `the handover of the first dump has its root FDT at ${hex(a)}, that of the second at ${hex(b)}: they are of different kexecs, or of different machines`,
    );
  const [first, second] = [from.kexecMetadata?.kexecCount ?? null, to.kexecMetadata?.kexecCount ?? null];
  if (first !== null && second !== null && first !== second)
    doubts.push(
      `the handover of the first dump counts ${first} kexecs, that of the second ${second}${second < first ? ': the second dump was taken before' : ''}`,
    );
  if (from.role === 'incoming' && to.role === 'incoming')
    doubts.push('both dumps are of the kernel that received the handover: what the jump itself did to it cannot be told by them');
  return doubts;
}

const sideOf = (memory: PhysicalMemory): ContentSide => ({ memory, read: new PagesRead(memory) });

const named = (session: LuoSession): string => `session ${JSON.stringify(session.name.text)}`;
const fileNamed = (session: LuoSession, file: LuoFile): string => `${named(session)} file ${hex(file.token)}`;

function allLost(from: Handover, to: Handover | null, out: Difference[]): void {
  const why = to === null ? 'no handover came in' : `the running kernel did not take it over: ${to.roleEvidence}`;
  tell(out, 'lost', 'handover', from.compatible ?? 'handover', why, from.path, to?.path ?? null);
  for (const session of sessionsOf(from)) loseSession(session, out);
  for (const region of from.memblock ?? []) {
    tell(out, 'lost', 'reserve-mem', `region ${JSON.stringify(region.name)}`, `${formatBytes(region.size)} at ${hex(region.start)}`, region.node.path, null);
  }
}

function loseSession(session: LuoSession, out: Difference[]): void {
  tell(out, 'lost', 'session', named(session), `with ${counted(session.files.length, 'file')}`, session.path, null);
  for (const file of session.files) tell(out, 'lost', 'file', fileNamed(session, file), fileText(file), file.path, null);
}

function compareHeads(from: Handover, to: Handover, out: Difference[]): void {
  const add = (what: Difference['what'], name: string, before: unknown, after: unknown): void => {
    if (before !== after) tell(out, 'changed', what, name, `was ${before ?? 'not there'}, and is ${after ?? 'not there'}`, from.path, to.path);
  };
  add('handover', 'KHO version', from.compatible, to.compatible);
  add('handover', 'root FDT', place(from.candidate.fdtAddress), place(to.candidate.fdtAddress));
  if (from.luo !== null && to.luo !== null) {
    add('handover', 'LUO version', from.luo.compatible, to.luo.compatible);
    if (from.luo.liveupdateNumber !== null && to.luo.liveupdateNumber !== null)
      add('metadata', 'live update number', from.luo.liveupdateNumber?.toString(), to.luo.liveupdateNumber?.toString());
  }
  if (from.kexecMetadata !== null && to.kexecMetadata !== null) {
    add('metadata', 'previous release', from.kexecMetadata.previousRelease, to.kexecMetadata.previousRelease);
    add('metadata', 'kexec count', from.kexecMetadata.kexecCount, to.kexecMetadata.kexecCount);
  }
}

const place = (address: number | null): string | null => (address === null ? null : hex(address));

function compareSessions(from: Handover, to: Handover, memory: Sides, fates: ReadonlyMap<string, FileFate>, out: Difference[], kept: Kept): void {
  if (!from.hasLuo && !to.hasLuo) return;
  if (to.luo === null || to.luo.sessions === null) {
    if (sessionsOf(from).length === 0 && from.luo?.sessions != null) return;
    const text = `the ${sessionsOf(from).length} sessions can't be found in the later dump: LUO's data can't be read there any more`;
    tell(out, to.hasLuo || from.luo === null ? 'unknown' : 'lost', 'session', 'sessions', text, from.luo?.node.path ?? null, to.path);
    return;
  }
  const [before, after] = [sessionsOf(from), sessionsOf(to)];
  const others = placesOf(after);
  const [wasRead, isRead] = [from.luo !== null && isWhole(from.luo), isWhole(to.luo)];
  for (const [key, place] of placesOf(before)) {
    const session = before[place];
    const other = after[others.get(key) ?? -1];
    others.delete(key);
    if (session === undefined) continue;
    if (other === undefined && !isRead) tell(out, 'unknown', 'session', named(session), NOT_ALL_READ, session.path, null);
    else if (other === undefined) loseSession(session, out);
    else compareSession(session, other, memory, fates, out, kept);
  }
  for (const place of wasRead ? others.values() : []) {
    const session = after[place];
    if (session === undefined) continue;
    tell(out, 'new', 'session', named(session), `with ${counted(session.files.length, 'file')}`, null, session.path);
  }
}

function compareSession(from: LuoSession, to: LuoSession, memory: Sides, fates: ReadonlyMap<string, FileFate>, out: Difference[], kept: Kept): void {
  const count = out.length;
  const others = keyed(to.files, (file) => hex(file.token));
  for (const [key, file] of keyed(from.files, (candidate) => hex(candidate.token))) {
    const other = others.get(key);
    others.delete(key);
    const name = fileNamed(from, file);
    const fate = fates.get(file.path);
    if (other !== undefined && fate?.fate === 'failed') {
      const text = `${fileText(file)}: ${fate.text}, and what was handed over of it is freed`;
      tell(out, 'lost', 'file', name, text, file.path, other.path);
    } else if (other !== undefined) compareFile(name, file, other, memory, out, kept);
    else if (fate?.fate === 'came-back') kept.files++;
    else {
      const isLost = to.complete && (to.life === undefined || fate?.fate === 'lost' || fate?.fate === 'failed');
      const text = to.life === undefined || fate === undefined ? fileText(file) : `${fileText(file)}: ${fate.text}`;
      tell(out, isLost ? 'lost' : 'unknown', 'file', name, text, file.path, null);
    }
  }
  if (from.complete) for (const file of others.values()) tell(out, 'new', 'file', fileNamed(to, file), fileText(file), null, file.path);
  if (from.count !== to.count && to.life === undefined)
    tell(out, 'changed', 'session', named(from), `its count of files was ${from.count}, and is ${to.count}`, from.path, to.path);
  if (out.length === count && from.complete && to.complete) kept.sessions++;
}

/** The places of sessions by their names: they may be too many to be held. */
const placesOf = (sessions: readonly LuoSession[]): Map<string, number> =>
  keyed(
    Array.from({ length: sessions.length }, (_, place) => place),
    (place) => sessions[place]?.name.text ?? '',
  );

/** By name, a second of the same name as `name#2`. */
function keyed<T>(items: readonly T[], nameOf: (item: T) => string): Map<string, T> {
  const found = new Map<string, T>();
  const seen = new Map<string, number>();
  for (const item of items) {
    const name = nameOf(item);
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    found.set(count === 1 ? name : `${name}#${count}`, item);
  }
  return found;
}

function compareFlbs(from: Handover, to: Handover, out: Difference[], kept: Kept): void {
  if (from.luo?.flbs == null) return;
  if (to.luo?.flbs == null) {
    if (from.luo.flbs.length > 0) tell(out, 'unknown', 'flb', 'FLBs', "can't be read in the later dump", from.luo.node.path, to.path);
    return;
  }
  const others = keyed(to.luo.flbs, (flb) => flb.name.text);
  for (const [key, flb] of keyed(from.luo.flbs, (candidate) => candidate.name.text)) {
    const other = others.get(key);
    others.delete(key);
    const name = `FLB ${JSON.stringify(flb.name.text)}`;
    if (other === undefined) tell(out, 'lost', 'flb', name, `data ${hex(flb.data)}, ${flb.count} references`, flb.path, null);
    else compareFlb(name, flb, other, out, kept);
  }
  for (const flb of others.values())
    tell(out, 'new', 'flb', `FLB ${JSON.stringify(flb.name.text)}`, `data ${hex(flb.data)}, ${flb.count} references`, null, flb.path);
}

function compareFlb(name: string, from: LuoFlb, to: LuoFlb, out: Difference[], kept: Kept): void {
  const count = out.length;
  const add = (text: string): void => {
    tell(out, 'changed', 'flb', name, text, from.path, to.path);
  };
  if (from.data !== to.data) add(`its data was ${hex(from.data)}, and is ${hex(to.data)}`);
  // Of a running kernel's object they fall as files are finished.
  if (from.count !== to.count && from.reading.values !== null && to.reading.values !== null) add(`its references were ${from.count}, and are ${to.count}`);
  if (from.decoded?.kind === 'pci' && to.decoded?.kind === 'pci') compareDevices(name, from, to, from.decoded.devices, to.decoded.devices, out, kept);
  if (out.length === count) kept.flbs++;
}

function compareDevices(
  name: string,
  from: LuoFlb,
  to: LuoFlb,
  before: readonly PciDevice[],
  after: readonly PciDevice[],
  out: Difference[],
  kept: Kept,
): void {
  const address = (device: PciDevice): string => pciAddress(device.domain, device.bdf);
  const others = keyed(after, address);
  for (const [key, device] of keyed(before, address)) {
    const other = others.get(key);
    others.delete(key);
    const what = `device ${address(device)}`;
    if (other === undefined) tell(out, 'lost', 'device', what, `no longer in ${name}`, from.path, to.path);
    else if (other.refcount !== device.refcount)
      tell(out, 'changed', 'device', what, `its references were ${device.refcount}, and are ${other.refcount}`, from.path, to.path);
    else kept.devices++;
  }
  for (const device of others.values()) tell(out, 'new', 'device', `device ${address(device)}`, `in ${name}`, from.path, to.path);
}

function compareRegions(from: Handover, to: Handover, out: Difference[], kept: Kept): void {
  if (from.memblock === null) return;
  if (to.memblock === null) {
    tell(out, 'unknown', 'reserve-mem', 'reserve_mem regions', "can't be read in the later dump", from.path, to.path);
    return;
  }
  const others = keyed(to.memblock, (region) => region.name);
  const text = (region: { start: bigint; size: bigint }): string => `${formatBytes(region.size)} at ${hex(region.start)}`;
  for (const [key, region] of keyed(from.memblock, (candidate) => candidate.name)) {
    const other = others.get(key);
    others.delete(key);
    const base = { what: 'reserve-mem' as const, name: `region ${JSON.stringify(region.name)}`, before: region.node.path };
    if (other === undefined) tell(out, 'lost', base.what, base.name, text(region), base.before, null);
    else if (other.start === region.start && other.size === region.size) kept.regions++;
    else tell(out, 'changed', base.what, base.name, `was ${text(region)}, and is ${text(other)}`, base.before, other.node.path);
  }
  for (const region of others.values()) tell(out, 'new', 'reserve-mem', `region ${JSON.stringify(region.name)}`, text(region), null, region.node.path);
}

function comparePages(from: Handover, to: Handover, pageSize: number, out: Difference[], kept: Kept): void {
  if (from.map === null) return;
  const paths = { before: `${from.path}/kho/preserved`, after: `${to.path}/kho/preserved` };
  if (to.map === null) {
    tell(out, 'unknown', 'pages', 'preserved pages', "the preserved memory map can't be read in the later dump", paths.before, paths.after);
    return;
  }
  const lost = missingFrom(from.map.blocks(), to.map, pageSize);
  const more = missingFrom(to.map.blocks(), from.map, pageSize);
  kept.pages += lost.kept;
  if (lost.blocks > 0)
    tell(out, to.map.complete ? 'lost' : 'unknown', 'pages', 'preserved pages', `${lost.text} no longer preserved`, paths.before, paths.after);
  if (more.blocks > 0) tell(out, 'new', 'pages', 'preserved pages', `${more.text} preserved that were not`, paths.before, paths.after);
}

interface Missing {
  readonly blocks: number;
  readonly text: string;
  /** pages */
  readonly kept: number;
}

function missingFrom(blocks: Iterable<{ start: number; order: number }>, other: NonNullable<Handover['map']>, pageSize: number): Missing {
  let count = 0;
  let pages = 0;
  let kept = 0;
  let first = '';
  let left = currentBudget().allowed('check-items');
  for (const { start, order } of blocks) {
    if (left-- <= 0) {
      currentBudget().reach('check-items', 'blocks of the preserved memory maps');
      break;
    }
    if (other.ordersAt(start).includes(order)) {
      kept += 2 ** order;
      continue;
    }
    if (count++ === 0) first = `order ${order} at ${hex(start)}`;
    pages += 2 ** order;
  }
  return { blocks: count, text: `${count} blocks (${formatBytes(pages * pageSize)}; the first of ${first}) are`, kept };
}
