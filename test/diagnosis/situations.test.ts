/**
 * A situation a rule, for rules that no capture and no single changed value makes fire: memory written at literal offsets
 * (test/handover/synthetic), objects of real kernels with bytes changed, logs.
 */
import { describe, expect, it } from 'vitest';
import { type LoadedDump, loadDump } from '../../src/cli/load-dump.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import type { Finding } from '../../src/diagnosis/finding.js';
import { parseConsoleLog } from '../../src/diagnosis/log/console-log.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { overlayMemory, type Patch } from '../../src/memory/overlay.js';
import { chunkChain, cText, fdtBytes, Image, khoRoot, little, radixTree, type Subtree, setupData, TOP } from '../handover/synthetic/image.js';
import { fires } from './fires.js';
import { blob, type FileSource, handOver, luoFdt, luoStruct, memfd, vmallocArea } from '../handover/synthetic/luo.js';

const AREA = [0x80000, 0x40000] as const;
const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

/** A page of text as a memfd; returns the file. */
function text(image: Image, token: bigint, contents: string): FileSource {
  const page = image.alloc();
  image.put(page, contents);
  return { token, compatible: 'memfd-v2', data: memfd(image, { size: contents.length, folios: [{ pfn: page / 4096, index: 0 }] }) };
}

const withSession = (image: Image, name: string, files: readonly FileSource[]): number => handOver(image, [luoStruct(image, [{ name, files }])]);

/** nanovmm's state of two vCPUs: magic, version, nr_vcpus, mem_size, struct_size. */
const nanovmm = join(little(8, 0x4e564d4d53544154n), little(4, 3, 2), little(8, 64 << 20), little(4, 64, 1), new Uint8Array(32));

/** A handover whose subtrees are these names, each a blob of its own. */
function subtrees(image: Image, names: readonly string[]): void {
  const made = names.map((name): Subtree => blob(image, name, fdtBytes({ properties: { compatible: cText('x') } }), true));
  handOver(image, made);
}

function chunks(image: Image, luo: Subtree | null): void {
  const fdt = image.alloc();
  khoRoot(image, 'kho-v1', chunkChain(image), luo === null ? [] : [luo], fdt);
  setupData(image, fdt, [AREA]);
}

const device = (image: Image, token: bigint): FileSource => {
  const page = image.alloc();
  image.put(page, join(little(4, 0), little(2, 0x3bf1), Uint8Array.of(1)));
  return { token, compatible: 'vfio-pci-v2', data: page };
};

