/** Small handovers, devicetrees, BTF, symbol tables and texts, made anew for each input: well formed, with the place of every field known. */
import { khoKexecMetadata } from '../../abi/kexec-metadata/v1.js';
import type { Struct } from '../../abi/layout.js';
import { fileBlocks, flbPage, sessionBlocks } from '../../abi/luo/areas.js';
import { luoFileSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from '../../abi/luo/entries.js';
import { contracts } from '../../abi/registry.js';
import { areaCapacity, entryOffset } from '../../src/codec/area.js';
import { buildFdt, type FdtNode, type FdtNodeSource } from '../../src/codec/fdt.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import type { Random } from '../random.js';
import { Memory, memfd, PAGE, type Place, placesOf, tablePage, text, words, type Wrapped } from './image.js';
import { TEXTS } from './mutate.js';

/** Everything that a string versions: what a file or an FLB may say it is. */
const KINDS = contracts.flatMap(({ compatible, structs }) => {
  const [first] = structs;
  return compatible === null || first === undefined ? [] : [{ compatible, struct: first }];
});

/** A structure of small numbers and of addresses that are there. */
function anyStruct(memory: Memory, struct: Struct, random: Random): number {
  const at = memory.alloc();
  const places = placesOf(struct, at).filter(({ at: start, size }) => start + size <= at + PAGE);
  for (const { at: start, size } of places) {
    const value = Buffer.alloc(8);
    value.writeBigUInt64LE(BigInt([0, 1, random.below(16), at, PAGE * (1 + random.below(at / PAGE))][random.below(5)] ?? 0));
    memory.put(start, value.subarray(0, Math.min(8, size)));
  }
  memory.places.push(...places);
  return at;
}

/** A radix tree with one leaf or a few. */
function radix(memory: Memory, random: Random): number {
  const leaf = memory.alloc();
  memory.put(
    leaf,
    Uint8Array.from({ length: 64 }, () => random.below(256)),
  );
  memory.places.push({ at: leaf, size: 8 });
  let below = leaf;
  for (let level = 1; level < 6; level++) {
    const at = memory.alloc();
    for (let count = 1 + random.below(2); count > 0; count--) {
      const slot = random.below(3) === 0 ? random.below(PAGE / 8) : random.below(3);
      memory.repeat(at, slot, 1, below);
      memory.places.push({ at: at + 8 * slot, size: 8 });
    }
    below = at;
  }
  return below;
}

const name = (random: Random, otherwise: string): string => (random.below(8) === 0 ? random.pick(TEXTS) : otherwise);

/** Physical memory with a handover of a few sessions and files. */
export function handover(random: Random): Memory {
  const memory = new Memory();
  const few = (most: number): number => random.below(most + 1);
  const table = tablePage(memory, 1);
  const data = (): { readonly compatible: string; readonly at: number } => {
    if (random.below(2) === 0) {
      const blocks = few(2);
      const folios = random.below(4) === 0 ? few(512) : blocks * 255;
      return { compatible: 'memfd-v2', at: memfd(memory, BigInt(folios) * 4096n, BigInt(folios), memory.vmalloc(table, blocks), blocks) };
    }
    const kind = random.pick(KINDS);
    return { compatible: kind.compatible, at: anyStruct(memory, kind.struct, random) };
  };
  const sessions = few(3);
  const first = memory.chain(sessionBlocks, luoSessionSer, sessions, (index) => {
    const count = few(3);
    const files = memory.chain(fileBlocks, luoFileSer, count, (file) => {
      const { compatible, at } = data();
      return { compatible, token: file, data: at };
    });
    return { name: name(random, `vm-${index}`), file_set_ser: { files, count } };
  });
  let flbs = 0;
  if (random.below(2) === 0) {
    flbs = memory.alloc();
    const count = few(Math.min(3, areaCapacity(flbPage, PAGE)));
    memory.write(flbs, luoFlbHeaderSer, { pgcnt: 1, count });
    for (let slot = 0; slot < count; slot++) {
      const kind = random.pick(KINDS);
      memory.write(flbs + entryOffset(flbPage, slot, PAGE), luoFlbSer, { name: kind.compatible, data: anyStruct(memory, kind.struct, random), count: few(2) });
    }
  }
  const subtrees = [memory.luo(first, flbs)];
  if (random.below(3) === 0) {
    const at = memory.alloc();
    memory.write(at, khoKexecMetadata, { version: 1, previous_release: '7.3.4', kexec_count: few(3) });
    subtrees.push({ name: 'kexec-metadata', at, size: sizeOf(khoKexecMetadata) });
  }
  if (random.below(3) === 0) {
    const region = (index: number): FdtNodeSource => ({
      name: name(random, `r${index}`),
      properties: [
        ['compatible', text('reserve-mem-v1')],
        ['start', words(PAGE * few(20))],
        ['size', words(PAGE * few(8))],
      ],
      children: [],
    });
    const fdt = buildFdt({
      name: '',
      properties: [['compatible', text('memblock-v1')]],
      children: Array.from({ length: few(4) }, (_, index) => region(index)),
    });
    const at = memory.alloc();
    memory.put(at, fdt);
    subtrees.push({ name: 'memblock', at, size: fdt.length });
  }
  memory.handOver(random.below(6) === 0 ? random.pick(['kho-v1', 'kho-v2', 'kho-v3', 'kho-v5']) : 'kho-v4', radix(memory, random), subtrees);
  return memory;
}

const sourceOf = (node: FdtNode): FdtNodeSource => ({
  name: node.name,
  properties: node.properties.map(({ name: property, value }) => [property, value] as const),
  children: node.children.map(sourceOf),
});

/** A devicetree with nodes left out, doubled and nested, and properties cut, grown, renamed and changed. */
export function fdtLike(root: FdtNode, random: Random): Uint8Array {
  const change = (node: FdtNodeSource, depth: number): FdtNodeSource => ({
    name: random.below(40) === 0 ? random.pick(TEXTS).replaceAll('\0', '') : node.name,
    properties: node.properties.flatMap(([property, value]) => {
      switch (random.below(24)) {
        case 0:
          return [];
        case 1:
          return [[property, value] as const, [property, value] as const];
        case 2:
          return [[property, value.subarray(0, random.below(value.length + 1))] as const];
        case 3:
          return [[property, Buffer.concat([value, Buffer.from(random.pick(TEXTS))])] as const];
        case 4:
          return [[`${property}${random.pick(TEXTS).replaceAll('\0', '')}`, value] as const];
        case 5:
          return [[property, Buffer.from(value).fill(random.below(256), random.below(value.length + 1))] as const];
        default:
          return [[property, value] as const];
      }
    }),
    children: node.children.flatMap((child) => {
      const inner = depth > 6 ? child : change(child, depth + 1);
      switch (random.below(16)) {
        case 0:
          return [];
        case 1:
          return Array.from({ length: 1 + random.below(4) }, () => inner);
        case 2:
          return [{ ...inner, children: [...inner.children, inner] }];
        default:
          return [inner];
      }
    }),
  });
  return buildFdt(change(sourceOf(root), 0));
}

const KALLSYMS = { names: 0x40, count: 0x8, tokenTable: 0x400, tokenIndex: 0x700, offsets: 0x900, base: 0x10 };
export const KALLSYMS_BASE = 0xffffffff81000000n;
const PREFIXES = ['luo_', 'kho_', 'init_', 'x', 'memfd_'] as const;
const SUFFIXES = ['list', 'task', 'session_global', '_stext', 'y'] as const;

/** kallsyms as scripts/kallsyms.c writes them, of a few symbols. */
export function kallsyms(random: Random): Wrapped & { readonly places: readonly Place[]; readonly at: typeof KALLSYMS; readonly relative: boolean } {
  const bytes = Buffer.alloc(0x2000);
  const places: Place[] = [
    { at: KALLSYMS.count, size: 4 },
    { at: KALLSYMS.base, size: 8 },
  ];
  let token = KALLSYMS.tokenTable;
  for (let code = 0; code < 256; code++) {
    bytes.writeUInt16LE(token - KALLSYMS.tokenTable, KALLSYMS.tokenIndex + 2 * code);
    const letter = code >= 33 && code < 127 ? String.fromCharCode(code) : code === 200 ? 'luo_' : '';
    token += bytes.write(`${letter}\0`, token, 'latin1');
  }
  const relative = random.below(2) === 0;
  const count = 1 + random.below(30);
  let at = KALLSYMS.names;
  for (let index = 0; index < count; index++) {
    const code = Buffer.from(`T${random.pick(PREFIXES)}${random.pick(SUFFIXES)}`, 'latin1');
    places.push({ at, size: 1 });
    bytes[at++] = code.length;
    at += code.copy(bytes, at);
    const place = KALLSYMS.offsets + 4 * index;
    bytes.writeInt32LE(relative ? 64 * index - place : 64 * index, place);
    places.push({ at: place, size: 4 }, { at: KALLSYMS.tokenIndex + 2 * random.below(256), size: 2 }, { at: KALLSYMS.tokenTable + random.below(600), size: 1 });
  }
  bytes.writeUInt32LE(count, KALLSYMS.count);
  bytes.writeBigUInt64LE(KALLSYMS_BASE, KALLSYMS.base);
  return { bytes, places, at: KALLSYMS, relative };
}

const TYPES = [
  'u32 a;',
  'u64 b[4];',
  'char name[64];',
  'struct inner { u16 x; u8 y:3; } in;',
  'u64 pa;',
  'union { u64 u; u32 v[2]; };',
  'DECLARE_PHYS(struct kho_vmalloc, p);',
  'u8 tail[N];',
] as const;

/** A series of patches to headers of include/linux/kho/abi. */
export function mails(random: Random): string {
  const lines = (sign: string): readonly string[] => Array.from({ length: 1 + random.below(5) }, () => `${sign}\t${random.pick(TYPES)}`);
  const patch = (index: number): string => {
    const file = random.pick(['luo.h', 'memfd.h', 'pci.h', 'kexec_handover.h']);
    const fresh = random.below(2) === 0;
    const body = fresh
      ? ['+#define LUO_ABI_COMPATIBLE "luo-v6"', '+#define N 4', '+struct luo_ser {', ...lines('+'), '+} __packed;']
      : [' #define LUO_ABI_COMPATIBLE "luo-v5"', ' struct luo_ser {', ...lines(' '), ...lines('-'), ...lines('+'), ' } __packed;'];
    const old = body.filter((line) => !line.startsWith('+')).length;
    const now = body.filter((line) => !line.startsWith('-')).length;
    return [
      `From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001`,
      `From: A <a@b.example>`,
      `Subject: [PATCH ${index + 1}/3] luo: change`,
      '',
      'text',
      '---',
      ` include/linux/kho/abi/${file} | 4 ++--`,
      '',
      `diff --git a/include/linux/kho/abi/${file} b/include/linux/kho/abi/${file}`,
      ...(fresh ? ['new file mode 100644', '--- /dev/null'] : [`--- a/include/linux/kho/abi/${file}`]),
      `+++ b/include/linux/kho/abi/${file}`,
      `@@ -${fresh ? 0 : 1},${old} +1,${now} @@`,
      ...body,
      '-- ',
      '2.43.0',
      '',
    ].join('\n');
  };
  return Array.from({ length: 1 + random.below(3) }, (_, index) => patch(index)).join('\n');
}
