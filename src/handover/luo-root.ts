/** The LUO subtree itself: a struct from 7.2, an FDT up to 7.1. Chooses by what stands there, then reads what it leads to. */
import type { Contract } from '../../abi/contract.js';
import { fileBlocks, sessionBlocks } from '../../abi/luo/areas.js';
import { luoCompatibleBytes, luoSerOf } from '../../abi/luo/root.js';
import { luoV1 } from '../../abi/luo/v1.js';
import { luoSerV2, luoV2 } from '../../abi/luo/v2.js';
import { luoSer, luoV5 } from '../../abi/luo/v5.js';
import { contractsOf } from '../../abi/registry.js';
import { u64 } from '../../abi/layout.js';
import { decodeValue, toCString } from '../codec/decode.js';
import { type FdtNode, fdtProperty, fdtStrings, fdtTotalSize, hasFdtMagic, parseFdt } from '../codec/fdt.js';
import { sizeOf } from '../codec/layout-table.js';
import { physicalAddress } from '../memory/memory.js';
import { type Context, isOffMachine, natureOfNonsense, refer } from './context.js';
import { addFdt } from './fdt-node.js';
import { escapeForWhy, hex } from '../tree/words.js';
import { type Luo, type LuoForm, readFlbs, readSessions } from './luo.js';
import type { Node } from '../tree/node.js';
import { type Reading, readStruct, structFromBytes } from '../tree/reading.js';
import { addRestOfPage } from '../tree/gaps.js';

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
  // A blob with no room for an FDT header is none, whatever it starts with.
  const isFdt = hasFdtMagic(blob.bytes) && fdtTotalSize(blob.bytes) !== null;
  const luo = isFdt ? readLuoFdt(context, blob.bytes, blob.address, node) : readLuoStruct(context, blob.bytes, blob.address, node);
  if (luo !== null) node.meaning = `${luo.compatible}, ${luo.sessions?.length ?? '?'} sessions`;
  return luo;
}

/** The LUO contract among the versions a string lists, `luo-v5` or `luo-v5;block-v1`; null where none is known. */
const luoContract = (text: string): Contract | null =>
  text
    .split(';')
    .flatMap(contractsOf)
    .find((contract) => contract.layer === 'luo') ?? null;

/** Where a version keeps sessions and files, by its contract. */
const formOf = (contract: Contract): LuoForm => ({
  sessions: contract.areas?.includes(sessionBlocks) === true ? 'blocks' : 'pages',
  files: contract.areas?.includes(fileBlocks) === true ? 'blocks' : 'pages',
});

/** Bytes of the struct luo_ser that starts with the string at the start of `bytes`. */
export const luoSerSize = (bytes: Uint8Array): number => {
  const { bytes: text } = toCString(bytes.subarray(0, MAX_COMPATIBLE));
  return sizeOf(luoSerOf('kho_block_header_ser', luoSer.source, luoCompatibleBytes(text.length)));
};

/** A version string longer than any; where the root's first bytes hold no shorter one they are something else. */
const MAX_COMPATIBLE = 256;

