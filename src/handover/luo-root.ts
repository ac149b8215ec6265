/** The LUO subtree itself: a struct from 7.2, an FDT up to 7.1. Chooses by what is there, then reads what it leads to. */
import { NEWEST } from '../../abi/behaviour/facts.js';
import { type Contract, behaviourIsKnown } from '../../abi/contract.js';
import { type Struct, u64 } from '../../abi/layout.js';
import { luoCompatibleBytes } from '../../abi/luo/root.js';
import { luoFeatures, luoSerFeatures } from '../../abi/feature-words/v1.js';
import { luoV1 } from '../../abi/luo/v1.js';
import { luoSerV2 } from '../../abi/luo/v2.js';
import { luoSer, luoV5 } from '../../abi/luo/v5.js';
import { decodeStruct, decodeValue, toCString } from '../codec/decode.js';
import { type FdtNode, fdtProperty, fdtStrings, fdtTotalSize, hasFdtMagic, parseFdt } from '../codec/fdt.js';
import { leafOf } from '../codec/leaf.js';
import { sizeOf } from '../codec/layout-table.js';
import { physicalAddress } from '../memory/memory.js';
import { addRestOfPage } from '../tree/gaps.js';
import { Node } from '../tree/node.js';
import { type Reading, readStruct, structFromBytes } from '../tree/reading.js';
import { counted, escapeForWhy, hex } from '../tree/words.js';
import { type Context, contractsNamed, isOffMachine, nonsense, refer } from './context.js';
import { hiddenEntry } from './entries.js';
import { addFdt } from './fdt-node.js';
import { type Luo, type LuoSession, type ReadList, readFlbs, readSessions } from './luo.js';
import { Observations } from './observe.js';

/** A blob that a subtree of the root FDT names. */
export interface Blob {
  /** null where its page is missing; cut short where only its start is there */
  readonly bytes: Uint8Array | null;
  /** physical; null where it came as a file with no address */
  readonly address: number | null;
  /** the subtree's node */
  readonly node: Node;
}

/** Decodes the LUO subtree. Null where its root could not be read, with an observation that says why. */
export function readLuo(context: Context, blob: Blob, parent: Node): Luo | null {
  if (blob.bytes === null) {
    const text = `the LUO root could not be read${blob.node.why === null ? '' : `: ${blob.node.why}`}`;
    context.observations.add('luo-missing', parent.group('luo', { address: blob.address, description: 'Live Update Orchestrator' }), text, 'absent');
    return null;
  }
  const node = parent.group('luo', { address: blob.address, bits: blob.bytes.length * 8, description: 'Live Update Orchestrator' });
  // A blob with no room for an FDT header is not an FDT, whatever it starts with.
  const isFdt = hasFdtMagic(blob.bytes) && fdtTotalSize(blob.bytes) !== null;
  const luo = isFdt ? readLuoFdt(context, blob.bytes, blob.address, node) : readLuoStruct(context, blob.bytes, blob.address, node);
  if (luo !== null) node.meaning = `${luo.compatible}, ${counted(luo.sessions?.length, 'session')}`;
  return luo;
}

/** The LUO contract among the versions a string lists, `luo-v5` or `luo-v5;block-v1`; null where none is known. */
const luoContract = (context: Context, text: string): Contract | null =>
  text
    .split(';')
    .flatMap((version) => contractsNamed(context, version))
    .find((contract) => contract.layer === 'luo') ?? null;

/** struct luo_ser of a contract for a root that starts with a string of `length` bytes: described, the string's own length moves what follows. */
function luoSerFor(contract: Contract, length: number): Struct {
  const [struct = luoSer] = contract.structs;
  const type = struct.fields.compatible;
  const bytes = luoCompatibleBytes(length);
  if (!behaviourIsKnown(contract) || type?.kind !== 'cstring' || type.bytes === bytes) return struct;
  return { ...struct, fields: { ...struct.fields, compatible: { ...type, bytes } } };
}