const situations: readonly (readonly [rule: string, at: RegExp, make: (image: Image) => void])[] = [
  [
    'kho/fdt-full',
    /kho$/,
    (image) => {
      const fdt = image.alloc();
      const made: Subtree[] = [];
      const size = (): number => khoRoot(image, 'kho-v4', 0, made, fdt).length;
      do made.push(blob(image, `subtree-${made.length}`, fdtBytes({ properties: {} }), true));
      while (size() <= image.pageSize - 64);
      khoRoot(image, 'kho-v4', radixTree(image), made, fdt);
      setupData(image, fdt, [AREA]);
    },
  ],
  ['kho/subtree-duplicate', /kho/, (image) => subtrees(image, ['acme', 'acme'])],
  [
    'kho/map-key',
    /preserved/,
    (image) => {
      const fdt = image.alloc();
      let table = radixTree(image);
      const map = table;
      // Bit 54 of the key is above that of the smallest block, bit 52.
      for (const index of [8, 0, 0, 0, 0]) {
        const next = image.alloc(0, false);
        image.u64(table + index * 8, next);
        table = next;
      }
      image.u64(table, 1);
      khoRoot(image, 'kho-v4', map, [], fdt);
      setupData(image, fdt, [AREA]);
    },
  ],
  [
    'kho/order-overflow',
    /preserved/,
    (image) => {
      image.preserve(0, 19);
      chunks(image, null);
    },
  ],
  [
    'kho/map-page-preserved',
    /preserved/,
    (image) => {
      // The tree's root is the page behind the FDT's.
      const fdt = image.alloc();
      image.preserve(fdt + 4096, 0);
      khoRoot(image, 'kho-v4', radixTree(image), [], fdt);
      setupData(image, fdt, [AREA]);
    },
  ],
  [
    'luo/number-sequence',
    /outgoing\/luo/,
    (image) => {
      handOver(image, [luoStruct(image, [], { number: 1 })]);
      handOver(image, [luoStruct(image, [], { number: 5 })], { filled: false });
    },
  ],
  [
    'memfd/folio-inside-block',
    /files\/0x1/,
    (image) => {
      const block = image.alloc(1);
      const data = memfd(image, { size: 4096, folios: [{ pfn: block / 4096 + 1, index: 0 }] });
      withSession(image, 's', [{ token: 1n, compatible: 'memfd-v2', data }]);
    },
  ],
  [
    'memfd/folio-clean',
    /files\/0x1/,
    (image) => {
      const folio = image.alloc();
      const data = memfd(image, { size: 100, seals: null, folios: [{ pfn: folio / 4096, index: 0, flags: 1 }] });
      chunks(image, blob(image, 'LUO', luoFdt(image, [{ name: 's', files: [{ token: 1n, compatible: 'memfd-v1', data }] }]), false));
    },
  ],
  ['vfio/listed-twice', /files\/0x2/, (image) => withSession(image, 's', [device(image, 1n), device(image, 2n)])],
  [
    'pci/listed-twice',
    /flbs\/pci-v3/,
    (image) => {
      const data = image.alloc();
      const slot = join(little(4, 0), little(2, 0x3bf1, 1));
      image.put(data, join(little(4, 4, 2), slot, slot));
      handOver(image, [luoStruct(image, [{ name: 's', files: [] }], { flbs: [{ name: 'pci-v3', data, count: 1 }] })]);
    },
  ],
  [
    'hwpoison/preserved',
    /hwpoison/,
    (image) => {
      const folio = image.alloc();
      const file = { token: 1n, compatible: 'memfd-v2', data: memfd(image, { size: 4096, folios: [{ pfn: folio / 4096, index: 0 }] }) };
      const list = vmallocArea(image, little(8, folio / 4096));
      handOver(image, [luoStruct(image, [{ name: 'vm', files: [file] }]), blob(image, 'hwpoison', join(little(4, 1, 0), little(8, 1), list), true)]);
    },
  ],
  ['owner/mapping', /systemd\/files\/0x0/, (image) => withSession(image, 'systemd', [text(image, 0n, '[]')])],
  ['owner/format-0', /systemd\/files\/0x0/, (image) => withSession(image, 'systemd', [text(image, 0n, '{"a.service":[]}')])],
  [
    'owner/mapping-unread',
    /systemd\/files\/0x0/,
    (image) => {
      // Preserved, and behind the end of what the dump holds.
      image.preserve(image.bytes.length, 0);
      const data = memfd(image, { size: 10, folios: [{ pfn: image.bytes.length / 4096, index: 0 }] });
      withSession(image, 'systemd', [{ token: 0n, compatible: 'memfd-v2', data }]);
    },
  ],
  [
    'owner/vm-incomplete',
    /sessions\/guest/,
    (image) => {
      const page = image.alloc();
      image.put(page, nanovmm);
      const data = memfd(image, { size: 64, folios: [{ pfn: page / 4096, index: 0 }] });
      withSession(image, 'guest', [{ token: 0x2000n, compatible: 'memfd-v2', data }]);
    },
  ],
  [
    'memblock/overlap',
    /memblock/,
    (image) => {
      const start = image.alloc(2);
      const region = (name: string, at: number) => ({
        name,
        properties: { compatible: cText('reserve-mem-v1'), start: little(8, at), size: little(8, 0x2000) },
      });
      const bytes = fdtBytes({ properties: { compatible: cText('memblock-v1') }, children: [region('one', start), region('two', start + 0x1000)] });
      handOver(image, [blob(image, 'memblock', bytes, true)]);
    },
  ],
  ['scratch/overlap', /scratch/, (image) => handOver(image, [], { areas: [AREA, [0xa0000, 0x40000]] })],
  ['scratch/alignment', /scratch/, (image) => handOver(image, [], { areas: [AREA] })],
  [
    'scratch/node-size',
    /kho$/,
    (image) => {
      const fdt = image.alloc();
      khoRoot(image, 'kho-v4', radixTree(image), [], fdt);
      // struct kho_data: fdt_addr, fdt_size behind the 16 bytes of setup_data.
      image.u64(setupData(image, fdt, [AREA]) + 24, 0);
    },
  ],
  [
    'scratch/copies-differ',
    /scratch/,
    (image) => {
      const MiB = 1 << 20;
      const areas = [
        [2 * MiB, 2 * MiB],
        [6 * MiB, 2 * MiB],
        [10 * MiB, 2 * MiB],
      ] as const;
      for (const last of [2 * MiB, 4 * MiB]) {
        const copy = image.alloc(0, false);
        image.put(copy, little(8, ...areas.flat().with(5, last)));
      }
      handOver(image, [luoStruct(image, [])], { areas, filled: false });
    },
  ],
];

const findingsOf = (image: Image): readonly Finding[] =>
  diagnose(
    decodeHandovers({
      memory: bufferMemory([
        { start: 0, bytes: image.bytes },
        { start: TOP, bytes: new Uint8Array(image.pageSize) },
      ]),
      runningRelease: '7.3.4',
    }),
  );

