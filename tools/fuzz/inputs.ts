/**
 * What is fuzzed: every kind of file that the commands take. A kind makes an input from random numbers, and takes it: by a call, which costs
 * little and makes most of the inputs; every so often as a file, by a command line.
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { elf64Ehdr, elf64Phdr, PT_LOAD } from '../../abi/elf/elf64.js';
import { spokenBy, structNames } from '../../abi/registry.js';
import { loadDump } from '../../src/cli/load-dump.js';
import { decodeStruct } from '../../src/codec/decode.js';
import { parseFdt } from '../../src/codec/fdt.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import { UserError } from '../../src/codec/user-error.js';
import { openBtf } from '../../src/compat/btf/btf.js';
import { fromBytes } from '../../src/compat/btf/kernel-file.js';
import { contractsOfBtf } from '../../src/compat/btf-contracts.js';
import { checkCompat } from '../../src/compat/check.js';
import { kernelSide } from '../../src/compat/kernel-side.js';
import { releaseSide } from '../../src/compat/release-side.js';
import { parseSuppressions } from '../../src/compat/suppress.js';
import { decompressLz4Legacy } from '../../src/compress/lz4.js';
import { bufferSource } from '../../src/container/byte-source.js';
import { compressionOf, decompress } from '../../src/container/compression.js';
import { openRecorded } from '../../src/container/debugfs.js';
import { openElfCore } from '../../src/container/elf-core.js';
import { flattenedSource } from '../../src/container/flattened.js';
import { parseIomem, openRaw } from '../../src/container/raw.js';
import { openKdump } from '../../src/container/kdump.js';
import { openKhoFdt } from '../../src/container/kho-fdt.js';
import { openLime } from '../../src/container/lime.js';
import { lzoDecompress } from '../../src/container/lzo.js';
import type { DumpContents, OpenedDump } from '../../src/container/opened-dump.js';
import { snappyDecompress } from '../../src/container/snappy.js';
import { tarFiles } from '../../src/container/tar-files.js';
import { parseContractFile } from '../../src/contract-file/contract-file.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { gatePatches } from '../../src/gate/gate.js';
import { headersOfLock } from '../../src/gate/lock.js';
import { patchesOf } from '../../src/gate/patch.js';
import { KernelFault } from '../../src/kernel/fault.js';
import { x86Geometry } from '../../src/kernel/geometry.js';
import { readKallsyms } from '../../src/kernel/kallsyms.js';
import { parseSystemMap, relocate } from '../../src/kernel/system-map.js';
import { VirtualMemory } from '../../src/kernel/virtual-memory.js';
import { snapshotsInBytes } from '../../src/kvm/snapshot-files.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { compatJson } from '../../src/report/compat-text.js';
import { findingsJson } from '../../src/report/diagnose-text.js';
import { gateJson, gateText } from '../../src/report/gate-report.js';
import { jsonLines } from '../../src/report/json-lines.js';
import { kvmLines } from '../../src/report/kvm-text.js';
import { reportJson, reportNdjson } from '../../src/report/report-json.js';
import { reportText } from '../../src/report/report-text.js';
import { structBtf } from '../../test/compat/struct-btf.js';
import type { Random } from '../random.js';
import { bomb, bombs } from './bombs.js';
import { elfCore, type Place, placesOf, compressed, flattened, kdump, lime, tar, type Wrapped, zstd } from './image.js';
import { fdtLike, handover, KALLSYMS_BASE, kallsyms, mails } from './made.js';
import { changedText, damagedBytes, damagedFields, damagedText } from './mutate.js';
import { playDebugger, playInspector, playKvm } from './play.js';
import { atEnd } from '../../src/codec/at-end.js';

export interface Kind {
  readonly name: string;
  /** a file: commands tell what it is by its content, never by its name */
  make(random: Random): Promise<Uint8Array> | Uint8Array;
  /** What is printed of it. Throws UserError, or what `refusals` says, where it is refused. */
  readonly call: ((bytes: Uint8Array, random: Random) => Promise<Iterable<string>> | Iterable<string>) | null;
  readonly refusals?: readonly (new (...args: never[]) => Error)[];
  /** FILE stands for the file's path, OUT for one that may be written */
  readonly commands: readonly (readonly string[])[];
}