/** Bytes of the struct luo_ser that starts with the string at the start of `bytes`; null for a version nobody described. */
export const luoSerSize = (context: Context, bytes: Uint8Array): number | null => {
  if (isFeatureRoot(bytes)) return sizeOf(luoSerFeatures);
  const { text, length } = versionOf(context, bytes);
  const contract = luoContract(context, text);
  return contract === null && looksLikeVersion(text) ? null : sizeOf(luoSerFor(contract ?? luoV5, length));
};

/** The version string, and its length in bytes: at the start, or where the types of the kernel that wrote it have it. */
function versionOf(context: Context, bytes: Uint8Array): { readonly text: string; readonly length: number } {
  const { text, bytes: own } = toCString(bytes.subarray(0, MAX_COMPATIBLE));
  const start = { text, length: own.length };
  if (looksLikeVersion(text)) return start;
  const place = leafOf(context.contracts.struct(luoSer), 'compatible', context.memory.pageSize);
  if (place === null || place.bitOffset === 0) return start;
  const at = place.bitOffset / 8;
  const moved = toCString(bytes.subarray(at, at + place.bits / 8));
  return looksLikeVersion(moved.text) ? { text: moved.text, length: moved.bytes.length } : start;
}

/** A version string longer than any; where the root's first bytes hold no shorter one they are something else. */
const MAX_COMPATIBLE = 256;

/** blob-size of LUO's subtree. */
function sizeNode(context: Context): Node | null {
  let node: Node | null = context.root;
  for (const name of ['kho', '/', 'LUO', 'blob-size']) node = node === null ? null : child(node, name);
  return node;
}

function readLuoStruct(context: Context, bytes: Uint8Array, address: number | null, node: Node): Luo | null {
  const { observations } = context;
  if (isFeatureRoot(bytes)) return readFeatureRoot(context, bytes, address, node);
  const { text, length } = versionOf(context, bytes);
  const named = luoContract(context, text);
  const known = named?.status === 'window' && isRather(context, named, luoV5, bytes, address, node) ? null : named;
  const plausible = known !== null || looksLikeVersion(text);
  const contract = known ?? luoV5;
  const struct = plausible ? luoSerFor(contract, length) : luoSer;
  if (bytes.length < sizeOf(struct)) {
    observations.add(
      'luo-too-small',
      sizeNode(context) ?? node,
      `the LUO blob has ${bytes.length} bytes, struct luo_ser has ${sizeOf(struct)}`,
      context.released ? 'reused' : 'wrong',
    );
    return null;
  }
  const reading = structFromBytes(struct, bytes.subarray(0, sizeOf(struct)), address, context.memory.pageSize, {
    path: `${node.path}/luo_ser`,
    name: 'luo_ser',
  });
  node.add(reading.node);
  if (address !== null) addRestOfPage(context.memory, reading.node, address, sizeOf(struct));
  if (!plausible) {
    const start = escapeForWhy(bytes);
    if (context.released)
      observations.add('luo-reused', node, `the LUO blob holds no LUO header (it starts with ${start}): it was freed early in boot, and reused`, 'reused');
    else observations.add('luo-unknown-version', reading.field('compatible'), `compatible is not a version of LUO (the blob starts with ${start})`);
    return null;
  }
  if (known === null) {
    reading.field('compatible').mark('unknown-version', `no contract known is called ${text}; read as luo-v5`);
    observations.add('luo-unknown-version', reading.field('compatible'), `compatible is ${text}, which no release up to ${NEWEST} knows`);
    return asNeighbour(context, contract, text, reading, node);
  }
  return readLuoSer(context, contract, text, reading, node);
}

