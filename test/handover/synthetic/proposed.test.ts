/** What is queued and proposed after 7.3, written at literal offsets: PCI version 2, OrphanVM in both generations, hwpoison, IOMMU branches, feature words, composite strings. */
import { describe, expect, it } from 'vitest';
import { decodeHandovers } from '../../../src/handover/decode.js';
import { compareDumps } from '../../../src/handover/compare/compare.js';
import { bufferMemory } from '../../../src/memory/buffer-memory.js';
import { ledgerOf } from '../../../src/report/ledger-model.js';
import { Image, little } from './image.js';
import { type FileSource, type FlbSource, blob, blockChain, handOver, luoStruct, memfd, vmallocArea } from './luo.js';
import { type Found, read } from './read.js';
import { fires } from '../../diagnosis/fires.js';

const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

function page(image: Image, ...parts: readonly Uint8Array[]): number {
  const bytes = join(...parts);
  const at = image.alloc(Math.max(0, Math.ceil(Math.log2(bytes.length / image.pageSize))));
  image.put(at, bytes);
  return at;
}

interface Source {
  readonly files?: (image: Image) => readonly FileSource[];
  readonly flbs?: (image: Image) => readonly FlbSource[];
}

async function decode({ files, flbs }: Source): Promise<Found> {
  const image = new Image();
  const list = files?.(image) ?? [];
  const options = flbs === undefined ? {} : { flbs: flbs(image) };
  handOver(image, [luoStruct(image, [{ name: 's', files: list }], options)]);
  return read(image);
}

const rules = (report: Found): readonly string[] => report.at('findings').list.map((finding) => finding.at('rule').text);
const files = (report: Found, index: number): Found => report.at('handovers', 0, 'luo', 'sessions', 0, 'files', index, 'decoded');

describe('the PCI core, version 2', () => {
  const flb =
    (version: number, used: number, ...entries: readonly (readonly [number, number])[]) =>
    (image: Image): readonly FlbSource[] => {
      const first = blockChain(image, entries, 8, (at, [bdf, refcount]) => image.put(at, join(little(4, 0), little(2, bdf, refcount))));
      return [{ name: 'pci', data: page(image, little(4, version, used), little(8, first)), count: 1 }];
    };
  const vfio =
    (...bdfs: readonly number[]) =>
    (image: Image): readonly FileSource[] =>
      bdfs.map((bdf, index) => ({ token: BigInt(index + 1), compatible: 'vfio-pci-v1', data: page(image, little(4, 0), little(2, bdf)) }));

  it('a root port with two devices below it adds up', async () => {
    const report = await decode({ files: vfio(0x100, 0x108), flbs: flb(2, 3, [0x8, 2], [0x100, 1], [0x108, 1]) });
    expect(report.at('handovers', 0, 'luo', 'flbs', 0, 'decoded').json).toMatchObject({
      struct: 'pci_ser',
      devices: [{ bdf: '0x8', refcount: 2 }, { refcount: 1 }, { refcount: 1 }],
    });
    expect(rules(report).filter((rule) => rule.startsWith('pci/'))).toEqual([]);
  });

  it('a bridge that counts more than there is, and a device that is not listed, do not', async () => {
    const report = await decode({ files: vfio(0x100, 0x108), flbs: flb(2, 2, [0x8, 3], [0x100, 1]) });
    fires('pci/sums', rules(report));
    expect(rules(report).filter((rule) => rule === 'pci/sums')).toHaveLength(2);
  });

  it('FINISH refuses before the device is retrieved with the whole series, not with patch 07/24 alone', async () => {
    expect(rules(await decode({ files: vfio(0x100), flbs: flb(2, 1, [0x100, 1]) }))).toContain('vfio/unfinished');
    const alone = rules(await decode({ files: vfio(0x100) }));
    expect(alone).toContain('vfio/no-pci-list');
    expect(alone).not.toContain('vfio/unfinished');
  });

  it.each([1, 3])('version %i is told apart', async (version) => {
    const report = await decode({ files: vfio(0x100), flbs: flb(version, 1, [0x100, 1]) });
    fires('pci/version', rules(report));
    expect(report.at('findings').list.find((finding) => finding.at('rule').text === 'pci/version')?.json).toMatchObject({
      severity: expect.stringMatching(/error|warning/),
      message: expect.stringContaining(`version is ${version},`),
    });
  });
});