const DUMP_COMMANDS: readonly (readonly string[])[] = [
  ['report', 'FILE', '--no-log'],
  ['report', 'FILE', '--json', '--verbose'],
  ['diagnose', 'FILE', '--json'],
  ['diagnose', 'FILE', '--sarif'],
  ['diagnose', 'FILE', '--short'],
  ['diff', 'FILE', 'FILE', '--json'],
  ['diff', 'FILE', 'FILE'],
  ['ledger', 'FILE', '--json'],
  ['step', 'FILE', '--json'],
  ['step', 'FILE', '--export', '-'],
  ['extract', 'FILE', 'vm-0', '0x0', '-o', 'OUT', '--partial'],
  ['extract', 'FILE', 'vm-0', '0x1', '-o', 'OUT', '--partial'],
  ['abi', 'check', '--from', 'FILE', '--to', '7.3', '--json'],
  ['decode', 'FILE', '--as', 'luo_ser', '--at', '0x1000', '--json'],
  ['whatis', 'FILE', '0x3000', '--json'],
  ['triage', 'FILE', '--ndjson'],
  ['shrink', 'FILE', '-o', 'OUT', '--redact', 'names'],
  ['log', 'FILE', '--json'],
  ['FILE'],
];

/** What a kernel's BTF has of the contracts. */
const BTF_STRUCTS = [...new Map(spokenBy('7.3').flatMap(({ structs }) => structs.map((struct) => [struct.name, struct] as const))).values()];

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
  const kind = /\.(xz|gz|zst)$/.test(path) ? compressionOf(bytes) : null;
  if (kind !== null) {
    const parts: Uint8Array[] = [];
    for await (const part of decompress(bufferSource(path, bytes), kind)) parts.push(Uint8Array.from(part));
    bytes = Buffer.concat(parts);
  }
  unpacked.set(path, bytes);
  return bytes;
}

const opened = (contents: DumpContents): OpenedDump => ({ ...contents, path: 'input', changed: () => null, close: () => undefined });

/** Everything that the commands do with a dump that is open, and what one of them prints. */
async function* printed(
  contents: DumpContents,
  base: string,
  random: Random,
  options: { readonly log?: string; readonly symbols?: string } = {},
): AsyncIterable<string> {
  const { report } = await loadDump(base, { log: false, ...options, verdict: random.below(3) === 0, onStage: async () => undefined }, () => opened(contents));
  switch (random.below(4)) {
    case 0:
      yield* reportText(report);
      break;
    case 1:
      yield* reportNdjson(report);
      break;
    case 2:
      yield* jsonLines(findingsJson(report.verdict, report.findings));
      break;
    default:
      yield* jsonLines(reportJson(report));
  }
}

async function linesOf(text: AsyncIterable<string>): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of text) lines.push(line);
  return lines;
}

/** Every 8 bytes of a core that its decoders look at: what they read is written down once, on the undamaged dump. */
async function placesRead(core: Uint8Array, base: string): Promise<readonly Place[]> {
  const { memory, ...contents } = openElfCore(bufferSource('core', core));
  const read = new Set<number>();
  const watched: PhysicalMemory = {
    ...memory,
    readInto(address, length, target, offset) {
      if (length <= 4096) for (let at = address - (address % 8); at < address + length && read.size < 100_000; at += 8) read.add(at);
      return memory.readInto(address, length, target, offset);
    },
  };
  try {
    await loadDump(base, { log: false, onStage: async () => undefined }, () => opened({ ...contents, memory: watched }));
  } catch (error) {
    // Some samples hold no handover.
    if (!(error instanceof UserError)) throw error;
  }
  const header = decodeStruct(elf64Ehdr, core);
  const loads = Array.from({ length: header.e_phnum }, (_, index) => decodeStruct(elf64Phdr, core, Number(header.e_phoff) + index * sizeOf(elf64Phdr))).filter(
    ({ p_type }) => p_type === PT_LOAD,
  );
  const places: Place[] = [];
  for (const address of read) {
    const load = loads.find(({ p_paddr, p_filesz }) => BigInt(address) >= p_paddr && BigInt(address) + 8n <= p_paddr + p_filesz);
    if (load === undefined) continue;
    const at = Number(load.p_offset + BigInt(address) - load.p_paddr);
    // What is zero on a page that is read whole is mostly no field.
    if (core.subarray(at, at + 8).some((byte) => byte !== 0) || places.length < 200) places.push({ at, size: 8 });
  }
  return places;
}

