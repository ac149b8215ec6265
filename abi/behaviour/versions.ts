/**
 * What a kernel does with what it does not speak: facts of `abi check` and the gate. Sources: kernel/kexec_handover.c, 6.17.8 and 6.18.15; kernel/liveupdate,
 * 6.19.11, 7.1.13, 7.2.13 and 7.3.4; guests of 6.17.8, 6.18.15, 7.1.13, 7.2.13 and 7.3.4. 6.16, 6.17.9 and 7.0 are inferred from their neighbours.
 */
import { always, known, notDeserialised, type Outcome, outcome } from './behaviour.js';

export const versionFacts = {
  /** the root FDT names another version */
  'version/kho': known(
    'cold-boot',
    `boots as if nothing had been handed over; only the log says "handover FDT is incompatible with '{to}'" and "disabling KHO revival"; all preserved memory is lost`,
    ['6.16', 'source'],
    ['6.19', 'lab'],
    ['7.0', 'unverified'],
    ['7.1', 'lab'],
  ),
  /** the string is its own, the map has bitmaps of a page, or of 512 bytes (ids of contracts) */
  'map/kho-v1-page': known(
    'corrupts',
    'accepts it ("found kexec handover data"), but reads only the first 512 bytes of every bitmap: most preserved pages are not reserved and get reused',
    ['6.16', 'lab'],
    ['6.17.9', null],
  ),
  'map/kho-v1-512': known(
    'panic',
    'accepts the same string, reads past every bitmap and reserves wrong memory: it dies before its console speaks, and the machine resets into a cold boot',
    ['6.17.9', 'derived'],
    ['6.18', 'lab'],
    ['6.19', 'derived'],
    ['7.0', 'unverified'],
    ['7.1', null],
  ),
  /** what becomes of other layers once such a map was read */
  'after-map/memblock': known('taken-over', 'regions whose name, size and alignment fit are revived', ['6.16', 'lab'], ['6.17.9', null]),
  'after-map/kho-test': known('corrupts', 'its data is gone; the subtree reads "Bad address" in debugfs', ['6.16', 'lab'], ['6.17.9', null]),
  /** memblock's FDT names another version, or has none that fits */
  'version/memblock': known(
    'ignored',
    'reserve_mem is allocated afresh after a warning; the old contents stay reserved and unclaimed',
    ['6.16', 'source'],
    ['7.0', 'unverified'],
    ['7.1', 'source'],
  ),
  /** the LUO subtree is there and the kernel has no LUO */
  'luo/none': known(
    'ignored',
    'has no LUO: nobody asks for the LUO subtree, all sessions are lost and their memory stays reserved',
    ['6.16', 'source'],
    ['7.0', 'unverified'],
    ['7.1', 'source'],
  ),
  /** LUO's root is of another version, or too small; null where the release has no LUO */
  'version/luo': known(
    'panic',
    'panics at early_initcall: "The incoming tree failed to initialize properly, disabling live update" ({from} is not {to})',
    ['6.19', 'source'],
    ['7.0', 'unverified'],
    ['7.1', 'source'],
    ['7.2', 'lab'],
  ),
  /** the node of sessions, or of FLBs, is missing or of another version; null where there is no such node */
  'version/luo-session': known(
    'panic',
    'panics at early_initcall: the node {to} of the LUO tree is missing or of another version ({from})',
    ['6.19', 'source'],
    ['7.0', 'unverified'],
    ['7.1', 'source'],
    ['7.2', null],
  ),
  'version/luo-flb': known(
    'panic',
    'panics at early_initcall: the node {to} of the LUO tree is missing or of another version ({from})',
    ['7.0', 'unverified'],
    ['7.1', 'derived'],
    ['7.2', null],
  ),
  /** FLBs are in the tree and the release has none */
  'flb/none': known('ignored', 'has no FLBs: the node is not looked at, the objects stay unclaimed', ['6.19', 'derived'], ['7.0', null]),
  /** no handler has exactly the string of a file */
  'version/handler': notDeserialised(
    `every open of /dev/liveupdate fails with EIO until the next reboot: "No registered handler for compatible '{from}'"; no session can be reached`,
    `open succeeds and the error is swallowed ("No registered handler for compatible '{from}'"): this file and what follows it were not taken over, retrieving them fails with ENOENT`,
  ),
  'flb/unclaimed': known('ignored', 'nobody asks for this object: it stays unclaimed, its memory reserved', ['6.19', 'source']),
  /** kexec-metadata has another version or size; null where the release does not read it */
  'version/kexec-metadata': known('warns', 'a warning in the log; the count of kexecs starts again, nothing else is affected', ['7.1', 'source']),
  'subtree/unclaimed': always('ignored', 'nobody asks for it; its memory stays reserved and unclaimed', 'source'),
};

/** With kho=off on the command line, by layer; the others are taken over or refused as by any kernel. Source: guests of 7.3.4; kernel/liveupdate, 7.3.4. */
export const khoOff: Readonly<Record<string, Outcome>> = {
  kho: outcome(
    'ignored',
    'started with kho=off: it says "found kexec handover data" and keeps the memory reserved, and hands out nothing of it but reserve_mem',
    'lab',
  ),
  luo: outcome(
    'open-fails',
    'there is no /dev/liveupdate: the log says "luo: Disabling liveupdate because KHO is disabled"; all sessions are lost',
    'lab',
    'ENOENT',
  ),
  'kexec-metadata': outcome('ignored', 'not read with kho=off', 'lab'),
  'kho-test': outcome('ignored', 'the test does nothing with kho=off', 'lab'),
};

/** The same without liveupdate=on. */
export const liveupdateOff: Readonly<Record<string, Outcome>> = {
  luo: outcome(
    'open-fails',
    'started without liveupdate=on: it reads the LUO root ("Retrieved live update data"), but there is no /dev/liveupdate; all sessions are lost',
    'lab',
    'ENOENT',
  ),
};
