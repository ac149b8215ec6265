/** Who uses which pages of a handover, as far as it was decoded: what the page ledger books, and in which order. */
import { dmaDomains } from '../dma/domains.js';
import type { Handover } from '../decode.js';
import { hex } from '../../tree/words.js';
import { type PhysicalMemory, physicalAddress } from '../../memory/memory.js';
import { type TreeNode, walk } from '../../tree/tree.js';
import { guestMemfdLuoFolioSer, guestMemfdLuoSer } from '../../../abi/guest-memfd/v1.js';
import { decodeStruct } from '../../codec/decode.js';
import { sizeOf } from '../../codec/layout-table.js';
import type { Payload, StructPayload } from '../payload.js';
import { allReferences } from '../luo.js';

export type OwnerKind = 'file' | 'session' | 'flb' | 'luo' | 'subtree' | 'kho-test' | 'reserve-mem' | 'kho' | 'nobody';

export interface PageOwner {
  readonly kind: OwnerKind;
  /** unique in a handover and the same in every dump of a chain: `vm-0/0x1`, `LUO`, `kho_test` */
  readonly name: string;
  /** compatible string of a file, or what else tells owners apart for a reader */
  readonly detail: string;
  /** path of its node */
  readonly path: string | null;
}

/** Pages somebody uses. */
interface Claim {
  readonly owner: PageOwner;
  /** physical, bytes */
  readonly address: number;
  /** null: as many as the block there has */
  readonly pages: number | null;
  /** whose contents it is, where more than one file may lead there */
  readonly of?: Payload;
}

/** What another file claimed already. */
interface ClaimedAgain {
  readonly owner: PageOwner;
  readonly again: Payload;
}

/** A list of pages that could not be read whole: what it names is nobody's. */
interface UnreadList {
  readonly owner: PageOwner;
  /** entries that are not known */
  readonly unread: bigint;
}

/** Everything a handover's structures claim, the structures themselves first, then contents. Lazily. */
export function* claimsOf(handover: Handover, memory: PhysicalMemory): Iterable<Claim | ClaimedAgain | UnreadList> {
  const { pageSize } = memory;
  const owners = new Owners(handover);
  for (const { address, what, node, from, order } of allReferences(handover)) {
    yield { owner: owners.ofReference(what, node.path, from.path), address, pages: order === null ? null : 2 ** order };
  }
  for (const { name, start, size, node } of handover.memblock ?? []) {
    const address = physicalAddress(start);
    if (address !== null && address > 0)
      yield { owner: { kind: 'reserve-mem', name, detail: '', path: node.path }, address, pages: Math.ceil(Number(size) / pageSize) };
  }
  if (handover.khoTest !== null) {
    const { node, count } = handover.khoTest;
    const owner: PageOwner = { kind: 'kho-test', name: 'kho_test', detail: '', path: node.path };
    let read = 0;
    for (const { address, order } of handover.khoTest.folios()) {
      read++;
      yield { owner, address, pages: 2 ** order };
    }
    if (read < count) yield { owner, unread: BigInt(count - read) };
  }
  for (const flb of handover.luo?.flbs ?? []) {
    const owner = owners.at(flb.path);
    yield* payloadClaims(owner, flb.decoded, pageSize);
    // Page tables of an IOMMU are its FLB's, too.
    if (owner !== null) for (const { walk } of dmaDomains([flb], memory)) for (const address of walk?.tables ?? []) yield { owner, address, pages: null };
  }
  const seen = new Set<Payload>();
  for (const session of handover.luo?.sessions ?? [])
    for (const { path, decoded } of session.files) {
      const owner = owners.at(path);
      if (decoded !== null && owner !== null && seen.has(decoded)) yield { owner, again: decoded };
      else yield* payloadClaims(owner, decoded, pageSize);
      if (decoded !== null) seen.add(decoded);
    }
}

/** Pages of a file or FLB beyond those that references name. */
function* payloadClaims(owner: PageOwner | null, payload: Payload | null, pageSize: number): Iterable<Claim | UnreadList> {
  if (owner === null || payload === null) return;
  if (payload.kind === 'memfd') {
    // References are kept up to a limit; a large table is walked again.
    for (const address of payload.area?.chunks ?? []) yield { owner, address, pages: 1, of: payload };
    for (const address of payload.area?.blocks ?? []) yield { owner, address, pages: (payload.area?.blockSize ?? pageSize) / pageSize, of: payload };
    let read = 0n;
    for (const { pfn } of payload.entries()) {
      read++;
      if (pfn !== 0) yield { owner, address: pfn * pageSize, pages: null, of: payload };
    }
    if (read < payload.folioCount) yield { owner, unread: payload.folioCount - read };
    return;
  }
  if (payload.kind === 'struct') yield* guestMemory(owner, payload, pageSize);
  for (const { address, bits } of placesIn(payload.node)) {
    const first = address - (address % pageSize);
    const pages = Math.ceil((address + bits / 8 - first) / pageSize);
    if (pages > 0) yield { owner, address: first, pages, of: payload };
  }
}