const symbols = Array.from(
  { length: 200 },
  (_, index) => `ffffffff8${(0x1000000 + index * 64).toString(16)} ${'tTdDbB'[index % 6]} ${index === 0 ? '_stext' : `symbol_${index}`}`,
).join('\n');

/** What inputs are made from, and what their calls need. @param root of the repository: samples and the tests' fixtures @param folder for files that calls need */
function groundOf(root: string, folder: string) {
  const samples = (ending: RegExp, most?: number): readonly string[] => [
    ...filesIn(join(root, 'samples'), ending, most),
    ...filesIn(join(root, 'test/fixtures'), ending, most),
  ];
  /** what a call opens before its own bytes take its place */
  const base = join(folder, 'base');
  writeFileSync(base, new Uint8Array(4096).fill(1));
  const cores = samples(/\.elf\.xz$/, 90_000).filter((path) => !path.includes('/objects/') && !path.includes('arm64'));
  const objects = filesIn(join(root, 'test/fixtures/objects'), /\.elf\.xz$/);
  const fdts = samples(/^fdt$/);
  const folders = [...new Set(fdts.map((path) => dirname(dirname(path))))];
  const scenarios = samples(/^[a-z].*\.yaml$/).filter((path) => /scenarios|kernel-answers/.test(path));
  const small = scenarios.filter((path) => statSync(path).size < 4000);
  const snapshots = samples(/\.kvm_run$/);
  const kdumps = samples(/\.kdump\.xz$/);
  const logs = filesIn(join(root, 'samples'), /console\.log$/);
  const contracts = filesIn(join(root, 'samples/contracts'), /\.yaml$/);
  const kernels = samples(/^tiny-vmlinu/);
  const btfs = samples(/\.BTF\.xz$/, 2_000_000);
  const sampleCore = join(root, 'samples/failed/seals/s2-at-kho_memory_init.sparse.elf.xz');
  const live = objects.find((path) => path.includes('s2-partly'));

  const read = new Map<string, Promise<readonly Place[]>>();
  const placesIn = (path: string, bytes: Uint8Array): Promise<readonly Place[]> => {
    const known = read.get(path) ?? placesRead(bytes, base);
    read.set(path, known);
    return known;
  };
  return { folder, base, cores, objects, fdts, folders, scenarios, small, snapshots, kdumps, logs, contracts, kernels, btfs, sampleCore, live, placesIn };
}

type Ground = ReturnType<typeof groundOf>;

const core = (bytes: Uint8Array): DumpContents => openElfCore(bufferSource('input', bytes));

/** memory of a small handover, its fields damaged */
const memory = (random: Random): Uint8Array => {
  const made = handover(random);
  return damagedFields(made.bytes, made.places, random);
};
const wrapped = (wrap: (bytes: Uint8Array, random: Random) => Wrapped) => (random: Random) => {
  const { bytes, places } = wrap(memory(random), random);
  return random.below(2) === 0 ? bytes : damagedFields(bytes, places, random);
};