describe('OrphanVM', () => {
  const VM = 0x1000n;
  const vm = (image: Image): FileSource => ({ token: VM, compatible: 'kvm_vm_luo_v1', data: page(image, little(8, 0)) });
  const cpu = (image: Image, number: number): FileSource => ({
    token: BigInt(0x100000 + number),
    compatible: 'cpu_fh_v1',
    data: page(image, little(4, number, 1), little(8, 0, 0)),
  });
  const registers = (image: Image): number => page(image, little(8, 0xdeadbeefn, 0x1234n, 0x5678n, 0n), new Uint8Array(6272 - 32));
  const block = (image: Image, state: number, pcpu: number, vcpu: number, telemetry: number | null): number =>
    page(image, little(4, state, pcpu, vcpu, 0), telemetry === null ? new Uint8Array() : little(8, telemetry));

  const vcpu = (image: Image, generation: 'A' | 'B', id: number, cb: number, token = VM): FileSource => {
    const arch = registers(image);
    const pointers = generation === 'A' ? little(8, arch, cb) : little(8, cb, arch);
    return {
      token: BigInt(0x10000 + id),
      compatible: 'kvm_vcpu_luo_v1',
      data: page(image, little(4, id, generation === 'A' ? 1 : 0), little(8, token), pointers),
    };
  };

  it.each(['A', 'B'] as const)('generation %s is told by what its pointers lead to', async (generation) => {
    const report = await decode({
      files: (image) => {
        const telemetry = generation === 'A' ? page(image, little(8, 10, 9, 1, 48, 0xfff0, 12, 0xfff8)) : null;
        return [vm(image), cpu(image, 3), vcpu(image, generation, 0, block(image, 0, 3, 0, telemetry))];
      },
    });
    const decoded = files(report, 2).json;
    expect(decoded).toMatchObject({ struct: 'kvm_vcpu_ser', vcpu_id: 0, vm_token: '0x1000' });
    expect(Object.keys(decoded as object)).toEqual(
      generation === 'A' ? ['struct', 'vcpu_id', 'flags', 'vm_token', 'arch_state', 'cb'] : ['struct', 'vcpu_id', 'reserved', 'vm_token', 'cb', 'arch_state'],
    );
    expect(rules(report).filter((rule) => rule.startsWith('kvm/') || rule === 'kho/unclaimed')).toEqual([]);
    expect(report.at('handovers', 0, 'luo', 'sessions', 0, 'owner').json).toMatchObject({ kind: 'vm', name: 's', by: 'its VM, token 0x1000' });
    expect(report.at('handovers', 0, 'luo', 'sessions', 0, 'files', 2, 'owner').json).toMatchObject({ detail: 'of VM 0x1000' });
  });

  it.each(['RFCv1', 'later'] as const)('a CPU’s file of %s is told by the address space of its session', async (form) => {
    const report = await decode({
      files: (image) => {
        const table = page(image, new Uint8Array(16));
        const space = form === 'RFCv1' ? page(image, little(4, 2, 0), little(8, table, table), new Uint8Array(8184)) : page(image, little(8, table, 2, table));
        const session = page(image, new Uint8Array(64), little(8, 0, space), little(4, 1, 0), little(8, 8));
        return [{ token: 1n, compatible: 'cpu_fh_v1', data: page(image, little(4, 3, 0), little(8, table, session)) }];
      },
    });
    expect(Object.keys(files(report, 0).json as object)).toEqual(
      form === 'RFCv1' ? ['struct', 'cpu', 'reserved', 'stack', 'oncore'] : ['struct', 'cpu', 'state', 'stack', 'session'],
    );
  });

  it.each([
    [0, 3, []],
    [1, 4, []],
    [3, 1, ['the state of its caretaker was STOPPED, and is RUNNING, which no step leads to']],
    [2, 0, ['the state of its caretaker was STOPPING, and is PAUSED, which no step leads to']],
  ])('a caretaker in state %i in one dump, %i in the next', (before, after, expected) => {
    const decoded = (state: number) => {
      const image = new Image();
      handOver(image, [luoStruct(image, [{ name: 's', files: [vm(image), vcpu(image, 'B', 0, block(image, state, 3, 0, null))] }])]);
      return decodeHandovers({ memory: bufferMemory([{ start: 0, bytes: image.bytes }]), runningRelease: '7.3.4' });
    };
    const comparison = compareDumps(decoded(before), decoded(after), null);
    expect(comparison?.differences.flatMap(({ text }) => (text.includes('caretaker') ? [text] : []))).toEqual(expected);
  });

  it.each([
    ['a token that is no file', 0x77n],
    ['a token that is no VM', 0x100003n],
  ])('%s', async (_, token) => {
    const report = await decode({ files: (image) => [vm(image), cpu(image, 3), vcpu(image, 'B', 0, block(image, 0, 3, 0, null), token)] });
    fires('kvm/vm-token', rules(report));
  });

  it.each([
    ['a CPU nobody hands over', [[1, 9, 0]], ['kvm/caretaker', 'kvm/registers-stale']],
    ['running on no CPU', [[1, 0xffffffff, 0]], ['kvm/caretaker', 'kvm/registers-stale']],
    [
      'two on one CPU',
      [
        [1, 3, 0],
        [1, 3, 1],
      ],
      ['kvm/caretaker', 'kvm/registers-stale', 'kvm/registers-stale'],
    ],
    ['stopping: registers are old', [[2, 3, 0]], ['kvm/registers-stale']],
    ['failed', [[4, 3, 0]], ['kvm/caretaker-failed']],
    ['stopped', [[3, 3, 0]], []],
  ] as const)('%s', async (_, blocks, expected) => {
    const report = await decode({
      files: (image) => [vm(image), cpu(image, 3), ...blocks.map(([state, pcpu, id]) => vcpu(image, 'B', id, block(image, state, pcpu, id, null)))],
    });
    expect(
      rules(report)
        .filter((rule) => rule.startsWith('kvm/'))
        .sort(),
    ).toEqual([...expected].sort());
    const [first] = blocks;
    if (first[0] === 1) fires('kvm/caretaker', rules(report));
    if (first[0] === 2) fires('kvm/registers-stale', rules(report));
    if (first[0] === 4) fires('kvm/caretaker-failed', rules(report));
  });

  it('both forms of cpu_flb_v1, a VM with its table pages', async () => {
    for (const generation of ['A', 'B'] as const) {
      const report = await decode({
        files: (image) => [{ token: VM, compatible: 'kvm_vm_luo_v1', data: page(image, little(8, 0, page(image, little(8, 1, image.alloc())))) }],
        flbs: (image) => {
          const code = image.alloc();
          const head = join(little(4, 1, 0), little(8, code, 4096, image.alloc(), 4096));
          const rest = generation === 'A' ? little(8, image.alloc(), 0, 0b1000) : little(8, 0b1000);
          return [{ name: 'cpu_flb_v1', data: page(image, head, rest), count: 1 }];
        },
      });
      const decoded = report.at('handovers', 0, 'luo', 'flbs', 0, 'decoded').json;
      expect('pcpus_runtime' in (decoded as object)).toBe(generation === 'A');
      expect(files(report, 0).json).toMatchObject({ struct: 'kvm_luo_ser', kho_folios: expect.stringMatching(/^0x/) });
    }
  });
});

