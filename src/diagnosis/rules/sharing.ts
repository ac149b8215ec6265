/**
 * Rules about pages that two parts of a handover claim: a page belongs to one structure, and the preserved map's own pages belong
 * to none. A pointer that was changed to another page in use shows here. For folios see memfd-folios.ts.
 */
import type { Handover } from '../../handover/decode.js';
import { hex } from '../../tree/words.js';
import { type TreeNode, walk } from '../../tree/tree.js';
import { readBytes } from '../../memory/memory.js';
import { type HandoverRule, type Hit, reaction } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

/** Who uses a page: where the pointer to it stands. */
export interface PageUser {
  readonly what: string;
  readonly at: number | null;
  readonly path: string;
}

const indexes = new WeakMap<Handover, ReadonlyMap<number, readonly PageUser[]>>();

/** Users of each page that structures stand on (not folios), by physical address of the page. */
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
  for (const { address, what, from, fromAddress } of handover.references)
    add(address, { what: `the ${what}`, at: fromAddress ?? from.address, path: from.path });
  for (const [page, user] of mapPages(subject)) add(page, user);
  indexes.set(handover, index);
  return index;
}

/** The pages of the preserved map, each with the entry that leads to it. */
function mapPages(subject: Subject): ReadonlyMap<number, PageUser> {
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

/** Chunks hang on the one before, bitmaps on their entry. */
function chunkPages(group: TreeNode, pages: ReadonlySet<number>, pointer: TreeNode | undefined, found: Map<number, PageUser>): void {
  let from = pointer;
  walk(group, (node) => {
    if (node.address === null || !pages.has(node.address) || found.has(node.address)) return true;
    if (node.name.startsWith('chunk ')) {
      found.set(node.address, { what: 'the preserved memory map', at: from?.address ?? null, path: from?.path ?? group.path });
      from =
        node
          .children()
          .find((child) => child.name === 'hdr')
          ?.children()
          .find((child) => child.name === 'next') ?? from;
    } else if (node.type === 'bitmap')
      found.set(node.address, { what: 'the preserved memory map', at: null, path: node.path.slice(0, node.path.lastIndexOf('/')) });
    return true;
  });
}

/** Where in a table the entry for `target` stands; the table itself if it is not found. */
function entryAt(subject: Subject, table: TreeNode, target: number): number | null {
  if (table.address === null || table.bits === 0) return table.address;
  const read = readBytes(subject.dump.memory, table.address, table.bits / 8);
  const view = new DataView(read.bytes.buffer, read.bytes.byteOffset, read.bytes.byteLength);
  for (let offset = 0; offset + 8 <= read.bytes.length; offset += 8) if (view.getBigUint64(offset, true) === BigInt(target)) return table.address + offset;
  return table.address;
}

export const sharingRules: readonly HandoverRule[] = [
  {
    id: 'kho/page-shared',
    severity: 'error',
    phase: 'retrieve',
    title: 'two parts of the handover lead to the same page',
    about:
      'Every structure has pages of its own. Where two pointers lead to one page, one of them was changed, and what it led to before can not be reached any more.',
    reactions: {
      otherwise: reaction(
        'corrupts',
        'The next kernel reads one structure as another; a page can be restored once only, so the second restore warns in kho_restore_page() and fails.',
      ),
    },
    confirm: 'Show the page in hex: its contents tell whose it is.',
    sources: ['kho_restore_page(), kernel/liveupdate/kexec_handover.c, 7.3'],
    check: shared,
  },
  {
    id: 'kho/map-page-preserved',
    severity: 'error',
    phase: 'preserve',
    title: 'a page of the preserved memory map is itself preserved',
    about:
      'The map’s own pages have no keys: the next kernel reads them and lets them go. One that has a key belongs to somebody else, and the entry that leads to it was changed.',
    reactions: { otherwise: reaction('corrupts', 'The next kernel takes somebody’s data for a part of the map, and reserves wrong memory.') },
    confirm: 'Show the page in hex: its contents tell whose it is.',
    sources: ['kho_radix_add_page(), kernel/liveupdate/kexec_handover.c, 7.1 to 7.3; kho_mem_serialize() up to 7.0'],
    *check(subject) {
      const { map } = subject.handover;
      if (map === null || !isIntact(subject)) return;
      for (const [page, { at, path }] of mapPages(subject)) {
        const block = map.blockOf(page);
        if (block !== null)
          yield { message: `the page at ${hex(page)} is part of the map, and preserved (as a block of order ${block.order} at ${hex(block.start)})`, at, path };
      }
    },
  },
];

function* shared(subject: Subject): Iterable<Hit> {
  if (!isIntact(subject)) return;
  for (const [page, users] of usersOf(subject)) {
    if (users.length < 2) continue;
    // Thousands of pointers can lead to one page: each is told with the first two others.
    const first = users.slice(0, 3);
    for (const user of users) {
      const others = first.filter((other) => other !== user).map((other) => `${other.what} (from ${other.path})`);
      yield { message: `${user.what} stands on the page at ${hex(page)}, where ${others.slice(0, 2).join(' and ')} stands, too`, at: user.at, path: user.path };
    }
  }
}
