/**
 * The objects of a running kernel as the records that the serialised tree gives: reports, extract, diff and the terminal need not care where
 * a session was read. Where the serialised tree of the same moment is there too, its records are kept, and say what the objects add.
 */
import { luoFileSer, luoFlbSer, luoSessionSer } from '../../abi/luo/entries.js';
import type { Struct } from '../../abi/layout.js';
import { type Context, limitsOf } from '../handover/context.js';
import type { DecodedDump, Handover } from '../handover/decode.js';
import type { FileLife, SessionLife } from '../handover/life.js';
import type { Luo, LuoFile, LuoFlb, LuoSession } from '../handover/luo.js';
import { Observations } from '../handover/observe.js';
import { readOwners } from '../handover/owners/owners.js';
import { readPayload } from '../handover/payload.js';
import { Node } from '../tree/node.js';
import { uniquePart } from '../tree/tree.js';
import type { Reading } from '../tree/reading.js';
import { counted, hex } from '../tree/words.js';
import type { LiveFile, LiveFlb, LiveObjects, LiveSession, LiveSide } from './model.js';
import { objectNode } from './nodes.js';

/** Something the objects and the serialised tree say differently. */
export interface Disagreement {
  readonly text: string;
  readonly at: number | null;
  readonly path: string;
  /** is it about what a file is? Then another one comes back. */
  readonly ofFile: boolean;
}

interface WithObjects {
  readonly dump: DecodedDump;
  readonly disagreements: readonly Disagreement[];
}

/** `decoded` with what the objects tell in it. The tree's nodes are added to; no record of `decoded` changes. */
export function withObjects(decoded: DecodedDump, live: LiveObjects): WithObjects {
  const disagreements: Disagreement[] = [];
  let handovers = [...decoded.handovers];
  for (const side of [live.incoming, live.outgoing]) {
    if (!side.active || side.sessions === null) continue;
    const own = ownOf(handovers, live, side.side);
    if (own === null && side.sessions.length === 0) continue;
    const base = own ?? emptyHandover(decoded, side, handovers);
    const merged = merge(decoded, base, side, live, disagreements);
    handovers = own === null ? [...handovers, merged] : handovers.map((handover) => (handover === own ? merged : handover));
  }
  return { dump: { ...decoded, handovers: handovers.sort((a, b) => interest(b) - interest(a)) }, disagreements };
}

/** The handover of that side: by the address that KHO keeps, else by its role. */
function ownOf(handovers: readonly Handover[], live: LiveObjects, side: LiveSide['side']): Handover | null {
  const address = side === 'incoming' ? live.kho.incomingFdt : live.kho.outgoingFdt;
  return (
    handovers.find((handover) => address !== null && handover.candidate.fdtAddress === address) ?? handovers.find((handover) => handover.role === side) ?? null
  );
}

const interest = (handover: Handover): number =>
  ((handover.luo?.sessions?.length ?? 0) > 0 ? 10 : 0) +
  (handover.role === 'incoming' ? 3 : handover.role === 'outgoing' ? 2 : handover.role === 'stale' ? 1 : 0);

/** A side that no FDT is left of. */
function emptyHandover(decoded: DecodedDump, side: LiveSide, others: readonly Handover[]): Handover {
  const taken = others.some((other) => other.path === side.side);
  const path = taken ? `${side.side}@objects` : side.side;
  const roleEvidence = 'the running kernel’s own objects have it as theirs; its FDT is not in this dump any more';
  return {
    path,
    role: side.side,
    roleEvidence,
    candidate: {
      fdtAddress: null,
      foundBy: 'kernel-objects',
      fdt: null,
      pageState: 'excluded',
      namedBy: [],
      scratchFromFiles: null,
      roleFromFolder: null,
      blobFiles: [],
      cutInCopy: false,
    },
    compatible: null,
    contract: null,
    scratch: { state: 'not-named', areas: null, address: null, size: 0, why: 'no FDT is left that names it' },
    map: null,
    released: side.side === 'incoming',
    subtrees: [],
    hasLuo: true,
    luo: null,
    memblock: null,
    khoTest: null,
    hwpoison: null,
    foreign: [],
    owners: readOwners(null, decoded.memory),
    kexecMetadata: null,
    observations: [],
    references: [],
    node: new Node(path, path, { type: 'handover', description: roleEvidence }),
  };
}

