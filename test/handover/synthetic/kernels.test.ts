/** Memory without a note about it: which kernel runs, and how large its pages are, is told by what kernels leave of themselves. */
import { describe, expect, it } from 'vitest';
import { Image, cText, cells, elfCore, fdtBytes, khoRoot, little, radixTree } from './image.js';
import { handOver, luoStruct, metadata } from './luo.js';
import { reportOf } from './read.js';

function vmcoreinfo(image: Image, release: string, pageSize = image.pageSize, preserve = false): void {
  image.put(image.alloc(0, preserve), `OSRELEASE=${release}\nBUILD-ID=0123456789abcdef\nPAGESIZE=${pageSize}\nSYMBOL(init_uts_ns)=ffffffff82a0d4c0\n`);
}

function banner(image: Image, release: string, preserve = false): void {
  image.put(image.alloc(0, preserve) + 1234, `Linux version ${release} (root@vm) (gcc (Debian 12.2.0) 12.2.0) #1 SMP\n\0`);
}

const kernelOf = async (image: Image): Promise<unknown> => (await reportOf(image.bytes)).at('kernel').json;

describe('the running kernel', () => {
  it('by its VMCOREINFO page', async () => {
    const image = new Image();
    vmcoreinfo(image, '7.2.13-lab+');
    banner(image, '7.2.13-lab+');
    handOver(image, [], { filled: false });
    const report = await reportOf(image.bytes);
    expect(report.at('kernel').json).toMatchObject({ release: '7.2.13-lab+', foundBy: 'vmcoreinfo-page' });
    expect(report.at('source').json).toMatchObject({ container: 'raw', arch: 'x86_64', pageSize: 4096 });
  });

  it('by its banner alone', async () => {
    const image = new Image();
    banner(image, '7.3.4');
    handOver(image, []);
    expect(await kernelOf(image)).toMatchObject({ release: '7.3.4', foundBy: 'banner' });
  });

  it('is not the one a preserved guest runs', async () => {
    const image = new Image();
    vmcoreinfo(image, '7.3.4');
    vmcoreinfo(image, '5.10.0', 4096, true);
    banner(image, '5.10.0', true);
    handOver(image, []);
    expect(await kernelOf(image)).toMatchObject({ release: '7.3.4', foundBy: 'vmcoreinfo-page' });
  });

  it('of two, is the one that did not hand over', async () => {
    const image = new Image();
    vmcoreinfo(image, '7.2.13');
    vmcoreinfo(image, '7.3.4');
    handOver(image, [metadata(image, '7.2.13', 1)]);
    expect(await kernelOf(image)).toMatchObject({ release: '7.3.4', foundBy: 'vmcoreinfo-page' });
  });

  it('of two, is the one that has only a banner yet', async () => {
    const image = new Image();
    vmcoreinfo(image, '7.2.13');
    banner(image, '7.2.13');
    banner(image, '7.3.4');
    handOver(image, [metadata(image, '7.2.13', 1)]);
    expect(await kernelOf(image)).toMatchObject({ release: '7.3.4', foundBy: 'banner' });
  });

  it('of two, is the one that is about to hand over', async () => {
    const image = new Image();
    vmcoreinfo(image, '7.3.4');
    banner(image, '7.4.0-rc1');
    handOver(image, [metadata(image, '7.3.4', 1)], { filled: false });
    expect(await kernelOf(image)).toMatchObject({ release: '7.3.4', foundBy: 'vmcoreinfo-page' });
  });

  it('tells the outgoing handover by who wrote it', async () => {
    const image = new Image();
    vmcoreinfo(image, '7.2.13');
    vmcoreinfo(image, '7.3.4');
    handOver(image, [luoStruct(image, []), metadata(image, '7.2.13', 1)]);
    const own = image.alloc();
    khoRoot(image, 'kho-v4', radixTree(image), [metadata(image, '7.3.4', 2)], own);
    const roles = (await reportOf(image.bytes)).at('handovers').list.map((handover) => handover.at('role').json);
    expect(roles).toEqual(['incoming', 'outgoing']);
  });

  it('is the one that wrote the outgoing handover, where nothing else is left of it', async () => {
    const image = new Image();
    handOver(image, [metadata(image, '7.3.4', 1)], { filled: false });
    expect(await kernelOf(image)).toMatchObject({ release: '7.3.4', foundBy: 'kexec-metadata' });
  });

  it('is null where several could be', async () => {
    const image = new Image();
    vmcoreinfo(image, '7.2.13');
    vmcoreinfo(image, '7.3.4');
    handOver(image, []);
    expect(await kernelOf(image)).toBeNull();
  });

  it('is null where nothing tells it', async () => {
    const image = new Image();
    image.put(image.alloc(0, false), 'OSRELEASE=%s\nBUILD-ID=%20phN\nPAGESIZE=%ld\n');
    image.put(image.alloc(0, false), 'Linux version %s (%s)\nLinux version 7');
    handOver(image, []);
    expect(await kernelOf(image)).toBeNull();
  });
});

describe('the size of pages', () => {
  it.each([16384, 65536])('%i bytes, by the VMCOREINFO page', async (pageSize) => {
    const image = new Image({ pageSize, size: 16 << 20 });
    vmcoreinfo(image, '7.3.4');
    image.preserve(2 ** 33, 3);
    handOver(image, [luoStruct(image, [{ name: 'vm', files: [] }])]);
    const report = await reportOf(elfCore(image, null, 183));
    expect(report.at('source', 'pageSize').json).toBe(pageSize);
    expect(report.at('handovers', 0).json).toMatchObject({ role: 'incoming', luo: { sessions: [{ name: 'vm' }] }, kho: { preserved: { byOrder: { 3: 1 } } } });
  });

  it.each([16384, 65536])('%i bytes, by /chosen', async (pageSize) => {
    const image = new Image({ pageSize, size: 16 << 20 });
    const fdt = image.alloc();
    const scratch = image.alloc(0, false);
    image.put(scratch, little(8, 0x80000, 0x40000));
    khoRoot(image, 'kho-v4', radixTree(image), [], fdt);
    const chosen = { 'linux,kho-fdt': cells(0, fdt, 0, pageSize), 'linux,kho-scratch': cells(0, scratch, 0, 16) };
    const properties = { compatible: cText('linux,dummy-virt'), '#address-cells': cells(2), '#size-cells': cells(2) };
    image.put(image.alloc(0, false), fdtBytes({ properties, children: [{ name: 'chosen', properties: chosen }] }));
    const report = await reportOf(image.bytes);
    expect(report.at('source').json).toMatchObject({ arch: 'aarch64', pageSize });
    expect(report.at('handovers', 0).json).toMatchObject({ role: 'incoming', kho: { preserved: { blocks: 1 } } });
  });
});
