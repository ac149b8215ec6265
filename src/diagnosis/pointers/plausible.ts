/**
 * Does a page hold what a pointer says that it holds? Judged from several fields at once, so that one damaged field does not make
 * a structure another. Layouts: the contracts in abi/.
 */
import { fdtHeader } from '../../../abi/fdt/header.js';
import { khoKexecMetadata } from '../../../abi/kexec-metadata/v1.js';
import { luoSer } from '../../../abi/luo/v5.js';
import { luoSessionHeaderSer } from '../../../abi/luo/areas.js';
import { luoFileSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from '../../../abi/luo/entries.js';
import { khoBlockHeaderSer } from '../../../abi/kho/block.js';
import { khoVmallocChunk } from '../../../abi/kho/vmalloc.js';
import { memfdLuoFolioSer } from '../../../abi/memfd/folio.js';
import { KNOWN_SEALS } from '../../../abi/memfd/v2.js';
import { behaviourIsKnown } from '../../../abi/contract.js';
import type { CStringValue, DecodedStruct, Struct } from '../../../abi/layout.js';
import { areaOf } from '../../codec/area.js';
import { decodeStruct } from '../../codec/decode.js';
import { FDT_MAGIC } from '../../codec/fdt.js';
import { integerOf, textOf } from '../../codec/leaf.js';
import { layoutTable, sizeOf } from '../../codec/layout-table.js';
import type { Reference } from '../../handover/context.js';
import { vmallocValues } from '../../handover/vmalloc.js';
import { isReadable, physicalAddress, readBytes } from '../../memory/memory.js';
import type { Subject } from '../subject.js';

/** What a pointer leads to: `true` it is that structure, `false` it is none, `null` nothing tells (not in the dump, or any bytes are as good). */
export type Verdict = boolean | null;

export function isPlausible(subject: Subject, { what, address, node }: Reference): Verdict {
  const { luo } = subject.handover;
  // Of a kernel that nobody described only its own layouts are known, not what it writes into them.
  if (luo?.contract != null && !behaviourIsKnown(luo.contract)) return null;
  switch (what) {
    case 'session block':
      return isBlock(subject, address, 'sessions');
    case 'file block':
      return isBlock(subject, address, 'files');
    case 'session area':
      return decoded(subject, luoSessionHeaderSer, address, ({ count }) =>
        count === 0n ? null : isArea(subject, address + sizeOf(luoSessionHeaderSer), entryOf(subject, 'sessions'), 'name'),
      );
    case 'file area':
      return isArea(subject, address, entryOf(subject, 'files'), 'compatible');
    case 'FLB page':
      return isFlbPage(subject, address);
    case 'struct memfd_luo_ser':
      return node.layout === null ? null : isMemfd(subject, address, node.layout.struct);
    case 'vmalloc chunk':
      return isChunk(subject, address);
    case 'vmalloc block':
      return node.path.includes('/memfd_luo_ser/') ? isFolioTable(subject, address) : null;
    case 'root FDT':
      return true;
    case 'subtree LUO':
      return isLuoRoot(subject, address);
    case 'subtree memblock':
      return isFdt(subject, address, 'memblock');
    case 'subtree kho_test':
      return isFdt(subject, address, 'kho-test');
    case 'subtree kexec-metadata':
      return decoded(subject, khoKexecMetadata, address, ({ version, previous_release: release }) => version === 1 || /^\d+\.\d+/.test(release.text));
    default:
      return null;
  }
}

function read(subject: Subject, address: number, length: number, judge: (bytes: Uint8Array) => Verdict): Verdict {
  const got = readBytes(subject.dump.memory, address, length);
  return got.ok ? judge(got.bytes) : null;
}

function decoded<S extends Struct>(subject: Subject, struct: S, address: number, judge: (values: DecodedStruct<S>) => Verdict): Verdict {
  return read(subject, address, sizeOf(struct, subject.dump.memory.pageSize), (bytes) =>
    judge(decodeStruct(struct, bytes, 0, { pageSize: subject.dump.memory.pageSize })),
  );
}

/** A name or version as kernels write it: printable, and zeros after its NUL. */
const isText = (value: CStringValue): boolean =>
  value.terminated && value.trailing === 0 && /^[\x20-\x7e\u0080-\uffff]+$/.test(value.text) && !value.text.includes('\ufffd');

function startsWithText(subject: Subject, address: number, entry: Struct, field: string): Verdict {
  return decoded(subject, entry, address, (values) => {
    const text = textOf(entry, values, field);
    return text !== null && isText(text);
  });
}

/** The structure of a session's or a file's entry, as the contract of the handover has it. */
export function entryOf({ handover: { luo } }: Pick<Subject, 'handover'>, list: 'sessions' | 'files'): Struct {
  const area = luo?.contract == null ? null : areaOf(luo.contract, list);
  return area?.entry ?? (list === 'sessions' ? luoSessionSer : luoFileSer);
}

/** An area of entries one after the other: one of the first two starts with text. Null where the count says that there are none yet. */
function isArea(subject: Subject, address: number, entry: Struct, field: string): Verdict {
  const size = sizeOf(entry);
  const texts = [address, address + size].map((at) => startsWithText(subject, at, entry, field));
  if (texts.includes(true)) return true;
  if (texts.includes(null)) return null;
  // A single entry whose text was damaged still has a field or two that are no text.
  return read(subject, address, size, (bytes) =>
    bytes.some((byte) => byte !== 0) && bytes.filter((byte) => byte >= 0x20 && byte < 0x7f).length >= 4 ? null : false,
  );
}

/** Its count or its first entries may be damaged, not both. */
function isBlock(subject: Subject, address: number, list: 'sessions' | 'files'): Verdict {
  const { pageSize } = subject.dump.memory;
  const entry = entryOf(subject, list);
  const header = sizeOf(khoBlockHeaderSer);
  const capacity = BigInt(Math.floor((pageSize - header) / sizeOf(entry)));
  return decoded(subject, khoBlockHeaderSer, address, ({ count, next }) => {
    const isCount = count >= 1n && count <= capacity;
    const isLink = isPage(subject, next);
    const entries = [0, 1].map((index) => {
      const at = address + header + index * sizeOf(entry);
      return list === 'sessions' ? isSession(subject, entry, at) : isFile(subject, entry, at);
    });
    if (entries.includes(true)) return isCount || isLink;
    const [first = null] = entries;
    if (first === null) return (isCount && isLink) || !isReadable(subject.dump.memory, address) ? null : false;
    // A last block may be empty: 7.2 and 7.3 leave one where a session's name was refused.
    const isEmpty = first === 'empty' && ((isCount && isLink) || (count === 0n && next === 0n));
    return isEmpty ? null : false;
  });
}

const isPage = (subject: Subject, value: bigint): boolean => {
  const address = physicalAddress(value);
  return address !== null && address % subject.dump.memory.pageSize === 0 && isMemory(subject, address);
};

/** Entries of a list: one of their fields may be damaged, which `null` stands for. */
type EntryVerdict = Verdict | 'empty';

function isSession(subject: Subject, entry: Struct, address: number): EntryVerdict {
  const got = readBytes(subject.dump.memory, address, sizeOf(entry));
  if (!got.ok) return null;
  if (got.bytes.every((byte) => byte === 0)) return 'empty';
  const values = decodeStruct(entry, got.bytes);
  const number = (field: string): bigint => integerOf(entry, values, field) ?? 0n;
  const name = textOf(entry, values, 'name');
  const good = [name !== null && isText(name), isPage(subject, number('file_set_ser.files')), number('file_set_ser.count') < LIKELY_COUNT].filter(
    (one) => one,
  ).length;
  return good === 3 ? true : good === 2 ? null : false;
}

function isFile(subject: Subject, entry: Struct, address: number): EntryVerdict {
  const got = readBytes(subject.dump.memory, address, sizeOf(entry));
  if (!got.ok) return null;
  if (got.bytes.every((byte) => byte === 0)) return 'empty';
  const values = decodeStruct(entry, got.bytes);
  const [data, token] = [integerOf(entry, values, 'data') ?? 0n, integerOf(entry, values, 'token') ?? 0n];
  const compatible = textOf(entry, values, 'compatible');
  if (compatible === null) return null;
  if (isText(compatible)) return data !== 0n ? true : token !== 0n ? null : false;
  const letters = compatible.bytes.filter((byte) => byte >= 0x20 && byte < 0x7f).length;
  return data !== 0n && isPage(subject, data) && (letters >= 4 || compatible.bytes.length === 0) ? null : false;
}

export const isSessionBlock = (subject: Subject, address: number): Verdict => isBlock(subject, address, 'sessions');
export const isFileBlock = (subject: Subject, address: number): Verdict => isBlock(subject, address, 'files');

const isMemory = (subject: Subject, address: number): boolean => address === 0 || subject.dump.memory.stateOf(address) !== 'out-of-range';

function isFlbPage(subject: Subject, address: number): Verdict {
  const first = startsWithText(subject, address + sizeOf(luoFlbHeaderSer), luoFlbSer, 'name');
  return decoded(subject, luoFlbHeaderSer, address, ({ pgcnt, count }) => (pgcnt === 1n && count <= 64n) || first === true);
}

function isMemfd(subject: Subject, address: number, struct: Struct): Verdict {
  const { pageSize } = subject.dump.memory;
  return decoded(subject, struct, address, (values) => {
    const own = (name: string): bigint => (struct.fields[name] === undefined ? 0n : (integerOf(struct, values, name) ?? 0n));
    const area = vmallocValues((name) => integerOf(struct, values, name), 'folios.');
    if (area === null) return null;
    const folios = { first: area.first, total_pages: area.total_pages ?? 0, order: area.order ?? 0, flags: area.flags ?? 0 };
    const [size, nr, seals, flags] = [own('size'), own('nr_folios'), Number(own('seals')), Number(own('flags'))];
    // Of an empty file one field may be damaged; zeros are as good as any empty file.
    const set = [size !== 0n, nr !== 0n, seals !== 0, flags !== 0, folios.first !== 0n, folios.total_pages !== 0, folios.order !== 0].filter(
      (one) => one,
    ).length;
    if (set <= 1) return null;
    if (size === 0n && nr === 0n) return (seals & ~KNOWN_SEALS) === 0 && flags === 0;
    const first = physicalAddress(folios.first);
    const pages = (size + BigInt(pageSize) - 1n) / BigInt(pageSize);
    const table = (nr * BigInt(sizeOf(memfdLuoFolioSer)) + BigInt(pageSize) - 1n) / BigInt(pageSize);
    const bad = [
      size < 1n << 48n && nr <= pages && nr > 0n,
      (seals & ~KNOWN_SEALS) === 0 && flags === 0,
      first !== null && first !== 0 && first % pageSize === 0 && isMemory(subject, first),
      BigInt(folios.total_pages) === table,
      folios.order <= 20 && (folios.flags & ~3) === 0,
    ].filter((good) => !good).length;
    return bad <= 2;
  });
}

/** Its first block is one that is preserved. A chunk may be empty only after a full one. */
function isChunk(subject: Subject, address: number): Verdict {
  const { pageSize } = subject.dump.memory;
  const phys = layoutTable(khoVmallocChunk, pageSize).field('phys').offset;
  return read(subject, address, phys + 8, (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const next = physicalAddress(view.getBigUint64(0, true));
    const first = physicalAddress(view.getBigUint64(phys, true));
    const isLink = next !== null && next % pageSize === 0 && isMemory(subject, next);
    return isLink && first !== null && first !== 0 && first % pageSize === 0 && isMemory(subject, first);
  });
}

/** One of its first two entries names a page of memory with flags that are known. A table may have room to spare: zeros tell nothing. */
function isFolioTable(subject: Subject, address: number): Verdict {
  const size = sizeOf(memfdLuoFolioSer);
  return read(subject, address, 2 * size, (bytes) =>
    bytes.every((byte) => byte === 0)
      ? null
      : [0, size].some((offset) => {
          const { pfn_flags: word, index } = decodeStruct(memfdLuoFolioSer, bytes, offset);
          return word.pfn !== 0 && word.flags <= 3 && isMemory(subject, word.pfn * subject.dump.memory.pageSize) && index < 1n << 40n;
        }),
  );
}

/** struct luo_ser, or up to 7.1 an FDT. */
function isLuoRoot(subject: Subject, address: number): Verdict {
  // What has no string was known by its bytes when it was decoded.
  if (subject.handover.luo?.contract?.compatible === null) return true;
  const isStruct = decoded(
    subject,
    luoSer,
    address,
    ({ compatible, liveupdate_num: number, sessions_pa: sessions, flbs_pa: flbs }) =>
      /^([\w.-]+;)*luo-v\d/.test(compatible.text) || (number > 0n && number < LIKELY_COUNT && isPage(subject, sessions) && isPage(subject, flbs)),
  );
  return isStruct === false ? isFdt(subject, address, 'luo') : isStruct;
}

/** Counts of what kernels count one by one are smaller. */
const LIKELY_COUNT = 1 << 24;

/** Families of the versions that FDTs of subtrees start with. */
const FAMILIES = ['luo', 'memblock', 'kho-test'] as const;
/** After the header, the reservation map and the root's token the first property is `compatible`. */
const FDT_START = 128;

/** A devicetree as libfdt makes it, but for a field or two of its header, and of no other family. */
const isFdt = (subject: Subject, address: number, family: (typeof FAMILIES)[number]): Verdict =>
  decoded(subject, fdtHeader, address, (header) => {
    const good = [
      header.magic === FDT_MAGIC,
      header.totalsize >= sizeOf(fdtHeader) && header.totalsize < LIKELY_COUNT,
      header.off_dt_struct % 4 === 0 && header.off_dt_struct >= sizeOf(fdtHeader) && header.off_dt_struct < LIKELY_COUNT,
      header.off_dt_strings >= sizeOf(fdtHeader) && header.off_dt_strings < LIKELY_COUNT,
      header.version === 17,
      header.last_comp_version === 16,
    ];
    if (good.filter((one) => one).length < 4) return false;
    const start = readBytes(subject.dump.memory, address, FDT_START);
    const text = new TextDecoder('latin1').decode(start.bytes);
    const found = FAMILIES.filter((name) => text.includes(`${name}-v`));
    return found.length === 0 || found.includes(family);
  });