/** Dumps of every container, and what is packed in them. */
function dumpKinds({ base, cores, objects, fdts, folders, kdumps, placesIn }: Ground): readonly Kind[] {
  const dumps = (name: string, make: Kind['make'], open: (bytes: Uint8Array) => DumpContents | Promise<DumpContents>): Kind => ({
    name,
    make,
    call: async (bytes, random) => linesOf(printed(await open(bytes), base, random)),
    commands: DUMP_COMMANDS,
  });
  const ofCore = (name: string, files: readonly string[]): Kind =>
    dumps(
      name,
      async (random) => {
        const path = random.pick(files);
        const bytes = await bytesOf(path);
        return damagedFields(bytes, await placesIn(path, bytes), random);
      },
      core,
    );
  return [
    ofCore('core', cores),
    dumps(
      'handover',
      (random) => {
        const bytes = memory(random);
        return elfCore([{ at: 0, offset: 0, size: bytes.length }], bytes);
      },
      core,
    ),
    dumps(
      'elf',
      (random) => {
        const bytes = memory(random);
        const parts = 1 + random.below(3);
        const file = elfCore(
          Array.from({ length: parts }, (_, index) => ({
            at: random.below(8) === 0 ? 0x1000 * random.below(16) : 0x100000 * index,
            offset: 0,
            size: bytes.length,
            isNote: random.below(8) === 0,
          })),
          bytes,
        );
        const heads = [
          ...placesOf(elf64Ehdr, 0),
          ...Array.from({ length: parts }, (_, index) => placesOf(elf64Phdr, sizeOf(elf64Ehdr) + index * sizeOf(elf64Phdr))).flat(),
        ];
        return damagedFields(file, heads, random);
      },
      core,
    ),
    dumps('kdump', wrapped(kdump), (bytes) => openKdump(bufferSource('input', bytes))),
    dumps(
      'kdump-lzo',
      async (random) => {
        const bytes = await bytesOf(random.pick(kdumps));
        return damagedBytes(bytes, random);
      },
      (bytes) => openKdump(bufferSource('input', bytes)),
    ),
    dumps('lime', wrapped(lime), (bytes) => openLime(bufferSource('input', bytes))),
    dumps(
      'raw',
      (random) => memory(random),
      (bytes) => openRaw(bufferSource('input', bytes)),
    ),
    dumps(
      'flattened',
      wrapped((bytes, random) => flattened(kdump(bytes, random).bytes, random)),
      (bytes) => openKdump(flattenedSource(bufferSource('input', bytes))),
    ),
    {
      name: 'compressed',
      make(random) {
        const bytes = memory(random);
        const packed = compressed(elfCore([{ at: 0, offset: 0, size: bytes.length }], bytes), random);
        const twice = random.below(4) === 0 ? compressed(packed, random) : packed;
        return random.below(2) === 0 ? damagedBytes(twice, random) : twice;
      },
      call: null,
      commands: DUMP_COMMANDS,
    },
    {
      name: 'codecs',
      make(random) {
        const bytes =
          random.below(2) === 0
            ? Uint8Array.from({ length: 1 + random.below(200) }, () => random.below(256))
            : zstd(new Uint8Array(200).fill(random.below(256)), 1 + random.below(9000));
        return random.below(2) === 0 ? bytes : damagedBytes(bytes, random);
      },
      async call(bytes, random) {
        const how = random.below(4);
        if (how === 0) lzoDecompress(bytes, 4096);
        else if (how === 1) snappyDecompress(bytes, 4096);
        else if (how === 2) decompressLz4Legacy(Buffer.concat([Uint8Array.from([2, 0x21, 0x4c, 0x18, bytes.length, 0, 0, 0]), bytes]), 1 << 20);
        else
          for await (const part of decompress(bufferSource('input', bytes), random.pick(['zstd', 'gzip', 'xz'])))
            if (part.length > 1 << 30) throw new Error('more than there is');
        return [];
      },
      refusals: [RangeError],
      commands: [],
    },
    dumps(
      'fdt',
      async (random) => {
        const { root: tree } = parseFdt(await bytesOf(random.pick(fdts)));
        if (tree === null) throw new Error('a sample that is no devicetree');
        const bytes = fdtLike(tree, random);
        return random.below(3) === 0 ? damagedBytes(bytes, random) : bytes;
      },
      (bytes) => openKhoFdt(bufferSource('input', bytes)),
    ),
    dumps(
      'debugfs',
      async (random) => {
        const copy = random.pick(folders);
        const files = filesIn(copy, /./).filter(() => random.below(12) > 0);
        const under = random.pick(['', 'kho', 'debugfs/kho', 'luo-capture/debugfs/kho']);
        const parts = files.map((path) => {
          const bytes = readFileSync(path);
          const tree = basename(path) === 'fdt' && random.below(2) === 0 ? parseFdt(bytes).root : null;
          const now = tree !== null ? fdtLike(tree, random) : random.below(3) === 0 ? damagedBytes(bytes, random) : bytes;
          return [join(under, path.slice(copy.length + 1)), now] as const;
        });
        const archive = tar(parts.length === 0 ? [['x', Buffer.from('x')]] : parts);
        return random.below(8) === 0 ? damagedBytes(archive, random) : archive;
      },
      (bytes) => openRecorded(tarFiles(bufferSource('input', bytes)), '/', 'input'),
    ),
    ofCore('objects', objects),
  ];
}