function readLuoStruct(context: Context, bytes: Uint8Array, address: number | null, node: Node): Luo | null {
  const { observations } = context;
  const { text, bytes: textBytes } = toCString(bytes.subarray(0, MAX_COMPATIBLE));
  const contract = luoContract(text);
  const plausible = contract !== null || looksLikeVersion(text);
  const form = formOf(contract ?? luoV5);
  const [first] = (contract ?? luoV5).structs;
  const pointsTo = form.sessions === 'blocks' ? 'kho_block_header_ser' : 'luo_session_header_ser';
  const ofString = luoSerOf(pointsTo, first?.source ?? luoSer.source, plausible ? luoCompatibleBytes(textBytes.length) : undefined);
  // The usual struct itself where it fits, so that its name leads to its contract.
  const struct = form.sessions === 'blocks' && sizeOf(ofString) === sizeOf(luoSer) ? luoSer : ofString;
  if (bytes.length < sizeOf(struct)) {
    observations.add(
      'luo-too-small',
      node,
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
  const { values } = reading;
  if (values === null) return null;
  const known = contract !== null;
  if (!plausible) {
    const start = escapeForWhy(bytes);
    if (context.released)
      observations.add('luo-reused', node, `the LUO blob holds no LUO header (it starts with ${start}): it was freed early in boot, and reused`, 'reused');
    else observations.add('luo-unknown-version', reading.field('compatible'), `compatible is no version of LUO (the blob starts with ${start})`);
    return null;
  }
  if (!known) {
    reading.field('compatible').mark('unknown-version', `no contract known is called ${values.compatible.text}; read as luo-v5`);
    observations.add(
      'luo-unknown-version',
      reading.field('compatible'),
      `compatible is ${values.compatible.text}, which no release up to 7.3 knows; the rest is read as luo-v5 has it`,
    );
  }
  const sessions = readSerialised(context, form, values.sessions_pa, node, reading);
  const flbs = values.flbs_pa === 0n ? [] : readFlbs(context, values.flbs_pa, node, reading.field('flbs_pa'));
  return {
    compatible: values.compatible.text,
    unknownVersion: !known,
    sessionCompatible: null,
    flbCompatible: null,
    liveupdateNumber: values.liveupdate_num,
    sessions,
    notSerialised: values.sessions_pa === 0n,
    flbs,
    node,
  };
}

/** The sessions behind `sessions_pa`; none, with a note, where it is 0. */
function readSerialised(context: Context, form: LuoForm, pointer: bigint, node: Node, reading: Reading): Luo['sessions'] {
  const from = reading.field('sessions_pa');
  if (pointer !== 0n) return readSessions(context, form, pointer, node, from);
  const text = 'sessions_pa is 0: no session had been serialised when this dump was taken, or there were none';
  context.observations.add('luo-not-serialised', from, text, 'note');
  return [];
}

const looksLikeVersion = (text: string): boolean => /^([\w.-]+;)*luo-v\d+(;[\w.-]+)*;?$/.test(text);

function readLuoFdt(context: Context, bytes: Uint8Array, address: number | null, node: Node): Luo | null {
  const { observations } = context;
  const fdt = parseFdt(bytes);
  const compatible = fdt.root === null ? '' : fdtStrings(fdtProperty(fdt.root, 'compatible')).join(';');
  const contract = luoContract(compatible);
  const root = addFdt(node, fdt, address, contract?.fdt ?? luoV1.fdt, context.memory.pageSize);
  for (const problem of fdt.problems)
    observations.add('luo-fdt', node, `the LUO FDT: ${problem.text}`, 'wrong', address === null ? null : address + problem.offset);
  if (fdt.root === null) return null;
  const known = contract !== null;
  const compatibleNode = child(root, 'compatible') ?? root;
  if (!known)
    observations.add(
      'luo-unknown-version',
      compatibleNode,
      `compatible is ${JSON.stringify(compatible)}, which no release up to 7.3 knows; the rest is read as luo-v1 has it`,
    );
  if (contract === luoV2) return readLuoHeader(context, fdt.root, compatible, node, root);
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
  const sessions = sessionsPointer === null ? null : readSessions(context, formOf(luoV1), sessionsPointer, node, from);
  const flbs = flb === undefined ? [] : flbPointer === null ? null : readFlbs(context, flbPointer, node, flbFrom);
  const empty = sessions !== null && sessions.length === 0;
  if (empty)
    observations.add('luo-not-serialised', from, 'the session count is 0: no session had been serialised when this dump was taken, or there were none', 'note');
  return { compatible, unknownVersion: !known, sessionCompatible, flbCompatible, liveupdateNumber: number, sessions, notSerialised: empty, flbs, node };
}

/** luo-v2: the FDT's one property names a struct without a string. */
function readLuoHeader(context: Context, fdt: FdtNode, compatible: string, node: Node, root: Node): Luo | null {
  const pointer = wide(context, fdt, 'luo-abi-header', root);
  const from = child(root, 'luo-abi-header') ?? root;
  const address = pointer === null ? null : physicalAddress(pointer);
  if (address === null || address === 0 || isOffMachine(context, address)) {
    if (pointer !== null)
      context.observations.add('luo-missing', from, `luo-abi-header is ${hex(pointer)}, no memory of this machine`, natureOfNonsense(context));
    return null;
  }
  const reading = readStruct(context.memory, luoSerV2, address, { path: `${node.path}/luo_ser`, name: 'luo_ser' });
  node.add(reading.node);
  from.pointsTo(reading.node);
  refer(context, { address, order: 0, what: 'struct luo_ser', node: reading.node, from });
  if (reading.values === null) {
    context.observations.add('luo-missing', from, `struct luo_ser at ${hex(address)}: ${reading.node.why ?? 'its page is missing'}`, 'absent');
    return null;
  }
  const { values } = reading;
  return {
    compatible,
    unknownVersion: false,
    sessionCompatible: null,
    flbCompatible: null,
    liveupdateNumber: values.liveupdate_num,
    sessions: readSerialised(context, formOf(luoV2), values.sessions_pa, node, reading),
    notSerialised: values.sessions_pa === 0n,
    flbs: values.flbs_pa === 0n ? [] : readFlbs(context, values.flbs_pa, node, reading.field('flbs_pa')),
    node,
  };
}

function checkVersion(context: Context, layer: 'luo-session' | 'luo-flb', compatible: string | null, node: Node | null): void {
  if (node === null || (compatible !== null && contractsOf(compatible).some((contract) => contract.layer === layer))) return;
  context.observations.add(
    'luo-unknown-version',
    child(node, 'compatible') ?? node,
    `compatible of ${layer} is ${JSON.stringify(compatible ?? '')}, which no release up to 7.3 knows`,
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