/** A root that starts with feature words instead of a string: as many bytes, small words, and what is required is supported. */
function isFeatureRoot(bytes: Uint8Array): boolean {
  if (bytes.length !== sizeOf(luoSerFeatures)) return false;
  const { supp, req, active, reserved } = decodeStruct(luoSerFeatures, bytes).features;
  return supp !== 0n && supp < MAX_FEATURES && (req & ~supp) === 0n && (active & ~supp) === 0n && reserved.every((word) => word === 0n);
}

/** Features are counted up from bit 0; text in their place is a larger number. */
const MAX_FEATURES = 1n << 32n;

function readFeatureRoot(context: Context, bytes: Uint8Array, address: number | null, node: Node): Luo {
  const reading = structFromBytes(luoSerFeatures, bytes, address, context.memory.pageSize, { path: `${node.path}/luo_ser`, name: 'luo_ser' });
  node.add(reading.node);
  if (address !== null) addRestOfPage(context.memory, reading.node, address, sizeOf(luoSerFeatures));
  const text = 'the LUO root holds feature words in place of a version string (RFC of 3 Sep 2026): every release compares a string, and refuses it';
  context.observations.add('luo-unknown-version', reading.field('features'), text);
  return readLuoSer(context, luoFeatures, luoFeatures.id, reading, node);
}

/** What a struct luo_ser leads to. */
function readLuoSer(context: Context, contract: Contract, compatible: string, reading: Reading, node: Node): Luo {
  const sessionsPointer = reading.integer('sessions_pa') ?? 0n;
  const sessions = readSerialised(context, contract, sessionsPointer, node, reading);
  const flbs = readFlbs(context, contract, reading.integer('flbs_pa') ?? 0n, node, reading.field('flbs_pa'));
  return {
    compatible,
    contract,
    sessionCompatible: null,
    flbCompatible: null,
    liveupdateNumber: reading.integer('liveupdate_num'),
    sessions: sessions.list,
    entries: sessions.entries,
    notSerialised: sessionsPointer === 0n,
    flbs: flbs.list,
    flbEntries: flbs.entries,
    node,
  };
}

/** Reads `reading` as `contract` has it, aside: nothing is added to the context or to `node`. */
function tryAs(context: Context, contract: Contract, compatible: string, reading: Reading, node: Node) {
  const observations = new Observations();
  const aside: Context = { ...context, observations, foreign: new Map(), references: [], bulk: null };
  const trial = new Node(node.path, node.name);
  const luo = readLuoSer(aside, contract, compatible, reading, trial);
  const lists = [luo.entries, luo.flbEntries, ...(luo.sessions ?? []).map((session) => session.entries)].filter((entries) => entries !== null);
  const hidden = lists.some((entries) => entries.pieces.some((piece) => hiddenEntry(context.memory, entries, piece) !== null));
  const odd = (luo.sessions ?? []).flatMap(({ files }) => files).some(({ compatible: name }) => name.trailing > 0 || !/^[\x21-\x7e]+$/.test(name.text));
  const trouble = observations.all.find(({ nature }) => nature === 'wrong' || nature === 'reused');
  const why = trouble?.text ?? (hidden ? 'its lists hold more than their counts say' : odd ? 'names of handlers are not text' : null);
  return { luo, trial, observations, references: aside.references, why };
}

/** Do the bytes make no sense as `named`, a version that no release spoke, and every sense as `other`? Then the string was damaged. */
function isRather(context: Context, named: Contract, other: Contract, bytes: Uint8Array, address: number | null, node: Node): boolean {
  const whyNot = (contract: Contract): string | null => {
    const struct = luoSerFor(contract, versionOf(context, bytes).length);
    if (bytes.length < sizeOf(struct)) return 'too small';
    const place = { path: `${node.path}/luo_ser`, name: 'luo_ser' };
    const reading = structFromBytes(struct, bytes.subarray(0, sizeOf(struct)), address, context.memory.pageSize, place);
    return tryAs(context, contract, contract.id, reading, node).why;
  };
  return whyNot(named) !== null && whyNot(other) === null;
}