/** Pages of kvm_run, and keys pressed in each view of the terminal. */
function viewKinds({ base, small, snapshots }: Ground): readonly Kind[] {
  return [
    {
      name: 'kvm',
      async make(random) {
        const bytes = await bytesOf(random.pick(snapshots));
        const places = Array.from({ length: 300 }, (_, index) => ({ at: index * 4, size: index % 3 === 0 ? 8 : 4 }));
        const changed = damagedFields(bytes, places, random);
        return random.below(3) === 0 ? damagedBytes(changed, random) : changed;
      },
      call: (bytes, random) =>
        kvmLines(
          snapshotsInBytes('input', bytes, {
            ...(random.below(2) === 0 ? { errno: random.below(140) } : {}),
            arch: random.pick(['x86_64', 'arm64', 's390', 'riscv']),
          }),
          random.below(2) === 0,
        ),
      commands: [['kvm', 'FILE', '--json'], ['kvm', 'FILE', '--errno', 'EFAULT'], ['FILE']],
    },
    {
      name: 'terminal',
      async make(random) {
        const bytes = memory(random);
        return (
          [
            elfCore([{ at: 0, offset: 0, size: bytes.length }], bytes),
            Buffer.from(changedText(readFileSync(random.pick(small), 'utf8'), random)),
            damagedBytes(await bytesOf(random.pick(snapshots)), random),
          ][random.below(3)] ?? bytes
        );
      },
      async call(bytes, random) {
        if (bytes[0] === 0x7f) {
          const { report } = await loadDump(base, { log: false, verdict: random.below(3) === 0, onStage: async () => undefined }, () => opened(core(bytes)));
          return playInspector(report, random);
        }
        if (bytes.length === 12288) return playKvm(snapshotsInBytes('input', bytes), random);
        const source = Buffer.from(bytes).toString('utf8');
        return playDebugger(EngineClient.ofScenario(parseScenario(source, 'input'), { logReads: true }), source, random);
      },
      commands: [],
    },
  ];
}

