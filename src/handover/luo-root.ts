/** The LUO subtree itself: a struct from 7.2, an FDT up to 7.1. Chooses by what stands there, then reads what it leads to. */
import { decodeValue } from '../codec/decode.js';
import { luoSerOf } from '../../abi/luo/root.js';
import { luoV1 } from '../../abi/luo/v1.js';
import { luoSer } from '../../abi/luo/v5.js';
import { contractsOf } from '../../abi/registry.js';
import { u64 } from '../../abi/layout.js';
import { type FdtNode, fdtProperty, fdtStrings, hasFdtMagic, parseFdt } from '../codec/fdt.js';
import { sizeOf } from '../codec/layout-table.js';
import type { Context } from './context.js';
import { addFdt } from './fdt-node.js';
import { escapeForWhy } from './meaning.js';
import { type Luo, type LuoForm, readFlbs, readSessions } from './luo.js';
import { type Node, addRestOfPage, structFromBytes } from './node.js';

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
  const luo = hasFdtMagic(blob.bytes) ? readLuoFdt(context, blob.bytes, blob.address, node) : readLuoStruct(context, blob.bytes, blob.address, node);
  if (luo !== null) node.meaning = `${luo.compatible}, ${luo.sessions?.length ?? '?'} sessions`;
  return luo;
}

/** `sessions_pa` leads to a contiguous area in luo-v3, to a block list from luo-v4. */
const pagesForm = new Set(['luo-v3']);
const luoSerPages = luoSerOf('luo_session_header_ser', 'mail series of 30 May 2026');

function readLuoStruct(context: Context, bytes: Uint8Array, address: number | null, node: Node): Luo | null {
  const { observations } = context;
  if (bytes.length < sizeOf(luoSer)) {
    observations.add(
      'luo-too-small',
      node,
      `the LUO blob has ${bytes.length} bytes, struct luo_ser has ${sizeOf(luoSer)}`,
      context.released ? 'reused' : 'wrong',
    );
    return null;
  }
  const text = decodeValue(luoSer.fields.compatible, bytes).text;
  const pages = pagesForm.has(text);
  const reading = structFromBytes(pages ? luoSerPages : luoSer, bytes.subarray(0, sizeOf(luoSer)), address, context.memory.pageSize, {
    path: `${node.path}/luo_ser`,
    name: 'luo_ser',
  });
  node.add(reading.node);
  if (address !== null) addRestOfPage(context.memory, reading.node, address, sizeOf(luoSer));
  const { values } = reading;
  if (values === null) return null;
  const known = contractsOf(values.compatible.text).some((contract) => contract.layer === 'luo');
  if (!known && !looksLikeVersion(values.compatible.text)) {
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
  const serialised = values.sessions_pa !== 0n;
  const form: LuoForm = pages ? 'pages' : 'blocks';
  const sessions = serialised ? readSessions(context, form, values.sessions_pa, node, reading.field('sessions_pa')) : [];
  const flbs = values.flbs_pa === 0n ? null : readFlbs(context, values.flbs_pa, node, reading.field('flbs_pa'));
  if (!serialised)
    observations.add(
      'luo-not-serialised',
      reading.field('sessions_pa'),
      'sessions_pa is 0: no session had been serialised when this dump was taken, or there were none',
      'note',
    );
  return {
    compatible: values.compatible.text,
    unknownVersion: !known,
    sessionCompatible: null,
    flbCompatible: null,
    liveupdateNumber: values.liveupdate_num,
    sessions,
    notSerialised: !serialised,
    flbs,
    node,
  };
}

const looksLikeVersion = (text: string): boolean => /^luo-v\d+(;|$)/.test(text);

function readLuoFdt(context: Context, bytes: Uint8Array, address: number | null, node: Node): Luo | null {
  const { observations } = context;
  const fdt = parseFdt(bytes);
  const root = addFdt(node, fdt, address, luoV1.fdt, context.memory.pageSize);
  for (const problem of fdt.problems)
    observations.add('luo-fdt', node, `the LUO FDT: ${problem.text}`, 'wrong', address === null ? null : address + problem.offset);
  if (fdt.root === null) return null;
  const compatible = fdtStrings(fdtProperty(fdt.root, 'compatible'))[0] ?? '';
  const known = contractsOf(compatible).some((contract) => contract.layer === 'luo');
  const compatibleNode = child(root, 'compatible') ?? root;
  if (!known)
    observations.add(
      'luo-unknown-version',
      compatibleNode,
      `compatible is ${JSON.stringify(compatible)}, which no release up to 7.3 knows; the rest is read as luo-v1 has it`,
    );
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
  const sessions = sessionsPointer === null ? null : readSessions(context, 'pages', sessionsPointer, node, from);
  const flbs = flbPointer === null ? null : readFlbs(context, flbPointer, node, flbFrom);
  const empty = sessions !== null && sessions.length === 0;
  if (empty)
    observations.add('luo-not-serialised', from, 'the session count is 0: no session had been serialised when this dump was taken, or there were none', 'note');
  return { compatible, unknownVersion: !known, sessionCompatible, flbCompatible, liveupdateNumber: number ?? 0n, sessions, notSerialised: empty, flbs, node };
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