function merge(decoded: DecodedDump, base: Handover, side: LiveSide, live: LiveObjects, disagreements: Disagreement[]): Handover {
  const { luo } = base;
  const serialised = (luo?.sessions?.length ?? 0) > 0;
  // Serialised and not changed since: while frozen, and until somebody opens the device.
  const sameMoment = serialised && (side.side === 'outgoing' ? side.frozen : live.deserialised === false);
  const sessions = sameMoment
    ? annotated(luo?.sessions ?? [], side, disagreements)
    : sessionsBelow(decoded, base, groupFor(base, serialised), side.sessions ?? []);
  const flbs = luo?.flbs !== null && luo?.flbs !== undefined && (luo.flbs.length > 0 || serialised) ? luo.flbs : flbsBelow(base, live.flbs ?? [], side.side);
  const other = decoded.handovers.find((handover) => handover !== base && (handover.luo?.compatible ?? '') !== '');
  const merged: Luo = {
    compatible: luo?.compatible ?? other?.luo?.compatible ?? '',
    contract: luo?.contract ?? null,
    entries: luo?.entries ?? null,
    flbEntries: luo?.flbEntries ?? null,
    sessionCompatible: luo?.sessionCompatible ?? null,
    flbCompatible: luo?.flbCompatible ?? null,
    liveupdateNumber: luo?.liveupdateNumber ?? null,
    notSerialised: luo?.notSerialised ?? false,
    node: luo?.node ?? luoNode(base),
    sessions,
    flbs,
    source: serialised ? 'both' : 'kernel-objects',
  };
  const count = counted(sessions.length, 'session');
  base.node.meaning = [base.compatible ?? 'no version', count].join(', ');
  merged.node.meaning = [merged.compatible, count].filter(Boolean).join(', ');
  return { ...base, hasLuo: true, luo: merged, owners: readOwners(merged, decoded.memory) };
}

function luoNode(base: Handover): Node {
  for (const child of base.node.children()) if (child.name === 'luo' && child instanceof Node) return child;
  return base.node.group('luo', { description: 'Live Update Orchestrator' });
}

/** Where nodes of objects are: where the serialised ones would be, or beside them. */
function groupFor(base: Handover, serialised: boolean): Node {
  const parent = luoNode(base);
  return parent.group(serialised || parent.children().some(({ name }) => name === 'sessions') ? 'objects' : 'sessions', {
    description: 'sessions as the running kernel’s own objects have them',
  });
}

/** A reading without bytes: its fields are shown by the node, which the kernel's own types describe. */
const unread = <S extends Struct>(struct: S, node: Node): Reading<S> => ({
  struct,
  node,
  address: node.address,
  values: null,
  field: () => node,
  integer: () => null,
  text: () => null,
});

function sessionsBelow(decoded: DecodedDump, base: Handover, group: Node, sessions: readonly LiveSession[]): readonly LuoSession[] {
  const names = new Map<string, number>();
  group.meaning = counted(sessions.length, 'session');
  return sessions.map((session) => {
    const path = `${group.path}/${uniquePart(names, session.name.text)}`;
    const node = group.add(objectNode(session.object, path, session.name.text, `${session.state}, ${counted(session.files.length, 'file')}`));
    const files = node.group('files');
    const tokens = new Map<string, number>();
    return {
      path,
      name: session.name,
      count: session.count,
      files: session.files.map((file) => fileBelow(decoded, base, files, tokens, file)),
      complete: session.complete,
      entries: null,
      unreadable: session.files.length === 0 && session.count > 0n && !session.complete,
      reading: unread(luoSessionSer, node),
      node,
      life: lifeOfSession(session),
    };
  });
}

function fileBelow(decoded: DecodedDump, base: Handover, group: Node, tokens: Map<string, number>, file: LiveFile): LuoFile {
  const path = `${group.path}/${uniquePart(tokens, hex(file.token))}`;
  const status = file.retrieveStatus === null || file.retrieveStatus >= 0 ? '' : ` (${file.retrieveStatus})`;
  const node = group.add(objectNode(file.object, path, hex(file.token), `${file.compatible.text}, ${file.phase}${status}`));
  file.memfd?.placeBelow(node);
  return {
    path,
    token: file.token,
    compatible: file.compatible,
    data: file.data,
    decoded: file.memfd ?? otherPayload(decoded, base, file, node),
    reading: unread(luoFileSer, node),
    node,
    life: lifeOfFile(file),
  };
}