/** Folios of a guest_memfd: as many of its list as nr_folios admits and can be read. */
function* guestMemory(owner: PageOwner, payload: StructPayload, pageSize: number): Iterable<Claim | UnreadList> {
  const area = payload.areas.get('folios');
  if (payload.struct !== guestMemfdLuoSer.name) return;
  const count = payload.reading.integer('nr_folios') ?? 0n;
  const size = sizeOf(guestMemfdLuoFolioSer);
  const room = area === undefined ? 0 : Math.floor(area.size / size);
  const wanted = count < BigInt(room) ? Number(count) : room;
  let read = 0;
  for (let first = 0; area !== undefined && first < wanted; first += FOLIOS_A_PIECE) {
    const bytes = area.read(first * size, Math.min(FOLIOS_A_PIECE, wanted - first) * size);
    for (let at = 0; at + size <= bytes.length; at += size, read++) {
      const { pfn } = decodeStruct(guestMemfdLuoFolioSer, bytes, at).pfn_flags;
      if (pfn !== 0) yield { owner, address: pfn * pageSize, pages: null, of: payload };
    }
  }
  if (BigInt(read) < count) yield { owner, unread: count - BigInt(read) };
}

const FOLIOS_A_PIECE = 4096;

function placesIn(node: TreeNode): readonly { readonly address: number; readonly bits: number }[] {
  const places: { address: number; bits: number }[] = [];
  walk(node, ({ address, bits }) => {
    if (address !== null && bits > 0) places.push({ address, bits });
    return true;
  });
  return places;
}

/** Owners by the paths of the nodes they have. */
class Owners {
  readonly #byPath = new Map<string, PageOwner>();
  readonly #luo: PageOwner;
  readonly #kho: PageOwner;

  constructor({ path, luo, subtrees }: Handover) {
    this.#kho = { kind: 'kho', name: 'KHO', detail: 'root FDT', path: `${path}/kho` };
    this.#luo = { kind: 'luo', name: 'LUO', detail: 'root, session blocks, FLB page', path: luo?.node.path ?? `${path}/luo` };
    for (const { name, node } of subtrees) {
      const owner: PageOwner =
        name === 'LUO'
          ? this.#luo
          : name === 'kho_test'
            ? { kind: 'kho-test', name, detail: '', path: node.path }
            : { kind: 'subtree', name, detail: '', path: node.path };
      this.#byPath.set(node.path, owner);
    }
    for (const flb of luo?.flbs ?? []) this.#byPath.set(flb.path, { kind: 'flb', name: flb.name.text, detail: '', path: flb.path });
    const names = new Map<string, number>();
    for (const session of luo?.sessions ?? []) {
      const seen = (names.get(session.name.text) ?? 0) + 1;
      names.set(session.name.text, seen);
      const name = seen === 1 ? session.name.text : `${session.name.text}#${seen}`;
      this.#byPath.set(session.path, { kind: 'session', name, detail: `${session.files.length} files`, path: session.path });
      const tokens = new Map<bigint, number>();
      for (const file of session.files) {
        const again = (tokens.get(file.token) ?? 0) + 1;
        tokens.set(file.token, again);
        const token = again === 1 ? hex(file.token) : `${hex(file.token)}#${again}`;
        this.#byPath.set(file.path, { kind: 'file', name: `${name}/${token}`, detail: file.compatible.text, path: file.path });
      }
    }
  }

  at(path: string): PageOwner | null {
    return this.#byPath.get(path) ?? null;
  }

  /** The owner of what a reference leads to: whose node it is, or hangs on. */
  ofReference(what: string, path: string, from: string): PageOwner {
    // Blocks of sessions are below the sessions, where one may be called `block`.
    if (what === 'session block' || what === 'session area' || what === 'FLB page') return this.#luo;
    return (
      this.#above(path) ?? this.#above(from) ?? (/^[^/]+\/luo(\/|$)/.test(path) ? this.#luo : /^[^/]+\/kho_test(\/|$)/.test(path) ? this.#test : this.#kho)
    );
  }

  get #test(): PageOwner {
    for (const owner of this.#byPath.values()) if (owner.kind === 'kho-test') return owner;
    return this.#kho;
  }

  /** The nearest owner at or above a path. */
  #above(path: string): PageOwner | null {
    for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      const owner = this.#byPath.get(at);
      if (owner !== undefined) return owner;
    }
    return null;
  }
}