it('a guest_memfd: its folios are its own, and its VM is named by token', async () => {
  const report = await decode({
    files: (image) => {
      const folios = [image.alloc(), image.alloc()];
      const area = vmallocArea(image, little(8, ...folios.flatMap((at, index) => [BigInt(at / 4096) | (1n << 52n), BigInt(index)])));
      return [
        { token: 1n, compatible: 'kvm_vm_luo_v1', data: page(image, little(8, 0)) },
        { token: 2n, compatible: 'guest_memfd_luo_v1', data: page(image, little(8, 8192, 0, 2, 1), area) },
        { token: 3n, compatible: 'guest_memfd_luo_v1', data: page(image, little(8, 0, 0, 0, 2), new Uint8Array(16)) },
      ];
    },
  });
  expect(files(report, 1).json).toMatchObject({ struct: 'guest_memfd_luo_ser', size: 8192, nr_folios: 2, vm_token: '0x1' });
  expect(report.printed.find((line) => line.includes('guest_memfd_luo_v1'))).toMatch(/size 8192, .*vm_token 0x1, folios \{"first":"0x[0-9a-f]+",/);
  fires('kvm/vm-token', rules(report));
  const links = report.at('findings').list.filter((finding) => finding.at('rule').text === 'kvm/vm-token');
  expect(links.map((finding) => finding.at('message').text)).toEqual([
    expect.stringContaining('guest_memfd_luo_v1 0x3 is 0x2, which is "guest_memfd_luo_v1" and no VM'),
  ]);
});

it('the ledger books the folios of a guest_memfd on it, and the tables of an IOMMU on its FLB', () => {
  const image = new Image({ size: 16 << 20 });
  const folios = [image.alloc(), image.alloc(9)];
  const area = vmallocArea(image, little(8, ...folios.flatMap((at, index) => [BigInt(at / 4096) | (1n << 52n), BigInt(index)])));
  const data = page(image, little(8, 513 * 4096, 0, 2, 1), area);
  const table = image.alloc();
  const domains = page(image, little(8, 0, 1), little(4, 1, 0), little(8, table, 3), little(4, 48, 0), little(8, 0));
  const flb = page(image, little(8, 1, 0, domains, 0));
  const file = { token: 2n, compatible: 'guest_memfd_luo_v1', data };
  handOver(image, [luoStruct(image, [{ name: 's', files: [file] }], { flbs: [{ name: 'iommu-liveupdate', data: flb, count: 1 }] })]);
  const { ledger } = ledgerOf('', decodeHandovers({ memory: bufferMemory([{ start: 0, bytes: image.bytes }]), runningRelease: '7.3.4' }));
  const pages = Object.fromEntries((ledger?.entries ?? []).map(({ owner, pages: count }) => [owner.name, count]));
  // One page and 512, the list and its chunk, and the structure; FLB, domains and table.
  expect(pages).toMatchObject({ 's/0x2': 513 + 2 + 1, 'iommu-liveupdate': 3 });
  expect(pages).not.toHaveProperty('nobody');
});

describe('broken memory', () => {
  const poisoned = async (pick: (folio: number) => readonly number[], version = 1, count?: number): Promise<Found> => {
    const image = new Image();
    const folio = image.alloc();
    const list = pick(folio);
    const file = { token: 1n, compatible: 'memfd-v2', data: memfd(image, { size: 4096, folios: [{ pfn: folio / 4096, index: 0 }] }) };
    const luo = luoStruct(image, [{ name: 'vm', files: [file] }]);
    const area = vmallocArea(image, little(8, ...list, 0));
    const subtree = blob(image, 'hwpoison', join(little(4, version, 0), little(8, count ?? list.length), area), true);
    handOver(image, [luo, subtree]);
    return read(image);
  };
  const found = (report: Found): readonly Found[] => report.at('findings').list.filter((finding) => finding.at('rule').text.startsWith('hwpoison/'));

  it('a preserved page is found at the list and at its owner', async () => {
    const report = await poisoned((folio) => [3, folio / 4096]);
    expect(found(report).map((finding) => finding.at('path').text)).toEqual(
      expect.arrayContaining(['incoming/hwpoison', 'incoming/luo/sessions/vm/files/0x1']),
    );
    expect(found(report)).toHaveLength(2);
  });

  it('pages that nobody preserves are no finding; a scratch area and a torn list are', async () => {
    expect(found(await poisoned(() => [3, 5]))).toEqual([]);
    expect(found(await poisoned(() => [0x80]))).toHaveLength(1);
    fires('hwpoison/list', rules(await poisoned(() => [3], 2)));
    expect(found(await poisoned(() => [3], 1, 5000)).map((finding) => finding.at('rule').text)).toEqual(['hwpoison/list']);
  });
});

it('the IOMMU of the branches: its arrays are walked, and their pages are its own', async () => {
  const report = await decode({
    flbs: (image) => {
      const table = image.alloc();
      const domains = page(image, little(8, 0, 1), little(4, 1, 0), little(8, table, 3), little(4, 48), new Uint8Array(4), little(8, 0));
      const units = page(image, little(8, 0, 1), little(4, 1, 0), little(8, 7, 1), new Uint8Array(88));
      const devices = page(
        image,
        little(8, 0, 1),
        little(4, 1, 0),
        little(4, 0x100, 0),
        little(8, 5),
        little(8, 1, domains + 16, units + 16),
        new Uint8Array(24),
      );
      return [{ name: 'iommu-liveupdate', data: page(image, little(8, 1, units, domains, devices)), count: 1 }];
    },
  });
  expect(report.at('handovers', 0, 'luo', 'flbs', 0, 'decoded').json).toMatchObject({ struct: 'iommu_flb_ser', version: 1 });
  expect(
    report
      .at('findings')
      .list.filter((finding) => finding.at('severity').text === 'error')
      .map((finding) => finding.json),
  ).toEqual([]);
});

describe('other ways to say a version', () => {
  it('a LUO root of feature words is read, and every release refuses it', async () => {
    const image = new Image();
    const { address } = luoStruct(image, [{ name: 'vm', files: [] }], { compatible: null, number: 4 });
    const root = page(image, little(8, 7, 7, 7, ...new Array<number>(13).fill(0)), image.bytes.slice(Number(address), Number(address) + 24));
    handOver(image, [{ name: 'LUO', address: root, size: 152 }]);
    const report = await read(image);
    expect(report.at('handovers', 0, 'luo').json).toMatchObject({ compatible: 'luo-features', liveupdateNumber: 4, sessions: [{ name: 'vm' }] });
    expect(report.at('findings').list.some((finding) => finding.at('message').text.includes('feature words'))).toBe(true);
  });

  it('a memfd of feature words, and one with a composite string, are read', async () => {
    const image = new Image();
    const folio = image.alloc();
    const area = vmallocArea(image, little(8, BigInt(folio / 4096) | (3n << 52n), 0));
    const features = page(image, little(8, 3, 3, 3, ...new Array<number>(13).fill(0)), little(8, 0, 4096), little(4, 0, 0), little(8, 1), area);
    const other = image.alloc();
    const composite = memfd(image, { size: 4096, folios: [{ pfn: other / 4096, index: 0 }] });
    handOver(image, [
      luoStruct(image, [
        {
          name: 's',
          files: [
            { token: 1n, compatible: 'memfd', data: features },
            { token: 2n, compatible: 'memfd-v2;vmalloc-v1', data: composite },
          ],
        },
      ]),
    ]);
    const report = await read(image);
    for (const [index, pfn] of [folio, other].entries())
      expect(files(report, index).json).toMatchObject({
        struct: 'memfd_luo_ser',
        size: 4096,
        folios: { count: 1, runs: [{ pfn: `0x${(pfn / 4096).toString(16)}`, pages: 1 }] },
      });
    // A kernel compares the whole string: to 7.3 the composite one is unknown.
    const refused = report.at('findings').list.filter((finding) => finding.at('message').text.includes('memfd-v2;vmalloc-v1'));
    expect(refused.map((finding) => finding.at('reaction', 'kind').text)).toEqual(['open-fails']);
  });
});