/** What tells types and symbols of a kernel. */
function kernelKinds({ kernels, btfs, sampleCore, live }: Ground): readonly Kind[] {
  return [
    {
      name: 'btf',
      make(random) {
        const bytes = structBtf(BTF_STRUCTS, random.below(2) === 0 ? {} : { luo_ser: { field: 'sessions_pa', by: 8 * random.below(4) } });
        const places = Array.from({ length: (bytes.length - 24) >> 2 }, (_, index) => ({ at: 24 + index * 4, size: 4 }));
        const changed = damagedFields(
          bytes,
          random.below(8) === 0 ? [...places, ...Array.from({ length: 6 }, (_, index) => ({ at: index * 4, size: 4 }))] : places,
          random,
        );
        return changed;
      },
      call(bytes) {
        const btf = openBtf(bytes, 'input');
        const known = contractsOfBtf(btf, { source: 'input', trusted: true });
        for (const struct of BTF_STRUCTS) known.struct(struct);
        known.named('luo-v6');
        known.named('memfd-v9');
        return [];
      },
      commands: [
        ['abi', 'check', '--from', '7.3', '--to', 'FILE', '--json'],
        ['abi', 'diff', '7.3', 'FILE'],
        ['report', sampleCore, '--btf', 'FILE', '--json'],
      ],
    },
    {
      name: 'btf-real',
      async make(random) {
        const bytes = await bytesOf(random.pick(btfs));
        return damagedBytes(bytes, random);
      },
      call: null,
      commands: [
        ['abi', 'check', '--from', '7.3', '--to', 'FILE', '--json'],
        ['abi', 'diff', '7.3', 'FILE'],
      ],
    },
    {
      name: 'vmlinux',
      async make(random) {
        const bytes = await bytesOf(random.pick(kernels));
        const places = Array.from({ length: Math.min(512, bytes.length >> 3) }, (_, index) => ({
          at: random.below(2) === 0 ? index * 8 : Math.max(0, bytes.length - 8 * (index + 1)),
          size: 8,
        }));
        return random.below(3) === 0 ? damagedBytes(bytes, random) : damagedFields(bytes, places, random);
      },
      async call(bytes) {
        const file = await fromBytes('input', bytes);
        using _file = atEnd(() => file.close());
        return jsonLines(compatJson(checkCompat(releaseSide('7.3'), kernelSide(file))));
      },
      commands: [
        ['abi', 'check', '--from', '7.3', '--to', 'FILE', '--json'],
        ['report', sampleCore, '--vmlinux', 'FILE'],
      ],
    },
    {
      name: 'kallsyms',
      make(random) {
        const { bytes, places } = kallsyms(random);
        return damagedFields(bytes, places, random);
      },
      call(bytes, random) {
        const { at } = kallsyms(random);
        const space = {
          geometry: x86Geometry(4, 0n),
          root: null,
          linear: [{ start: KALLSYMS_BASE, end: KALLSYMS_BASE + BigInt(bytes.length), offset: KALLSYMS_BASE }],
        };
        const place = (offset: number): bigint => KALLSYMS_BASE + BigInt(offset);
        const table = readKallsyms(new VirtualMemory(bufferMemory([{ start: 0, bytes }]), space), {
          names: place(at.names),
          count: place(at.count),
          tokenTable: place(at.tokenTable),
          tokenIndex: place(at.tokenIndex),
          offsets: place(at.offsets),
          relativeBase: random.below(2) === 0 ? null : place(at.base),
        });
        return [
          table
            .find('init_task')
            .map(({ name }) => name)
            .join(),
        ];
      },
      refusals: [KernelFault],
      commands: [],
    },
    {
      name: 'symbols',
      make: (random) => Buffer.from(random.below(2) === 0 ? symbols : damagedText(symbols, random)),
      call(bytes) {
        relocate(parseSystemMap(Buffer.from(bytes).toString('latin1'), 'input'), 'input', { name: 'symbol_7', address: 0xffffffff810001c0n + 0x200000n });
        return [];
      },
      commands: live === undefined ? [] : [['report', live, '--symbols', 'FILE', '--json']],
    },
  ];
}