describe('memory of a handover', () => {
  it('as every kernel writes it has none of them', () => {
    const image = new Image();
    withSession(image, 's', [text(image, 1n, 'hello')]);
    const rules = new Set(situations.map(([rule]) => rule).filter((rule) => rule !== 'scratch/alignment'));
    expect(findingsOf(image).filter(({ rule }) => rules.has(rule))).toEqual([]);
  });

  it.each(situations)('%s', (rule, at, make) => {
    const image = new Image();
    make(image);
    const found = findingsOf(image);
    const [hit] = found.filter((finding) => finding.rule === rule);
    fires(rule, ids(found));
    expect(hit?.path).toMatch(at);
  });
});

/** The fixture, with bytes changed by who has seen its objects. */
async function running(name: string, change?: (before: LoadedDump) => Patch): Promise<LoadedDump> {
  const path = `test/fixtures/objects/${name}.elf.xz`;
  const before = await loadDump(path, { log: false });
  if (change === undefined) return before;
  const patch = change(before);
  before.opened.close();
  return loadDump(path, { log: false }, (dump) => ({ ...dump, memory: overlayMemory(dump.memory, [patch]) }));
}

const ids = (found: readonly Finding[]): readonly string[] => found.map(({ rule }) => rule);
const told = ({ report }: LoadedDump, rule: string): readonly Finding[] => report.findings.filter((finding) => finding.rule === rule);

describe('objects of a running kernel', () => {
  it('live/damaged-objects: a session whose lists lead nowhere', async () => {
    const damaged = await running('objects-7.3-s2-partly', ({ objects }) => {
      const [session] = objects.live?.incoming.sessions ?? [];
      if (session === undefined || objects.kernel === null) throw new Error('no session');
      return { address: objects.kernel.virtual.translate(session.object.address), bytes: new Uint8Array(512).fill(0x5a) };
    });
    fires('live/damaged-objects', ids(damaged.report.findings));
    expect(told(await running('objects-7.3-s2-partly'), 'live/damaged-objects')).toEqual([]);
  });

  it('live/disagrees: a file that is serialised with other seals than its object has is not the one that comes back', async () => {
    const damaged = await running('next-kernel-s1-frozen', ({ objects }) => {
      const file = objects.decoded.handovers[0]?.luo?.sessions?.[0]?.files[0];
      if (file?.decoded?.kind !== 'memfd') throw new Error('no file');
      return { address: file.decoded.reading.field('seals').address ?? 0, bytes: Uint8Array.of((file.decoded.seals ?? 0) ^ 2) };
    });
    fires('live/disagrees', ids(damaged.report.findings));
    expect(told(damaged, 'live/disagrees').map(({ path, reaction }) => [path, reaction?.kind])).toEqual([
      ['outgoing/luo/sessions/vm-web/files/0x1', 'corrupts'],
    ]);
    expect(damaged.report.verdict.kind).toBe('corrupts');
    expect(told(await running('next-kernel-s1-frozen'), 'live/disagrees')).toEqual([]);
  });

  it('live/lost-file: a file whose object is gone while its serialised form stands', async () => {
    const { objects } = await running('objects-7.3-s2-partly');
    const { live } = objects;
    if (live === null) throw new Error('no objects');
    const image = new Image();
    withSession(image, 'vm-web', [text(image, 0x77n, 'gone')]);
    const dump = decodeHandovers({ memory: bufferMemory([{ start: 0, bytes: image.bytes }]), runningRelease: '7.3.4' });
    const lost = diagnose(dump, { log: null, objects: { ...objects, live: { ...live, openPages: new Set<number>() } } });
    fires('live/lost-file', ids(lost));
    expect(lost.filter(({ rule }) => rule === 'live/lost-file').map(({ path }) => path)).toEqual(['incoming/luo/sessions/vm-web/files/0x77']);
  });

  it.each([
    ['live/panicked', 'Kernel panic - not syncing: sysrq triggered crash'],
    ['live/oopsed', 'Oops: general protection fault, maybe for address 0x0: 0000 [#1] SMP PTI'],
  ])('%s: the log ends in it', async (rule, death) => {
    const { objects } = await running('objects-7.3-s2-partly');
    const log = parseConsoleLog('console.log', ['Linux version 7.3.4 (new) #1', death, 'CPU: 1 UID: 0 PID: 7 Comm: agent Not tainted'].join('\n'));
    const [finding, ...others] = diagnose(objects.decoded, { log, objects }).filter(({ rule: id }) => id === 'live/panicked' || id === 'live/oopsed');
    expect(others).toEqual([]);
    if (death.startsWith('Oops')) fires('live/oopsed', [finding?.rule ?? '']);
    else fires('live/panicked', [finding?.rule ?? '']);
    expect(finding).toMatchObject({ rule, message: `${death}; in agent[7] on CPU 1` });
  });
});
