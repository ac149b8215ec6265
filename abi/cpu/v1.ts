/** cpu_fh_v1 and cpu_flb_v1: physical CPUs that run on through the kexec, in the newest form and in that of RFCv1. Source: include/linux/kho/abi/cpu.h, branch for "OrphanVM" RFCv2, and "OrphanVM" RFCv1, 20 Sep 2026, Pasha Tatashin. */
import { type Area, contract } from '../contract.js';
import { KHO_MAX_BLOCKS, khoBlockHeaderSer } from '../kho/block.js';
import { array, cstring, ownPage, phys, struct, u32, u64 } from '../layout.js';

const source = 'include/linux/kho/abi/cpu.h, branch for "OrphanVM" RFCv2, Sep 2026';

const cpuAddressSpaceSer = struct({
  name: 'cpu_as_ser',
  meaning: 'Address space that a preserved CPU runs in',
  source,
  fields: {
    pgd: ownPage('top page table'),
    nr_pgtable_pages: u64('pages of its page tables', { role: 'count' }),
    pg_tables: phys('first block of the list of page table pages, 510 addresses a block', 'kho_block_header_ser'),
  },
});

const cpuPgtablePageSer = struct({
  name: 'cpu_pgtable_page_ser',
  meaning: 'A page of a page table',
  source,
  fields: { page: ownPage('the page') },
});

const pageTablePages: Area = {
  name: 'pg_tables',
  meaning: 'chain of blocks of page table pages',
  header: khoBlockHeaderSer,
  entry: cpuPgtablePageSer,
  pages: 1,
  maxPieces: KHO_MAX_BLOCKS,
  whenFull: null,
};

/** A bitmap of nr_cpu_words words of 64 CPUs follows. */
export const cpuSessionSer = struct({
  name: 'cpu_session_ser',
  tail: { name: 'cpus', of: u64('64 CPUs, bit by bit', { role: 'flags' }), count: 'nr_cpu_words' },
  meaning: 'What several preserved CPUs run together; a bitmap of CPUs follows',
  source,
  fields: {
    name: cstring(64, 'name'),
    workload: phys('what they run; opaque'),
    as: phys('address space', 'cpu_as_ser'),
    nr_cpu_words: u32('words of 64 CPUs that follow', { role: 'count' }),
    reserved: u32('0', { role: 'reserved' }),
  },
});

export const cpuSer = struct({
  name: 'cpu_ser',
  meaning: 'A physical CPU that is kept through the kexec',
  source,
  fields: {
    cpu: u32('number of the CPU; never 0', { role: 'number' }),
    state: u32('what it does', { role: 'enum', symbols: { 0: 'PARKING', 1: 'PARKED', 2: 'EXITING', 3: 'DEAD', 4: 'WORKLOAD' } }),
    stack: ownPage('its stack'),
    session: phys('what it runs', 'cpu_session_ser'),
  },
});

export const cpuV1 = contract({
  layer: 'cpu',
  id: 'cpu_fh_v1',
  structs: [cpuSer, cpuSessionSer, cpuAddressSpaceSer, cpuPgtablePageSer, khoBlockHeaderSer],
  areas: [pageTablePages],
  status: 'rfc',
  date: '2026-09-28',
  source: 'branch for "OrphanVM" RFCv2, Sep 2026, Pasha Tatashin',
  discriminates: 'The address space of its session starts with the address of its top page table; in RFCv1 with a count of at most 1024.',
  notes: ['Needs no retrieve: FINISH gives the CPU back.', 'The states 2, 3 and 4 mean other things in RFCv1.'],
});

/** A bitmap of nr_cpu_words words of 64 CPUs follows at byte 40. */
const cpuFlbSer = struct({
  name: 'cpu_flb_ser',
  tail: { name: 'cpus', of: u64('64 CPUs, bit by bit', { role: 'flags' }), count: 'nr_cpu_words' },
  meaning: 'All preserved CPUs, and the code they run; a bitmap of CPUs follows',
  source,
  fields: {
    nr_cpu_words: u32('words of 64 CPUs in the bitmap', { role: 'count' }),
    reserved: u32('0', { role: 'reserved' }),
    text_pa: phys('code'),
    text_size: u64('its size', { role: 'bytes' }),
    data_pa: phys('data'),
    data_size: u64('its size', { role: 'bytes' }),
  },
});

export const cpuFlbV1 = contract({
  layer: 'cpu-flb',
  id: 'cpu_flb_v1',
  structs: [cpuFlbSer],
  status: 'rfc',
  date: '2026-09-28',
  source: 'branch for "OrphanVM" RFCv2, Sep 2026, Pasha Tatashin',
  discriminates: 'Bytes 40-47 are CPUs, bit by bit; in RFCv1 the address of a page.',
  notes: ['CPU 0 cannot be preserved.'],
});

// RFCv1: the state of a CPU is in a mailbox, not in its entry.
const sourceRfcV1 = 'include/linux/kho/abi/cpu.h, "OrphanVM" RFCv1, 20 Sep 2026';

const oncoreAddressSpaceSer = struct({
  name: 'cpu_as_ser',
  meaning: 'Address space that a preserved CPU runs in',
  source: sourceRfcV1,
  fields: {
    nr: u32('pages of its page tables', { role: 'count' }),
    reserved: u32('0', { role: 'reserved' }),
    pages: array(phys('page of a page table'), 1024, 'pages of its page tables; the first is the top one'),
  },
});

const oncoreSessionSer = struct({ ...cpuSessionSer, source: sourceRfcV1 });

const cpuSerMailbox = struct({
  name: 'cpu_ser',
  meaning: 'A physical CPU that is kept through the kexec',
  source: sourceRfcV1,
  fields: {
    cpu: u32('number of the CPU; never 0', { role: 'number' }),
    reserved: u32('0', { role: 'reserved' }),
    stack: ownPage('its stack'),
    oncore: phys('what it runs', 'cpu_session_ser'),
  },
});

export const cpuV1Mailbox = contract({
  layer: 'cpu',
  id: 'cpu_fh_v1-mailbox',
  compatible: 'cpu_fh_v1',
  structs: [cpuSerMailbox, oncoreSessionSer, oncoreAddressSpaceSer],
  status: 'rfc',
  date: '2026-09-20',
  source: 'mail series "OrphanVM" RFCv1, 20 Sep 2026, Pasha Tatashin',
  discriminates:
    'Bytes 4-7 are 0, and the address space of its session starts with a count of at most 1024; in later work with the address of its top page table.',
  notes: ['Its states, in a mailbox after pcpus_runtime: 1 PARKED, 2 WORKLOAD, 3 EXITING, 4 DEAD.'],
});

/** The bitmap follows at byte 56. */
const cpuFlbSerMailbox = struct({
  ...cpuFlbSer,
  source: sourceRfcV1,
  fields: { ...cpuFlbSer.fields, pcpus_runtime: phys('mailboxes of the CPUs'), transition_as: phys('address space of the transition', 'cpu_as_ser') },
});

export const cpuFlbV1Mailbox = contract({
  layer: 'cpu-flb',
  id: 'cpu_flb_v1-mailbox',
  compatible: 'cpu_flb_v1',
  structs: [cpuFlbSerMailbox, oncoreAddressSpaceSer],
  status: 'rfc',
  date: '2026-09-20',
  source: 'mail series "OrphanVM" RFCv1, 20 Sep 2026, Pasha Tatashin',
  discriminates: 'Bytes 40-47 are the address of a page; in later work CPUs, bit by bit.',
  notes: ['CPU 0 cannot be preserved.'],
});
