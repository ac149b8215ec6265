/**
 * The kernel's own objects for a handover, as they are in the memory of a running kernel. They depend on the
 * configuration: these are of 7.3.4, x86-64, without lock debugging. Source: pahole on that kernel. Prefer a kernel's BTF.
 */
import { contract } from '../contract.js';
import { array, cstring, nested, phys, s32, s64, struct, u8, u32, u64 } from '../layout.js';

const source = '7.3.4, x86-64, no lock debugging: pahole';
const pointer = (meaning: string) => u64(meaning, { role: 'opaque' });
const flag = (meaning: string) => u8(meaning, { role: 'bool' });
const mutex = (meaning: string) => array(u64('word', { role: 'opaque' }), 3, meaning);

const listHead = struct({
  name: 'list_head',
  meaning: 'A doubly linked list',
  source,
  packed: false,
  fields: { next: pointer('next element'), prev: pointer('previous element') },
});

const khoBlockSet = struct({
  name: 'kho_block_set',
  meaning: 'A chain of blocks, seen from the kernel that owns it',
  source,
  packed: false,
  fields: {
    blocks: nested(listHead, 'blocks'),
    nblocks: s64('blocks of the chain', { role: 'count' }),
    head_pa: phys('first block', 'kho_block_header_ser'),
    entry_size: u64('size of an entry', { role: 'bytes' }),
    count_per_block: u64('entries a block holds', { role: 'count' }),
    incoming: flag('came from the previous kernel'),
  },
});

const luoFileSet = struct({
  name: 'luo_file_set',
  meaning: 'Files of one session',
  source,
  packed: false,
  fields: {
    files_list: nested(listHead, 'list of luo_file'),
    block_set: nested(khoBlockSet, 'where they are serialised'),
    count: u64('files', { role: 'count' }),
  },
});

const luoSession = struct({
  name: 'luo_session',
  meaning: 'A session',
  source,
  packed: false,
  fields: {
    name: cstring(64, 'name'),
    list: nested(listHead, 'place in the list of sessions'),
    retrieved: flag('user space has it again'),
    file_set: nested(luoFileSet, 'its files'),
    mutex: mutex('lock'),
  },
});

const luoFile = struct({
  name: 'luo_file',
  meaning: 'A preserved file',
  source,
  packed: false,
  fields: {
    fh: pointer('its handler, liveupdate_file_handler'),
    file: pointer('struct file'),
    serialized_data: u64('value of the handler', { role: 'phys' }),
    private_data: pointer('private data of the handler'),
    retrieve_status: s32('0 never retrieved, above 0 retrieved, below 0 the errno'),
    mutex: mutex('lock'),
    list: nested(listHead, 'place in the list of files'),
    token: u64('token', { role: 'opaque' }),
  },
});

const luoSessionHeader = struct({
  name: 'luo_session_header',
  meaning: 'All sessions of one direction',
  source,
  packed: false,
  fields: {
    count: s64('sessions', { role: 'count' }),
    list: nested(listHead, 'list of luo_session'),
    rwsem: array(u64('word', { role: 'opaque' }), 4, 'lock'),
    block_set: nested(khoBlockSet, 'where they are serialised'),
    sessions_pa: pointer('luo_ser.sessions_pa'),
    active: flag('in use'),
  },
});

const luoSessionGlobal = struct({
  name: 'luo_session_global',
  meaning: 'All sessions, the type of the symbol luo_session_global',
  source,
  packed: false,
  fields: { incoming: nested(luoSessionHeader, 'from the previous kernel'), outgoing: nested(luoSessionHeader, 'for the next kernel') },
});

const luoGlobal = struct({
  name: 'luo_global',
  meaning: 'Type of the symbol luo_global',
  source,
  packed: false,
  btfName: null,
  fields: { enabled: flag('liveupdate=on'), luo_ser_out: pointer('struct luo_ser for the next kernel'), liveupdate_num: u64('incoming number') },
});

const khoRadixTree = struct({
  name: 'kho_radix_tree',
  meaning: 'The preserved memory map, seen from the kernel that owns it',
  source,
  packed: false,
  fields: { root: pointer('root kho_radix_node'), lock: mutex('lock') },
});