/**
 * A version nobody described, of a kernel whose types are not at hand: where the bytes agree with the nearest contract in everything
 * that can be held against it, the string alone was damaged; where they do not, nothing is claimed of what follows.
 */
function asNeighbour(context: Context, contract: Contract, compatible: string, reading: Reading, node: Node): Luo {
  const { luo, trial, observations, references, why } = tryAs(context, contract, compatible, reading, node);
  if (why === null) {
    for (const child of trial.children()) node.add(child);
    for (const one of observations.all) context.observations.add(one.kind, one.node, one.text, one.nature, one.at);
    for (const reference of references) context.references.push(reference);
    return { ...luo, contract: null, node };
  }
  const group = node.group('sessions', { description: 'sessions in the order in which they were serialised' });
  const text = `what ${compatible} lists is not decoded: as ${contract.id} has it, it makes no sense (${why}); name the writing kernel's BTF with --btf`;
  context.observations.add('layout-incomplete', group, text, 'note');
  group.mark('unknown-version', text);
  return { ...luo, contract: null, liveupdateNumber: null, sessions: null, entries: null, flbs: null, flbEntries: null, notSerialised: false, node };
}

/** The sessions that `sessions_pa` points to; none, with a note, where it is 0. */
function readSerialised(context: Context, contract: Contract, pointer: bigint, node: Node, reading: Reading): ReadList<LuoSession> {
  const from = reading.field('sessions_pa');
  if (pointer !== 0n) return readSessions(context, contract, pointer, node, from);
  const text = 'sessions_pa is 0: no session had been serialised when this dump was taken, or there were none';
  context.observations.add('luo-not-serialised', from, text, 'note');
  return { list: [], entries: null };
}

const looksLikeVersion = (text: string): boolean => /^([\w.-]+;)*luo-v\d+(;[\w.-]+)*;?$/.test(text);

function readLuoFdt(context: Context, bytes: Uint8Array, address: number | null, node: Node): Luo | null {
  const { observations } = context;
  const fdt = parseFdt(bytes);
  const compatible = fdt.root === null ? '' : fdtStrings(fdtProperty(fdt.root, 'compatible')).join(';');
  const known = luoContract(context, compatible);
  const contract = known ?? luoV1;
  const root = addFdt(node, fdt, address, contract.fdt ?? luoV1.fdt, context.memory.pageSize);
  for (const problem of fdt.problems)
    observations.add('luo-fdt', node, `the LUO FDT: ${problem.text}`, 'wrong', address === null ? null : address + problem.blamed);
  if (fdt.root === null) return null;
  const compatibleNode = child(root, 'compatible') ?? root;
  if (known === null)
    observations.add(
      'luo-unknown-version',
      compatibleNode,
      `compatible is ${JSON.stringify(compatible)}, which no release up to ${NEWEST} knows; the rest is read as luo-v1 has it`,
    );
  if (contract.fdt !== undefined && 'luo-abi-header' in contract.fdt.properties) return readLuoHeader(context, contract, fdt.root, compatible, node, root);
  const session = fdt.root.children.find((candidate) => candidate.name === 'luo-session');
  const flb = fdt.root.children.find((candidate) => candidate.name === 'luo-flb');
  const number = wide(context, fdt.root, 'liveupdate-number', root);
  const sessionsPointer = session === undefined ? null : wide(context, session, 'luo-session-header', child(root, 'luo-session') ?? root);
  const flbPointer = flb === undefined ? null : wide(context, flb, 'luo-flb-header', child(root, 'luo-flb') ?? root);
  if (session === undefined) observations.add('luo-fdt', root, 'the LUO FDT has no node luo-session');
  const sessionCompatible = session === undefined ? null : (fdtStrings(fdtProperty(session, 'compatible'))[0] ?? null);
  const flbCompatible = flb === undefined ? null : (fdtStrings(fdtProperty(flb, 'compatible'))[0] ?? null);
  checkVersion(context, 'luo-session', sessionCompatible, child(root, 'luo-session'));
  checkVersion(context, 'luo-flb', flbCompatible, child(root, 'luo-flb'));
  const from = child(child(root, 'luo-session') ?? root, 'luo-session-header') ?? root;
  const flbFrom = child(child(root, 'luo-flb') ?? root, 'luo-flb-header') ?? root;
  const nothing = { list: null, entries: null };
  const versioned = (layer: 'luo-session' | 'luo-flb', text: string | null): Contract =>
    contractsNamed(context, text ?? '').find((candidate) => candidate.layer === layer) ?? contract;
  const sessions = sessionsPointer === null ? nothing : readSessions(context, versioned('luo-session', sessionCompatible), sessionsPointer, node, from);
  const flbs =
    flb === undefined
      ? { list: [], entries: null }
      : flbPointer === null
        ? nothing
        : readFlbs(context, versioned('luo-flb', flbCompatible), flbPointer, node, flbFrom);
  const empty = sessions.list !== null && sessions.list.length === 0;
  if (empty)
    observations.add('luo-not-serialised', from, 'the session count is 0: no session had been serialised when this dump was taken, or there were none', 'note');
  return {
    compatible,
    contract: known,
    sessionCompatible,
    flbCompatible,
    liveupdateNumber: number,
    sessions: sessions.list,
    entries: sessions.entries,
    notSerialised: empty,
    flbs: flbs.list,
    flbEntries: flbs.entries,
    node,
  };
}