/** Texts that users write, and logs. */
function textKinds({ folder, base, cores, scenarios, small, logs, contracts, sampleCore }: Ground): readonly Kind[] {
  return [
    {
      name: 'contract',
      make: (random) => Buffer.from(changedText(readFileSync(random.pick(contracts), 'utf8'), random)),
      call(bytes) {
        for (const { structs } of parseContractFile(Buffer.from(bytes).toString('utf8'), 'input')) for (const struct of structs) sizeOf(struct);
        return [];
      },
      commands: [],
    },
    {
      name: 'scenario',
      make: (random) => Buffer.from(changedText(readFileSync(random.pick(random.below(4) === 0 ? scenarios : small), 'utf8'), random)),
      call(bytes) {
        const client = EngineClient.ofScenario(parseScenario(Buffer.from(bytes).toString('utf8'), 'input'));
        client.toEnd();
        return client.consoleAt();
      },
      commands: [
        ['sim', 'FILE', '--json'],
        ['sim', 'FILE'],
        ['explore', 'FILE', '--json'],
        ['sim', 'FILE', '--until', 'frozen', '--dump', 'OUT'],
      ],
    },
    {
      name: 'suppressions',
      make(random) {
        const text =
          'schema: luo-inspect.suppress/1\nsuppress:\n  - { rule: memfd/seals-unknown, reason: known }\n  - { rule: luo/x, path: a/b, at: 0x10, reason: "y" }\n';
        return Buffer.from(changedText(text, random));
      },
      call(bytes) {
        return parseSuppressions(Buffer.from(bytes).toString('utf8'), 'input')
          .unused()
          .map((one) => JSON.stringify(one));
      },
      commands: [['diagnose', sampleCore, '--suppress', 'FILE', '--json']],
    },
    {
      name: 'log',
      make(random) {
        const text = readFileSync(random.pick(logs), 'utf8').split('\n');
        const from = random.below(text.length);
        return Buffer.from(damagedText(text.slice(from, from + 1 + random.below(300)).join('\n'), random));
      },
      async call(bytes, random) {
        const path = join(folder, 'log');
        writeFileSync(path, bytes);
        const small618 = cores.find((one) => /preserved-619/.test(one)) ?? sampleCore;
        return linesOf(printed(core(await bytesOf(small618)), base, random, { log: path }));
      },
      commands: [
        ['diagnose', sampleCore, '--log', 'FILE', '--json'],
        ['report', sampleCore, '--log', 'FILE'],
      ],
    },
    {
      name: 'mails',
      make: (random) => Buffer.from(random.below(2) === 0 ? mails(random) : changedText(mails(random), random)),
      call(bytes, random) {
        const result = gatePatches(patchesOf(Buffer.from(bytes).toString('utf8'), 'input'), { label: 'input', base: () => null });
        return random.below(2) === 0 ? gateText(result) : jsonLines(gateJson(result));
      },
      commands: [
        ['abi', 'gate', 'FILE', '--json'],
        ['abi', 'gate', 'FILE'],
      ],
    },
    {
      name: 'lock',
      make(random) {
        const lock = {
          schema: 'luo-inspect.abi-lock/1',
          headers: {
            'include/linux/kho/abi/luo.h': {
              structs: { luo_ser: { size: 24, fields: [{ name: 'a', bit: 0, bits: 64, type: 'u64' }] } },
              strings: { A: 'luo-v5' },
              numbers: { N: '0x4' },
              unmeasured: {},
            },
          },
        };
        return Buffer.from(changedText(JSON.stringify(lock, null, 1), random));
      },
      call: (bytes) => [...headersOfLock(Buffer.from(bytes).toString('utf8'), 'input').keys()],
      commands: [],
    },
    {
      name: 'iomem',
      make(random) {
        const text = Array.from(
          { length: 1 + random.below(12) },
          (_, index) =>
            `${(index << 20).toString(16).padStart(8, '0')}-${((index + 1) * (1 << 20) - 1).toString(16).padStart(8, '0')} : ${random.pick(['System RAM', 'Reserved', '  Kernel code'])}`,
        );
        return Buffer.from(random.below(2) === 0 ? text.join('\n') : changedText(text.join('\n'), random));
      },
      call: (bytes) => parseIomem(Buffer.from(bytes).toString('latin1'), 'input').map(({ start, end }) => `${start}-${end}`),
      commands: [],
    },
  ];
}

/** @param root of the repository @param folder for files that calls need */
export function kindsOf(root: string, folder: string): readonly Kind[] {
  const ground = groundOf(root, folder);
  return [
    ...dumpKinds(ground),
    ...viewKinds(ground),
    ...kernelKinds(ground),
    ...textKinds(ground),
    {
      name: 'decode',
      make: (random) => Uint8Array.from({ length: 4096 + random.below(4096) }, () => (random.below(3) === 0 ? random.below(256) : 0)),
      call: null,
      commands: structNames()
        .slice(0, 200)
        .map((struct) => ['decode', 'FILE', '--as', struct, '--json']),
    },
    {
      name: 'bomb',
      make(random) {
        const name = random.pick(Object.keys(bombs));
        return bomb(name, random, 0.02);
      },
      call: null,
      commands: DUMP_COMMANDS,
    },
  ];
}

/** UserError is how everything refuses. */
export const isRefusal = (error: unknown, { refusals = [] }: Kind): error is Error =>
  error instanceof UserError || refusals.some((kind) => error instanceof kind);