const khoDebugfs = struct({
  name: 'kho_debugfs',
  meaning: 'Where a handover is shown in debugfs',
  source,
  packed: false,
  fields: { dir: pointer('folder'), sub_fdt_dir: pointer('folder of the subtrees'), fdt_list: nested(listHead, 'files') },
});

const khoOut = struct({
  name: 'kho_out',
  meaning: 'Type of the symbol kho_out',
  source,
  packed: false,
  fields: {
    fdt: pointer('root FDT for the next kernel'),
    lock: mutex('lock'),
    radix_tree: nested(khoRadixTree, 'preserved memory map for the next kernel'),
    dbg: nested(khoDebugfs, 'debugfs'),
  },
});

const khoIn = struct({
  name: 'kho_in',
  meaning: 'Type of the symbol kho_in',
  source,
  packed: false,
  fields: {
    fdt_phys: phys('root FDT of the previous kernel', 'fdt_header'),
    scratch_phys: phys('scratch array', 'kho_scratch'),
    previous_release: cstring(65, 'release of the previous kernel'),
    kexec_count: u32('kexecs since the last cold boot', { role: 'count' }),
    dbg: nested(khoDebugfs, 'debugfs'),
    radix_tree: nested(khoRadixTree, 'preserved memory map of the previous kernel'),
  },
});

const liveupdateFileHandler = struct({
  name: 'liveupdate_file_handler',
  meaning: 'A file handler',
  source,
  packed: false,
  fields: {
    ops: pointer('callbacks'),
    compatible: cstring(48, 'what it writes'),
    list: nested(listHead, 'place in the list of handlers'),
    flb_list: nested(listHead, 'FLBs of the handler'),
  },
});

const luoFlbPrivateState = struct({
  name: 'luo_flb_private_state',
  meaning: 'One direction of an FLB',
  source,
  packed: false,
  fields: {
    count: u32('users', { role: 'count' }),
    data: u64('value of its owner', { role: 'opaque' }),
    obj: pointer('object of its owner'),
    lock: mutex('lock'),
    finished: flag('finish has run'),
    retrieve_status: s32('result of retrieve'),
  },
});

const luoFlbPrivate = struct({
  name: 'luo_flb_private',
  meaning: "LUO's part of an FLB",
  source,
  packed: false,
  fields: {
    list: nested(listHead, 'place in the list of FLBs'),
    outgoing: nested(luoFlbPrivateState, 'for the next kernel'),
    incoming: nested(luoFlbPrivateState, 'from the previous kernel'),
    users: s32('handlers that use it', { role: 'count' }),
    initialized: flag('registered'),
  },
});

const liveupdateFlb = struct({
  name: 'liveupdate_flb',
  meaning: 'A file-lifecycle-bound object',
  source,
  packed: false,
  fields: { ops: pointer('callbacks'), compatible: cstring(48, 'its name'), private: nested(luoFlbPrivate, "LUO's part") },
});

const luoFlbHeader = struct({
  name: 'luo_flb_header',
  meaning: 'FLBs of one direction',
  source,
  packed: false,
  fields: { header_ser: pointer('struct luo_flb_header_ser'), ser: pointer('struct luo_flb_ser[]'), active: flag('in use') },
});

const luoFlbGlobal = struct({
  name: 'luo_flb_global',
  meaning: 'All FLBs, the type of the symbol luo_flb_global',
  source,
  packed: false,
  fields: {
    incoming: nested(luoFlbHeader, 'from the previous kernel'),
    outgoing: nested(luoFlbHeader, 'for the next kernel'),
    list: nested(listHead, 'list of liveupdate_flb'),
    count: s64('FLBs', { role: 'count' }),
  },
});

export const kernelLive73 = contract({
  layer: 'kernel',
  id: 'kernel-7.3',
  compatible: null,
  structs: [
    luoSessionGlobal,
    luoSessionHeader,
    luoSession,
    luoFileSet,
    luoFile,
    khoBlockSet,
    luoGlobal,
    luoFlbGlobal,
    luoFlbHeader,
    khoOut,
    khoIn,
    khoRadixTree,
    khoDebugfs,
    liveupdateFileHandler,
    liveupdateFlb,
    luoFlbPrivate,
    luoFlbPrivateState,
    listHead,
  ],
  since: '7.3',
  status: 'released',
  source,
  notes: ['Not handed over: each kernel has its own. Offsets depend on the configuration.'],
});
