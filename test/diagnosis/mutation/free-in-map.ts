/**
 * Damages of the preserved map that nothing contradicts: only blocks were lost whose owner is not decoded in this dump (the KHO
 * test's list is on a page that is left out), or pages were added that lie nowhere in the way, as any user may preserve some.
 */
import type { DecodedDump, Handover } from '../../../src/handover/decode.js';
import type { Target } from './targets.js';

interface Block {
  readonly start: number;
  readonly end: number;
}

interface KnownBlocks {
  readonly blocks: ReadonlyMap<string, Block>;
  /** starts of blocks that something decoded points to */
  readonly owned: ReadonlySet<number>;
  readonly regions: readonly Block[];
}

const incoming = (decoded: DecodedDump): Handover | undefined => decoded.handovers[0];

function blocksOf(handover: Handover | undefined, pageSize: number): ReadonlyMap<string, Block> {
  const found = new Map<string, Block>();
  for (const { start, order } of handover?.map?.blocks() ?? []) found.set(`${start}/${order}`, { start, end: start + pageSize * 2 ** order });
  return found;
}

export function knownBlocks(decoded: DecodedDump): KnownBlocks {
  const handover = incoming(decoded);
  const { pageSize } = decoded.memory;
  const owned = new Set<number>(handover?.references.map(({ address }) => address));
  for (const session of handover?.luo?.sessions ?? [])
    for (const file of session.files) if (file.decoded?.kind === 'memfd') for (const folio of file.decoded.folios()) owned.add(folio.pfn * pageSize);
  const regions = (handover?.memblock ?? []).map(({ start, size }) => ({ start: Number(start), end: Number(start + size) }));
  return { blocks: blocksOf(handover, pageSize), owned, regions };
}

/** Why the damage does not count, or null if it does. */
export function whyFreeInMap(target: Target, before: KnownBlocks, damaged: DecodedDump): string | null {
  if (!/^[^/]+\/kho\/preserved\//.test(target.path)) return null;
  const handover = incoming(damaged);
  if (handover?.map == null || !handover.map.complete) return null;
  const after = blocksOf(handover, damaged.memory.pageSize);
  const lost = [...before.blocks].filter(([key]) => !after.has(key)).map(([, block]) => block);
  const gained = [...after].filter(([key]) => !before.blocks.has(key)).map(([, block]) => block);
  const inRegion = (block: Block): boolean => before.regions.some((region) => block.start < region.end && region.start < block.end);
  if (lost.some((block) => before.owned.has(block.start) || inRegion(block))) return null;
  if (gained.some((block) => overlaps(block, before.blocks, lost))) return null;
  return lost.length === 0 ? 'more pages are preserved, none of them twice' : 'only blocks were lost whose owner is not decoded in this dump';
}

function overlaps(block: Block, blocks: ReadonlyMap<string, Block>, lost: readonly Block[]): boolean {
  for (const other of blocks.values()) if (other.start < block.end && block.start < other.end && !lost.includes(other)) return true;
  return false;
}
