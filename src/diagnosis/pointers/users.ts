/** Who uses each page of a handover: structures by the pointers that lead to them, and the preserved memory map by its own. */
import type { Reference } from '../../handover/context.js';
import type { Handover } from '../../handover/decode.js';
import { FrameSet } from '../../memory/frame-set.js';
import { readBytes } from '../../memory/memory.js';
import { type TreeNode, walk } from '../../tree/tree.js';
import type { Clue } from '../rule.js';
import type { Subject } from '../subject.js';

/** Who uses a page: where the pointer to it is. */
export interface PageUser {
  readonly what: string;
  readonly at: number | null;
  readonly path: string;
  /** null for a page of the preserved memory map */
  readonly reference: Reference | null;
}

const indexes = new WeakMap<Handover, ReadonlyMap<number, readonly PageUser[]>>();

/** Users of each page that structures are on (not folios), by physical address of the page. */
export function usersOf(subject: Subject): ReadonlyMap<number, readonly PageUser[]> {
  const { handover, dump } = subject;
  const known = indexes.get(handover);
  if (known !== undefined) return known;
  const index = new Map<number, PageUser[]>();
  const seen = new Set<string>();
  const add = (address: number, user: PageUser): void => {
    const page = address - (address % dump.memory.pageSize);
    const users = index.get(page) ?? [];
    const key = `${page} ${user.at} ${user.path}`;
    if (!seen.has(key)) users.push(user);
    seen.add(key);
    index.set(page, users);
  };
  for (const reference of handover.references) {
    const { address, what, from, fromAddress } = reference;
    add(address, { what: `the ${what}`, at: fromAddress ?? from.address, path: from.path, reference });
  }
  for (const [page, user] of mapPages(subject)) add(page, user);
  indexes.set(handover, index);
  return index;
}

const frames = new WeakMap<Handover, FrameSet>();

/** The same pages as frame numbers: asked for every folio. */
export function usedFrames(subject: Subject): FrameSet {
  const { handover, dump } = subject;
  let used = frames.get(handover);
  if (used === undefined) {
    used = FrameSet.of(dump.memory);
    for (const page of usersOf(subject).keys()) used.add(page / dump.memory.pageSize);
    frames.set(handover, used);
  }
  return used;
}

/** The pages of the preserved map, each with the entry that leads to it. */
export function mapPages(subject: Subject): ReadonlyMap<number, PageUser> {
  const { map, node } = subject.handover;
  const kho = node.children().find((child) => child.name === 'kho');
  const found = new Map<number, PageUser>();
  if (map === null || kho === undefined) return found;
  const pointer = kho
    .children()
    .find((child) => child.name === '/')
    ?.children()
    .find((child) => child.name === 'preserved-memory-map');
  const pages = new Set(map.structurePages);
  // Bitmaps of 512 bytes come from the slab and share pages.
  if (map.format === 'chunks-512') for (const page of map.structurePages) if (page % subject.dump.memory.pageSize !== 0) pages.delete(page);
  const visit = (parent: TreeNode, from: TreeNode | undefined): void => {
    for (const child of parent.children()) {
      if (child.address === null || !pages.has(child.address) || found.has(child.address)) continue;
      const source = child.bits > 0 && from !== undefined ? from : parent;
      found.set(child.address, {
        what: 'the preserved memory map',
        at: source === pointer ? pointer.address : entryAt(subject, source, child.address),
        path: source.path,
        reference: null,
      });
      visit(child, child);
    }
  };
  const group = kho.children().find((child) => child.name === 'preserved');
  if (group === undefined) return found;
  if (map.format === 'radix') visit(group, pointer);
  else chunkPages(group, pages, pointer, found);
  return found;
}

/** Where the entry is that leads to the page of the map that `at` is on, for what comes of a wrong one. */
export function entryTo(subject: Subject, at: number | null): readonly Clue[] {
  const entry = at === null ? undefined : mapPages(subject).get(at - (at % subject.dump.memory.pageSize));
  return entry?.at == null ? [] : [{ at: entry.at, rule: 'kho/map-page-preserved' }];
}

/** Chunks hang on the one before, bitmaps on their entry. */
function chunkPages(group: TreeNode, pages: ReadonlySet<number>, pointer: TreeNode | undefined, found: Map<number, PageUser>): void {
  let from = pointer;
  const parentOf = new Map<TreeNode, TreeNode>();
  walk(group, (node) => {
    for (const child of node.children()) parentOf.set(child, node);
    if (node.address === null || !pages.has(node.address) || found.has(node.address)) return true;
    if (node.name.startsWith('chunk ')) {
      found.set(node.address, { what: 'the preserved memory map', at: from?.address ?? null, path: from?.path ?? group.path, reference: null });
      from =
        node
          .children()
          .find((child) => child.name === 'hdr')
          ?.children()
          .find((child) => child.name === 'next') ?? from;
    } else if (node.type === 'bitmap')
      found.set(node.address, {
        what: 'the preserved memory map',
        at: bitmapPointer(parentOf.get(node)),
        path: node.path.slice(0, node.path.lastIndexOf('/')),
        reference: null,
      });
    return true;
  });
}

/** Where the pointer to a bitmap is in its entry. */
const bitmapPointer = (entry: TreeNode | undefined): number | null =>
  entry?.children().find(({ name }) => name === 'bitmap')?.address ?? entry?.address ?? null;

/** Where in a table the entry for `target` is; the table itself if it is not found. */
function entryAt(subject: Subject, table: TreeNode, target: number): number | null {
  if (table.address === null || table.bits === 0) return table.address;
  const read = readBytes(subject.dump.memory, table.address, table.bits / 8);
  const view = new DataView(read.bytes.buffer, read.bytes.byteOffset, read.bytes.byteLength);
  for (let offset = 0; offset + 8 <= read.bytes.length; offset += 8) if (view.getBigUint64(offset, true) === BigInt(target)) return table.address + offset;
  return table.address;
}
