/**
 * Fields of a handover that the next kernel reads and that something else contradicts when they change: which, what reads them, and what
 * they are redundant with. Written from what the kernels do (kexec_handover.c, luo_core.c, luo_session.c, luo_file.c, memfd_luo.c, 6.18 to
 * 7.3), not from the rules.
 */
import type { Target } from '../mutation/targets.js';

export interface RedundantField {
  /** of the node, below the handover */
  readonly path: RegExp;
  readonly readBy: string;
  readonly redundantWith: string;
  /** values that nothing contradicts, because any such value is as good */
  readonly isFree?: (was: bigint, now: bigint) => boolean;
}

const PAGE = 4096n;
const samePages = (was: bigint, now: bigint): boolean => (was + PAGE - 1n) / PAGE === (now + PAGE - 1n) / PAGE;
/** Seals of memfd-v2. */
const KNOWN_SEALS = 0x3fn;
/** Folio records of 16 bytes in the table's page, and the sizes a table of a page goes with. */
const IN_A_TABLE_PAGE = 256n;

const redundantFields: readonly RedundantField[] = [
  { path: /^luo\/luo_ser\/sessions_pa$/, readBy: 'luo_session_setup_incoming()', redundantWith: 'the block that stands there, its key in the map' },
  { path: /^luo\/sessions\/block\/\d+\/count$/, readBy: 'kho_block_set_restore()', redundantWith: 'the entries behind the header' },
  { path: /^luo\/sessions\/block\/\d+\/next$/, readBy: 'kho_block_set_restore()', redundantWith: 'the blocks in the map' },
  {
    path: /^luo\/sessions\/header\/count$/,
    readBy: 'luo_session_deserialize()',
    redundantWith: 'the entries behind the header',
    // One entry of zeros makes a session without a name, and nothing fails.
    isFree: (was, now) => now === was + 1n,
  },
  {
    path: /^luo\/sessions\/[^/]+\/file_set_ser\/(files|count)$/,
    readBy: 'luo_file_deserialize()',
    redundantWith: 'each other, the block or area that stands there',
  },
  { path: /^luo\/sessions\/[^/]+\/files\/[^/]+\/data$/, readBy: 'memfd_luo_retrieve()', redundantWith: 'the structure that stands there, its key in the map' },
  { path: /\/memfd_luo_ser\/size$/, readBy: 'memfd_luo_retrieve()', redundantWith: 'the folios', isFree: samePages },
  {
    path: /\/memfd_luo_ser\/seals$/,
    readBy: 'memfd_luo_retrieve()',
    redundantWith: 'the seals a kernel knows',
    isFree: (_, now) => (now & ~KNOWN_SEALS) === 0n,
  },
  {
    path: /\/memfd_luo_ser\/nr_folios$/,
    readBy: 'memfd_luo_retrieve_folios()',
    redundantWith: 'the folio table',
    // Entries of zeros in the table's last page are skipped.
    isFree: (was, now) => now > was && now <= ((was + IN_A_TABLE_PAGE - 1n) / IN_A_TABLE_PAGE) * IN_A_TABLE_PAGE,
  },
  { path: /\/memfd_luo_ser\/folios\/(first|total_pages|order)$/, readBy: 'kho_restore_vmalloc()', redundantWith: 'the chunks, nr_folios, the map' },
  { path: /\/memfd_luo_ser\/folios\[\]\/\d+$/, readBy: 'memfd_luo_retrieve_folios()', redundantWith: 'the map, the size, the entries beside it' },
  { path: /^kho\/preserved\/0x[0-9a-f]+$/, readBy: 'kho_radix_walk_tree()', redundantWith: 'what points to the blocks' },
  { path: /^kho\/preserved\/chunk\/\d+\/hdr\/(next|num_elms)$/, readBy: 'kho_mem_deserialize()', redundantWith: 'what points to the blocks' },
  { path: /^kho\/preserved\/chunk\/\d+\/bitmaps\/0\/bitmap$/, readBy: 'kho_mem_deserialize()', redundantWith: 'what points to the blocks' },
  { path: /^kho\/fdt\/(compatible|preserved-memory-map)$/, readBy: 'kho_populate()', redundantWith: 'the versions that exist; the map that stands there' },
  { path: /^kho\/fdt\/(LUO|memblock)\/(preserved-data|fdt)$/, readBy: 'kho_retrieve_subtree()', redundantWith: 'the blob that stands there' },
  { path: /^memblock\/fdt\/[^/]+\/(start|size)$/, readBy: 'reserve_mem_kho_revive()', redundantWith: 'the blocks in the map' },
];

export const fieldOf = (target: Target): RedundantField | undefined => {
  const below = target.path.slice(target.path.indexOf('/') + 1);
  return redundantFields.find(({ path }) => path.test(below));
};
