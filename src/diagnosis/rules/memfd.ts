/** Rules about the description of a preserved memfd. Sources: mm/memfd_luo.c and include/linux/kho/abi/memfd.h, 6.19 to 7.3. */
import { F_SEAL, IMPLIED_BY_EXEC } from '../../../abi/memfd/v2.js';
import { behaviourIsKnown } from '../../../abi/contract.js';
import { hex } from '../../tree/words.js';
import type { Memfd } from '../../handover/memfd.js';
import { type HandoverRule, type Hit, hit, wrong } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';
import { trustOf } from '../pointers/trust.js';
import { filesOf } from './sessions.js';

const RETRIEVE = 'memfd_luo_retrieve(), mm/memfd_luo.c, 6.19 to 7.3';
const PRESERVE = 'memfd_luo_preserve(), mm/memfd_luo.c, 6.19 to 7.3';

/** The memfds of a handover whose pages can be judged. */
export const memfdsOf = (subject: Subject): readonly Memfd[] => {
  if (!isIntact(subject)) return [];
  const { isGarbage } = trustOf(subject);
  const memfds = filesOf(subject).flatMap(({ file }) => (file.decoded?.kind === 'memfd' ? [file.decoded] : []));
  return [...new Set(memfds)].filter(({ node }) => !isGarbage(node.path) && !isGarbage(`${node.path}/folios[]`));
};

/** Of loff_t; file positions and sizes are signed. */
const MAX_OFFSET = 0x7fffffffffffffffn;
/** The kernel preserves no larger file: the folio count is an unsigned int. */
const MAX_PAGES = 0xffffffffn;

export const memfdRules: readonly HandoverRule[] = [
  {
    id: 'memfd/seals-unknown',
    severity: 'error',
    phase: 'retrieve',
    title: 'a memfd carries seals that the next kernel does not know',
    about: 'From memfd-v2 on seals are handed over; a kernel that does not know one refuses the file rather than dropping a promise its owner was given.',
    reaction: 'memfd/seals-unknown',
    confirm: 'RETRIEVE_FD of the token in the next kernel gives EOPNOTSUPP.',
    sources: [RETRIEVE, 'seen with 7.3.4: seal 0x40'],
    check: (subject) => wrong(subject, 'memfd-seals'),
  },
  {
    id: 'memfd/flags',
    severity: 'info',
    phase: 'retrieve',
    title: 'memfd flags are not 0',
    about: 'The field is there for later versions and 0 so far.',
    reaction: 'memfd/flags',
    confirm: 'Show the structure in hex.',
    sources: [PRESERVE],
    check: (subject) => wrong(subject, 'memfd-flags'),
  },
  {
    id: 'memfd/folio-count',
    severity: 'error',
    phase: 'retrieve',
    title: 'a memfd has more folios than its table has room for',
    about: 'nr_folios entries of 16 bytes are in the vmalloc area that the description leads to. The kernel does not hold one against the other.',
    reaction: 'memfd/folio-count',
    confirm: 'Compare nr_folios * 16 with total_pages * page size.',
    sources: [RETRIEVE],
    check: (subject) => wrong(subject, 'memfd-count'),
  },
  {
    id: 'memfd/folios-hidden',
    severity: 'error',
    phase: 'retrieve',
    title: 'nr_folios is less than the table lists',
    about: 'The table is allocated zeroed and filled from the front: an entry after the last means that nr_folios is too small.',
    reaction: 'memfd/folios-hidden',
    confirm: 'Show the table in hex after its last entry.',
    sources: [PRESERVE],
    *check(subject) {
      for (const memfd of memfdsOf(subject)) {
        const used = memfd.area?.complete === true ? memfd.usedEntryAfter() : null;
        if (used !== null) yield hit(memfd.reading.field('nr_folios'), `nr_folios is ${memfd.folioCount}, but entry ${used} of the table is in use`);
      }
    },
  },
  {
    id: 'memfd/size',
    severity: 'error',
    phase: 'retrieve',
    title: 'memfd size is impossible',
    about:
      'A file of 2^63 bytes and more has a negative size; one of more than 2^32 - 1 pages is refused when it is preserved (EFBIG; earlier kernels cut it silently).',
    reaction: 'memfd/size',
    confirm: 'Show the structure in hex.',
    sources: [PRESERVE, '"memfd_luo: reject memfds whose page count exceeds UINT_MAX", May 2026'],
    *check(subject) {
      const pageSize = BigInt(subject.dump.memory.pageSize);
      for (const memfd of memfdsOf(subject)) {
        if (memfd.size > MAX_OFFSET || memfd.size / pageSize > MAX_PAGES)
          yield hit(memfd.reading.field('size'), `size is ${memfd.size} bytes, more than a file that is preserved can have`);
      }
    },
  },
  {
    id: 'memfd/position',
    severity: 'warning',
    phase: 'retrieve',
    title: 'memfd file position is impossible',
    about: 'A position is a signed 64-bit number of bytes; it may lie beyond the end of the file.',
    reaction: 'memfd/position',
    confirm: 'lseek(fd, 0, SEEK_CUR) in the next kernel.',
    sources: ['vfs_setpos(), fs/read_write.c', RETRIEVE],
    *check(subject) {
      for (const memfd of memfdsOf(subject)) {
        if (memfd.pos !== null && memfd.pos > MAX_OFFSET) yield hit(memfd.reading.field('pos'), `pos is ${hex(memfd.pos)}, which is negative`);
      }
    },
  },
  {
    id: 'memfd/noexec-seals',
    severity: 'info',
    phase: 'retrieve',
    title: 'a memfd made with MFD_NOEXEC_SEAL will come back sealed against writing',
    about:
      'The next kernel makes the file executable (mode 0777) and then adds F_SEAL_EXEC, which on an executable file brings the seals against shrinking, growing and writing with it: seals 0x20 come back as 0x3e.',
    reaction: 'memfd/noexec-seals',
    confirm: 'fcntl(fd, F_GET_SEALS) in the next kernel.',
    sources: ['memfd_add_seals(), mm/memfd.c', 'seen with 7.1.13 and 7.3.4'],
    *check(subject) {
      for (const memfd of memfdsOf(subject)) {
        if (memfd.seals !== null && (memfd.seals & F_SEAL.EXEC) !== 0 && (memfd.seals & IMPLIED_BY_EXEC) !== IMPLIED_BY_EXEC)
          yield hit(memfd.reading.field('seals'), `seals ${hex(memfd.seals)} will come back as ${hex(memfd.seals | IMPLIED_BY_EXEC)}`);
      }
    },
  },
  {
    id: 'memfd/no-seals',
    severity: 'info',
    phase: 'retrieve',
    title: 'seals of memfds are not handed over',
    about: 'memfd-v1 (6.19 and 7.0) has no field for them. A file comes back with F_SEAL_SEAL alone, so that its seals cannot be added again.',
    reaction: 'memfd/no-seals',
    confirm: 'fcntl(fd, F_GET_SEALS) in the next kernel.',
    sources: ['mm/memfd_luo.c, 6.19.11'],
    check: noSeals,
  },
];

function* noSeals(subject: Subject): Iterable<Hit> {
  const first = memfdsOf(subject).find((memfd) => memfd.seals === null && behaviourIsKnown(memfd.contract));
  if (first !== undefined) yield hit(first.node, 'memfd-v1 does not hand over seals');
}
