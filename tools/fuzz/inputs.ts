/** What is fuzzed: every kind of file the commands take, each from a sample, and the command lines that take it. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FLATTENED_HEADER_BLOCK, FLATTENED_SIGNATURE, flattenedHeader, flattenedPiece } from '../../abi/kdump/kdump.js';
import { encodeStruct } from '../../src/codec/encode.js';
import { bufferSource } from '../../src/container/byte-source.js';
import { compressionOf, decompress } from '../../src/container/compression.js';
import { bomb, bombs } from './bombs.js';
import { damagedBytes, damagedText } from './mutate.js';
import type { Random } from '../random.js';

export interface FuzzInput {
  /** of the file, by which commands never tell it */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** FILE stands for the file's path, OUT for one that may be written */
  readonly commands: readonly (readonly string[])[];
}

export interface Kind {
  readonly name: string;
  make(random: Random): Promise<FuzzInput> | FuzzInput;
}

const DUMP_COMMANDS: readonly (readonly string[])[] = [
  ['report', 'FILE', '--no-log'],
  ['report', 'FILE', '--json', '--verbose'],
  ['diagnose', 'FILE'],
  ['diagnose', 'FILE', '--json'],
  ['diagnose', 'FILE', '--sarif'],
  ['diff', 'FILE', 'FILE', '--json'],
  ['ledger', 'FILE', '--json'],
  ['step', 'FILE', '--json'],
  ['extract', 'FILE', 'vm-0', '0x1', '-o', 'OUT', '--partial'],
  ['abi', 'check', '--from', 'FILE', '--to', '7.3', '--json'],
  ['decode', 'FILE', '--as', 'luo_ser', '--at', '0x1000', '--json'],
  ['FILE'],
];

/** Files below `folder` with one of these endings, at most `most` bytes. */
function filesIn(folder: string, ending: RegExp, most = 400_000): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      const stat = statSync(path);
      if (stat.isDirectory()) return filesIn(path, ending, most);
      return ending.test(name) && stat.size <= most ? [path] : [];
    });
}

const unpacked = new Map<string, Uint8Array>();

/** A sample's bytes, unpacked. */
async function bytesOf(path: string): Promise<Uint8Array> {
  const known = unpacked.get(path);
  if (known !== undefined) return known;
  let bytes: Uint8Array = readFileSync(path);
  if (/\.(xz|gz|zst)$/.test(path)) {
    const kind = compressionOf(bytes);
    if (kind !== null) {
      const parts: Uint8Array[] = [];
      for await (const part of decompress(bufferSource(path, bytes), kind)) parts.push(Uint8Array.from(part));
      bytes = Buffer.concat(parts);
    }
  }
  if (unpacked.size < 24) unpacked.set(path, bytes);
  return bytes;
}

/** LiME: a header in front of each range. Source: LiME's README; version 1. */
function lime(memory: Uint8Array): Uint8Array {
  const head = Buffer.alloc(32);
  head.writeUInt32LE(0x4c694d45, 0);
  head.writeUInt32LE(1, 4);
  head.writeBigUInt64LE(0n, 8);
  head.writeBigUInt64LE(BigInt(memory.length - 1), 16);
  return Buffer.concat([head, memory]);
}