/** What a handler other than memfd's has serialised, while it is there. */
function otherPayload(decoded: DecodedDump, base: Handover, file: LiveFile, node: Node): LuoFile['decoded'] {
  if (file.compatible.text.startsWith('memfd-') || file.phase === 'retrieve-failed' || file.data === 0n) return null;
  const context: Context = {
    memory: decoded.memory,
    observations: new Observations(),
    limits: limitsOf(decoded.budget),
    contracts: decoded.contracts,
    foreign: new Map(),
    prefix: base.path,
    root: base.node,
    map: base.map,
    released: true,
    bulk: null,
    references: [],
  };
  return readPayload(context, file.compatible, file.data, node, node);
}

const lifeOfSession = ({ state, openBy }: LiveSession): SessionLife => ({ state, openBy });

const lifeOfFile = ({ phase, retrieveStatus, module, operations, memfd, openBy }: LiveFile): FileLife => ({
  phase,
  retrieveStatus,
  module,
  operations,
  name: memfd?.name ?? null,
  openBy,
});

/** The serialised records, each with what its object adds; joined by name and token. */
function annotated(serialised: readonly LuoSession[], side: LiveSide, disagreements: Disagreement[]): readonly LuoSession[] {
  const objects = new Map((side.sessions ?? []).map((session) => [session.name.text, session]));
  const records = serialised.map((record) => {
    const session = objects.get(record.name.text);
    objects.delete(record.name.text);
    if (session === undefined) {
      disagree(disagreements, record, `session ${JSON.stringify(record.name.text)} is serialised, and no object of the kernel has that name`);
      return record;
    }
    const files = new Map(session.files.map((file) => [file.token, file]));
    const joined = record.files.map((file) => {
      const object = files.get(file.token);
      files.delete(file.token);
      if (object === undefined) {
        if (session.complete) disagree(disagreements, file, `token ${hex(file.token)} is serialised, and its session’s object has no such file`);
        return file;
      }
      compare(file, object, disagreements);
      return { ...file, life: lifeOfFile(object) };
    });
    if (record.complete)
      for (const token of files.keys()) disagree(disagreements, record, `the session’s object has token ${hex(token)}, which is not serialised`);
    return { ...record, files: joined, life: lifeOfSession(session) };
  });
  const [first] = serialised;
  for (const name of objects.keys())
    if (first !== undefined)
      disagree(
        disagreements,
        { ...first, path: first.path.slice(0, first.path.lastIndexOf('/')) },
        `session ${JSON.stringify(name)} is an object of the kernel, and not serialised`,
      );
  return records;
}

function disagree(disagreements: Disagreement[], { path, node }: { readonly path: string; readonly node: Node }, text: string, ofFile = false): void {
  disagreements.push({ text, at: node.address, path, ofFile });
}

function compare(file: LuoFile, object: LiveFile, disagreements: Disagreement[]): void {
  const say = (what: string, serialised: bigint | string, own: bigint | string): void => {
    if (serialised !== own)
      disagree(
        disagreements,
        file,
        `${what} is ${typeof serialised === 'bigint' ? hex(serialised) : serialised} as serialised, and ${typeof own === 'bigint' ? hex(own) : own} in the kernel’s object`,
        true,
      );
  };
  say('compatible', file.compatible.text, object.compatible.text);
  say('data', file.data, object.data);
  if (file.decoded?.kind !== 'memfd' || object.memfd === null) return;
  say('the size', file.decoded.size, object.memfd.size);
  if (file.decoded.seals !== null && object.memfd.seals !== null) say('seals', BigInt(file.decoded.seals), BigInt(object.memfd.seals));
}

function flbsBelow(base: Handover, flbs: readonly LiveFlb[], side: LiveSide['side']): readonly LuoFlb[] {
  const held = flbs.flatMap((flb) => flb.sides.flatMap((state) => (state.side === side && (state.count > 0 || state.data !== 0n) ? [{ flb, state }] : [])));
  if (held.length === 0) return [];
  const group = luoNode(base).group('flb-objects', { description: 'file-lifecycle-bound objects, as the running kernel has them' });
  const names = new Map<string, number>();
  return held.map(({ flb, state }) => {
    const path = `${group.path}/${uniquePart(names, flb.name.text)}`;
    const node = group.add(objectNode(flb.object, path, flb.name.text, `${state.count} references`));
    return { path, name: flb.name, data: state.data, count: BigInt(state.count), decoded: null, reading: unread(luoFlbSer, node), node };
  });
}
