/** Feature words in place of version strings: a LUO root and a memfd that say what they hold bit by bit. Source: "liveupdate: Move to feature flags for LUO and memfd ABI compatibility", RFC 0/3, 3 Sep 2026 (20260903023452.721732-1), Logan Odell; linux-mm at 29a75107. */
import { contract } from '../contract.js';
import { khoVmalloc } from '../kho/vmalloc.js';
import { array, cstring, nested, phys, struct, u32, u64 } from '../layout.js';
import { fileBlocks, flbPage, sessionBlocks } from '../luo/areas.js';
import { luoFileSer, luoFileSetSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from '../luo/entries.js';
import { liveupdateNum } from '../luo/root.js';
import { memfdLuoFolioSer } from '../memfd/folio.js';

const source = 'RFC "liveupdate: Move to feature flags for LUO and memfd ABI compatibility", 3 Sep 2026';

export const luoFeatureHeader = 'luo_feature_hdr';

const headerOf = (flagNames: Readonly<Record<string, string>>) =>
  struct({
    name: luoFeatureHeader,
    meaning: 'What the writer supports, what a reader must know, and which fields hold data',
    source,
    fields: {
      supp: u64('features the writer knows', { role: 'flags', flagNames }),
      req: u64('features a reader must know', { role: 'flags', flagNames }),
      active: u64('features whose fields hold data', { role: 'flags', flagNames }),
      reserved: array(u64('0', { role: 'reserved' }), 13, '0'),
    },
  });

const luoHeader = headerOf({ 0: 'number', 1: 'sessions', 2: 'FLBs' });
const memfdHeader = headerOf({ 0: 'seals', 1: 'folios' });

export const luoSerFeatures = struct({
  name: 'luo_ser',
  meaning: 'Root of LUO, without a string',
  source,
  fields: {
    features: nested(luoHeader, 'what it holds'),
    liveupdate_num: liveupdateNum,
    sessions_pa: phys('first session block; 0 until serialised', 'kho_block_header_ser'),
    flbs_pa: phys('FLB page', 'luo_flb_header_ser'),
  },
});

export const luoFeatures = contract({
  layer: 'luo',
  id: 'luo-features',
  compatible: null,
  structs: [luoSerFeatures, luoHeader, luoSessionSer, luoFileSetSer, luoFileSer, luoFlbHeaderSer, luoFlbSer],
  areas: [sessionBlocks, fileBlocks, flbPage],
  status: 'rfc',
  date: '2026-09-03',
  source,
  discriminates: 'The blob has 152 bytes and does not start with a string.',
  notes: ['A reader refuses if `req` has a bit it does not know.', 'A search of raw memory for "luo-v" misses it.'],
});

const memfdLuoSerFeatures = struct({
  name: 'memfd_luo_ser',
  meaning: 'A preserved memfd, with features in place of a version',
  source,
  fields: {
    features: nested(memfdHeader, 'what it holds'),
    pos: u64('file position, updated at freeze', { role: 'bytes' }),
    size: u64('file size', { role: 'bytes' }),
    seals: u32('F_SEAL_* of the file', { role: 'flags' }),
    flags: u32('always 0', { role: 'flags' }),
    nr_folios: u64('folios of the file', { role: 'count' }),
    folios: nested(khoVmalloc, 'area of memfd_luo_folio_ser[nr_folios]'),
  },
});

export const memfdFeatures = contract({
  layer: 'memfd',
  id: 'memfd',
  structs: [memfdLuoSerFeatures, memfdHeader, memfdLuoFolioSer],
  status: 'rfc',
  date: '2026-09-03',
  source,
  notes: ['No release speaks it.'],
});

/** What a vmlinux says of itself, section `.liveupdate_features`: entries follow its head. */
const featureSectionHead = struct({
  name: 'liveupdate_features_head',
  meaning: 'Start of section .liveupdate_features of a vmlinux; entries follow to its end',
  source,
  fields: { magic: u32('"PUVL"', { role: 'opaque', mustBe: [0x4c565550] }), version: u32('1', { mustBe: [1] }) },
});

const featureSectionEntry = struct({
  name: 'liveupdate_features_entry',
  meaning: 'What this kernel knows of one structure',
  source,
  fields: {
    name: cstring(48, 'whose features'),
    bytes: u32('bytes of a feature word', { role: 'bytes' }),
    reserved: u32('0', { role: 'reserved' }),
    supported: u64('features it knows', { role: 'flags' }),
    required: u64('features it requires of a reader', { role: 'flags' }),
    active: u64('features it writes', { role: 'flags' }),
  },
});

export const featureSection = contract({
  layer: 'uapi',
  id: 'liveupdate-features-section',
  compatible: null,
  structs: [featureSectionHead, featureSectionEntry],
  status: 'rfc',
  date: '2026-09-03',
  source,
  notes: ['Of an ELF file, not of a handover; an earlier idea, `.liveupdate_versions`, has the same head and strings of 48 bytes.'],
});