/** A tar archive. Source: POSIX.1-2017, pax, ustar interchange format. */
function tar(files: readonly (readonly [name: string, bytes: Uint8Array])[]): Uint8Array {
  const parts = files.flatMap(([name, bytes]) => {
    const head = Buffer.alloc(512);
    head.write(name.slice(0, 99), 0);
    head.write('0000644\x000000000\x000000000\0', 100);
    head.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    head.write('00000000000\0        0', 136);
    head.write('ustar\x0000', 257);
    head.write(
      `${head
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    return [head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** A dump in pieces with their offsets, as makedumpfile -F writes it, in any order. */
function flattened(bytes: Uint8Array, random: Random): Uint8Array {
  const head = Buffer.alloc(FLATTENED_HEADER_BLOCK);
  head.set(encodeStruct(flattenedHeader, { signature: FLATTENED_SIGNATURE, type: 1, version: 1 }));
  const size = 4096 * (1 + random.below(16));
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => {
    const part = bytes.subarray(index * size, (index + 1) * size);
    return Buffer.concat([encodeStruct(flattenedPiece, { offset: index * size, buf_size: part.length }), part]);
  });
  if (random.below(2) === 0) pieces.reverse();
  return Buffer.concat([head, ...pieces, encodeStruct(flattenedPiece, { offset: -1n, buf_size: -1n })]);
}

/** @param root of the repository: samples and, where they are, the tests' fixtures */
export function kindsOf(root: string): readonly Kind[] {
  const samples = (ending: RegExp): readonly string[] => [...filesIn(join(root, 'samples'), ending), ...filesIn(join(root, 'test/fixtures'), ending)];
  const cores = samples(/\.elf(\.xz)?$/);
  const fdts = samples(/^fdt$|\.dtb$|\/(in|out)\/fdt$/);
  const scenarios = filesIn(join(root, 'samples/scenarios'), /\.yaml$/);
  const snapshots = samples(/\.kvm_run$/);
  const btfs = samples(/\.BTF\.xz$|^tiny-vmlinu[xz](\.\w+)?$/);
  const kdumps = samples(/kdump|vmcore/);
  const objects = filesIn(join(root, 'test/fixtures/objects'), /\.elf\.xz$/);
  const logs = filesIn(join(root, 'samples'), /console\.log$/);
  const contracts = filesIn(join(root, 'samples/contracts'), /\.yaml$/);
  const folders = samples(/^fdt$/).map((path) => dirname(dirname(path)));
  /** one stays as text for damage: names, numbers and lines of System.map */
  const symbols = Array.from({ length: 200 }, (_, index) => `ffffffff8${(0x1000000 + index * 64).toString(16)} ${'tTdDbB'[index % 6]} symbol_${index}`).join(
    '\n',
  );
  const whole = (
    name: string,
    files: readonly string[],
    commands: FuzzInput['commands'],
    change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
  ): Kind[] =>
    files.length === 0
      ? []
      : [
          {
            name,
            async make(random) {
              return { name: `${name}.bin`, bytes: damagedBytes(change(await bytesOf(random.pick(files))), random), commands };
            },
          },
        ];
  return [
    ...whole('core', cores, DUMP_COMMANDS),
    {
      name: 'compressed',
      make(random) {
        const bytes = readFileSync(random.pick(cores));
        const layers = random.below(3);
        let packed: Uint8Array = random.below(2) === 0 ? damagedBytes(bytes, random) : bytes;
        for (let layer = 0; layer < layers; layer++) packed = gzipSync(packed, { level: 1 });
        return { name: 'compressed.bin', bytes: random.below(2) === 0 ? damagedBytes(packed, random) : packed, commands: DUMP_COMMANDS };
      },
    },
    ...whole('lime', cores.slice(0, 6), DUMP_COMMANDS, lime),
    ...whole('raw', cores.slice(0, 6), DUMP_COMMANDS, (bytes) => Buffer.concat([bytes, Buffer.alloc((4096 - (bytes.length % 4096)) % 4096)])),
    ...whole('kdump', kdumps, DUMP_COMMANDS),
    ...whole('fdt', fdts, DUMP_COMMANDS),
    ...whole('kvm', snapshots, [['kvm', 'FILE', '--json'], ['kvm', 'FILE', '--errno', 'EFAULT'], ['FILE']]),
    ...whole('btf', btfs, [
      ['abi', 'check', '--from', '7.3', '--to', 'FILE', '--json'],
      ['abi', 'diff', '7.3', 'FILE'],
    ]),
    {
      name: 'bomb',
      make(random) {
        const name = random.pick(Object.keys(bombs));
        return { name: `${name}.bin`, bytes: bomb(name, random, 0.02), commands: DUMP_COMMANDS };
      },
    },
    {
      name: 'debugfs',
      make(random) {
        const folder = random.pick(folders);
        const files = filesIn(folder, /./).filter(() => random.below(12) > 0);
        const archive = tar(
          files.map((path) => {
            const bytes = readFileSync(path);
            return [`sys/kernel/debug/kho/${path.slice(folder.length + 1)}`, random.below(2) === 0 ? damagedBytes(bytes, random) : bytes] as const;
          }),
        );
        return { name: 'kho.tar', bytes: random.below(4) === 0 ? damagedBytes(archive, random) : archive, commands: DUMP_COMMANDS };
      },
    },
    ...whole('objects', objects, [...DUMP_COMMANDS, ['log', 'FILE', '--json'], ['whatis', 'FILE', '0x1000000', '--json']]),
    {
      name: 'symbols',
      make(random) {
        return {
          name: 'System.map',
          bytes: Buffer.from(damagedText(symbols, random)),
          commands: [['report', random.pick(cores), '--symbols', 'FILE', '--json']],
        };
      },
    },
    {
      name: 'contract',
      make(random) {
        const text = damagedText(readFileSync(random.pick(contracts), 'utf8'), random);
        return {
          name: 'contract.yaml',
          bytes: Buffer.from(text),
          commands: [
            ['report', random.pick(cores), '--contract', 'FILE', '--json'],
            ['diagnose', random.pick(cores), '--contract', 'FILE', '--json'],
          ],
        };
      },
    },
    {
      name: 'flattened',
      async make(random) {
        const bytes = flattened(await bytesOf(random.pick(cores.slice(0, 8))), random);
        return { name: 'flattened.bin', bytes: random.below(2) === 0 ? damagedBytes(bytes, random) : bytes, commands: DUMP_COMMANDS };
      },
    },
    {
      name: 'scenario',
      make(random) {
        const text = damagedText(readFileSync(random.pick(scenarios), 'utf8'), random);
        return {
          name: 'scenario.yaml',
          bytes: Buffer.from(text),
          commands: [
            ['sim', 'FILE', '--json'],
            ['sim', 'FILE', '--until', 'frozen', '--dump', 'OUT'],
          ],
        };
      },
    },
    {
      name: 'suppressions',
      make(random) {
        const text =
          'schema: luo-inspect.suppress/1\nsuppress:\n  - { rule: memfd/seals-unknown, reason: known }\n  - { rule: luo/x, path: a/b, at: 0x10, reason: "y" }\n';
        const dump = join(root, 'samples/failed/seals/s2-at-kho_memory_init.sparse.elf.xz');
        return { name: 'suppress.yaml', bytes: Buffer.from(damagedText(text, random)), commands: [['diagnose', dump, '--suppress', 'FILE', '--json']] };
      },
    },
    {
      name: 'log',
      make(random) {
        const log = logs.length === 0 ? Buffer.from('[ 0.1] Linux version 7.3.4 (x)\n') : readFileSync(random.pick(logs));
        return { name: 'log.txt', bytes: damagedBytes(log, random), commands: [['diagnose', random.pick(cores), '--log', 'FILE', '--json']] };
      },
    },
  ];
}
