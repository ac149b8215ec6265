/**
 * Preserved blocks that nobody points to, and that hold sessions or files: a list ended before them, or started after them. Which
 * pointer should lead there follows from what they link to, or from the list that is too short.
 */
import { khoBlockHeaderSer } from '../../../abi/kho/block.js';
import { decodeStruct } from '../../codec/decode.js';
import { textOf } from '../../codec/leaf.js';
import { sizeOf } from '../../codec/layout-table.js';
import type { Handover } from '../../handover/decode.js';
import { physicalAddress, readBytes } from '../../memory/memory.js';
import type { TreeNode } from '../../tree/tree.js';
import { type Subject, isIntact } from '../subject.js';
import { unclaimedBlocks } from './claims.js';
import { entryOf, isFileBlock, isSessionBlock } from './plausible.js';
import { trustOf } from './trust.js';

interface LostBlock {
  readonly kind: 'sessions' | 'files';
  /** physical */
  readonly address: number;
  readonly next: bigint;
  readonly count: number;
  /** names of sessions, or handlers of files; the first few */
  readonly names: readonly string[];
  /** the field that should lead there; null where nothing tells */
  readonly pointer: TreeNode | null;
}

const NAMED = 3;

const known = new WeakMap<Handover, readonly LostBlock[]>();

export function lostBlocks(subject: Subject): readonly LostBlock[] {
  const before = known.get(subject.handover);
  if (before !== undefined) return before;
  const found = isIntact(subject) && mayBeSerialised(subject) ? [...find(subject)] : [];
  known.set(subject.handover, found);
  return found;
}

/**
 * Blocks are filled while the old kernel freezes, and the pointer to them is set at the end. FLBs are counted after that: a count, or a
 * kernel that was given the handover, tells that the end was reached.
 */
function mayBeSerialised(subject: Subject): boolean {
  const { luo } = subject.handover;
  // Of a version whose lists nobody can read nothing tells what they lead to.
  if (luo === null || (luo.contract === null && luo.sessions === null)) return false;
  return !luo.notSerialised || subject.moment === 'early' || (luo.flbs ?? []).some(({ count }) => count > 0n);
}

function* find(subject: Subject): Iterable<LostBlock> {
  const { memory } = subject.dump;
  const header = sizeOf(khoBlockHeaderSer);
  const lost: Omit<LostBlock, 'pointer'>[] = [];
  for (const { start, order } of unclaimedBlocks(subject) ?? []) {
    if (order !== 0) continue;
    if (!subject.budget.spend('lost-blocks', 1, `${subject.handover.path}/kho/preserved`)) break;
    const kind = isSessionBlock(subject, start) === true ? 'sessions' : isFileBlock(subject, start) === true ? 'files' : null;
    const read = readBytes(memory, start, header);
    if (kind === null || !read.ok) continue;
    const { next, count } = decodeStruct(khoBlockHeaderSer, read.bytes);
    const link = physicalAddress(next);
    // Other pages start with a number and a text, too.
    if (link === null || link % memory.pageSize !== 0 || count === 0n || count > BigInt(memory.pageSize)) continue;
    const names = namesOf(subject, kind, start + header, Number(count));
    if (names.length > 0) lost.push({ kind, address: start, next, count: Number(count), names });
  }
  // Of blocks that link to each other the first is the one that a pointer led to.
  const linked = new Set(lost.map(({ next }) => physicalAddress(next)));
  for (const block of lost) yield { ...block, pointer: linked.has(block.address) ? null : pointerTo(subject, block) };
}

function namesOf(subject: Subject, kind: LostBlock['kind'], first: number, count: number): readonly string[] {
  const names: string[] = [];
  for (let index = 0; index < Math.min(count, NAMED); index++) {
    const entry = entryOf(subject, kind);
    const size = sizeOf(entry);
    const read = readBytes(subject.dump.memory, first + index * size, size);
    if (!read.ok) break;
    const text = textOf(entry, decodeStruct(entry, read.bytes), kind === 'sessions' ? 'name' : 'compatible')?.text ?? '';
    if (text !== '') names.push(text);
  }
  return names;
}

function pointerTo(subject: Subject, { kind, next }: Omit<LostBlock, 'pointer'>): TreeNode | null {
  const { luo, references } = subject.handover;
  const what = kind === 'sessions' ? 'session block' : 'file block';
  const named = references.find((reference) => reference.what === what && BigInt(reference.address) === next);
  if (named !== undefined) return named.from;
  if (luo === null) return null;
  if (kind === 'sessions') return lastLink(subject, luo.entries) ?? rootPointer(luo.node);
  for (const session of luo.sessions ?? []) {
    if (session.count <= BigInt(session.files.length)) continue;
    const link = lastLink(subject, session.entries);
    if (link !== null) return link;
    const files = session.reading.field('file_set_ser.files');
    if (session.files.length === 0) return files;
  }
  return null;
}

/** `next` of the last block of a list that is where it should be. */
function lastLink(subject: Subject, entries: { readonly pieces: readonly { readonly header: { readonly node: TreeNode } | null }[] } | null): TreeNode | null {
  const { isGarbage } = trustOf(subject);
  const last = entries?.pieces.findLast(({ header }) => header !== null && !isGarbage(header.node.path));
  return last?.header?.node.children().find(({ name }) => name === 'next') ?? null;
}

const rootPointer = (luo: TreeNode): TreeNode | null =>
  luo
    .children()
    .flatMap((child) => child.children())
    .find(({ name }) => name === 'sessions_pa') ?? null;