/** luo-v2: the FDT's one property names a struct without a string. */
function readLuoHeader(context: Context, contract: Contract, fdt: FdtNode, compatible: string, node: Node, root: Node): Luo | null {
  const pointer = wide(context, fdt, 'luo-abi-header', root);
  const from = child(root, 'luo-abi-header') ?? root;
  const address = pointer === null ? null : physicalAddress(pointer);
  if (address === null || address === 0 || isOffMachine(context, address)) {
    if (pointer !== null) nonsense(context, 'luo-missing', from, `luo-abi-header is ${hex(pointer)}, no memory of this machine`);
    return null;
  }
  const reading = readStruct(context.memory, contract.structs[0] ?? luoSerV2, address, { path: `${node.path}/luo_ser`, name: 'luo_ser' });
  node.add(reading.node);
  from.pointsTo(reading.node);
  refer(context, { address, order: 0, what: 'struct luo_ser', node: reading.node, from });
  if (reading.values === null) {
    context.observations.add('luo-missing', from, `struct luo_ser at ${hex(address)}: ${reading.node.why ?? 'its page is missing'}`, 'absent');
    return null;
  }
  return readLuoSer(context, contract, compatible, reading, node);
}

function checkVersion(context: Context, layer: 'luo-session' | 'luo-flb', compatible: string | null, node: Node | null): void {
  if (node === null || (compatible !== null && contractsNamed(context, compatible).some((contract) => contract.layer === layer))) return;
  context.observations.add(
    'luo-unknown-version',
    child(node, 'compatible') ?? node,
    `compatible of ${layer} is ${JSON.stringify(compatible ?? '')}, which no release up to ${NEWEST} knows`,
  );
}

/** A native u64 property, or null with an observation. */
function wide(context: Context, node: FdtNode, name: string, at: Node): bigint | null {
  const property = fdtProperty(node, name);
  if (property === null || property.value.length !== 8) {
    context.observations.add(
      'luo-fdt',
      child(at, name) ?? at,
      property === null ? `property ${name} is missing` : `property ${name} has ${property.value.length} bytes, not 8`,
    );
    return null;
  }
  return decodeValue(u64(name), property.value);
}

/** The child node of that name, or null. */
export function child(node: Node, name: string): Node | null {
  return (node.children().find((candidate) => candidate.name === name) as Node | undefined) ?? null;
}
