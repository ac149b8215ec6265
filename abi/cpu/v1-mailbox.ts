/** cpu_fh_v1 and cpu_flb_v1 of RFCv1: the state of a CPU stands in a mailbox, not in its entry. Source: include/linux/kho/abi/cpu.h, "OrphanVM" RFCv1, 20 Sep 2026, Pasha Tatashin. */
import { contract } from '../contract.js';
import { array, cstring, ownPage, phys, struct, u32, u64 } from '../layout.js';

const source = 'include/linux/kho/abi/cpu.h, "OrphanVM" RFCv1, 20 Sep 2026';

const oncoreAddressSpaceSer = struct({
  name: 'cpu_as_ser',
  meaning: 'Address space that a preserved CPU runs in',
  source,
  btfName: null,
  fields: {
    nr: u32('pages of its page tables', { role: 'count' }),
    reserved: u32('0', { role: 'reserved' }),
    pages: array(phys('page of a page table'), 1024, 'pages of its page tables; the first is the top one'),
  },
});

const oncoreSessionSer = struct({
  name: 'cpu_session_ser',
  tail: { name: 'cpus', of: u64('64 CPUs, bit by bit', { role: 'flags' }), count: 'nr_cpu_words' },
  meaning: 'What several preserved CPUs run together; a bitmap of CPUs follows',
  source,
  btfName: null,
  fields: {
    name: cstring(64, 'name'),
    workload: phys('what they run; opaque'),
    as: phys('address space', 'cpu_as_ser'),
    nr_cpu_words: u32('words of 64 CPUs that follow', { role: 'count' }),
    reserved: u32('0', { role: 'reserved' }),
  },
});

const cpuSerMailbox = struct({
  name: 'cpu_ser',
  meaning: 'A physical CPU that is kept through the kexec',
  source,
  btfName: null,
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
  format: 'struct',
  structs: [cpuSerMailbox, oncoreSessionSer, oncoreAddressSpaceSer],
  status: 'rfc',
  date: '2026-09-20',
  source: 'mail series "OrphanVM" RFCv1, 20 Sep 2026, Pasha Tatashin',
  discriminates:
    'Bytes 4-7 are 0, and the address space of its session starts with a count of at most 1024; in later work with the address of its top page table.',
  notes: ['Its states, in a mailbox after pcpus_runtime: 1 PARKED, 2 WORKLOAD, 3 EXITING, 4 DEAD.'],
});

/** A bitmap of nr_cpu_words words of 64 CPUs follows at byte 56. */
const cpuFlbSerMailbox = struct({
  name: 'cpu_flb_ser',
  tail: { name: 'cpus', of: u64('64 CPUs, bit by bit', { role: 'flags' }), count: 'nr_cpu_words' },
  meaning: 'All preserved CPUs, and the code they run; a bitmap of CPUs follows',
  source,
  btfName: null,
  fields: {
    nr_cpu_words: u32('words of 64 CPUs in the bitmap', { role: 'count' }),
    reserved: u32('0', { role: 'reserved' }),
    text_pa: phys('code'),
    text_size: u64('its size', { role: 'bytes' }),
    data_pa: phys('data'),
    data_size: u64('its size', { role: 'bytes' }),
    pcpus_runtime: phys('mailboxes of the CPUs'),
    transition_as: phys('address space of the transition', 'cpu_as_ser'),
  },
});

export const cpuFlbV1Mailbox = contract({
  layer: 'cpu-flb',
  id: 'cpu_flb_v1-mailbox',
  compatible: 'cpu_flb_v1',
  format: 'struct',
  structs: [cpuFlbSerMailbox, oncoreAddressSpaceSer],
  status: 'rfc',
  date: '2026-09-20',
  source: 'mail series "OrphanVM" RFCv1, 20 Sep 2026, Pasha Tatashin',
  discriminates: 'Bytes 40-47 are the address of a page; in later work CPUs, bit by bit.',
  notes: ['CPU 0 cannot be preserved.'],
});
