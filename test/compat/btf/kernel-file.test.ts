import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARM64_IMAGE_MAGIC, arm64ImageHeader } from '../../../abi/boot/kernel-image.js';
import { encodeStruct } from '../../../src/codec/encode.js';
import { UserError } from '../../../src/codec/user-error.js';
import { fromBytes, openKernelFile } from '../../../src/compat/btf/kernel-file.js';
import { decompressPayload, type PayloadKind } from '../../../src/compress/payload.js';
import { extent } from '../../extent.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/btf/${name}`, import.meta.url));
const tiny = readFileSync(fixture('tiny-vmlinux'));

describe('openKernelFile', () => {
  it('reads an ELF vmlinux', async () => {
    const file = await openKernelFile(fixture('tiny-vmlinux'));
    expect(file.kind).toBe('vmlinux');
    expect(file.btf?.find('STRUCT', 'luo_ser')).not.toBeNull();
    expect(file.image?.data.map((range) => range.name)).toContain('.rodata');
    file.close();
  });

  it.each(['gz', 'xz', 'zst', 'lz4'])('finds the payload of a vmlinuz (%s)', async (kind) => {
    const file = await openKernelFile(fixture(`tiny-vmlinuz.${kind}`));
    expect(file.kind).toBe('vmlinuz');
    expect(file.evidence).toMatch(/payload at offset 0xbb8, with a \.BTF section/);
    const { image } = file;
    expect(image?.source.size).toBe(tiny.length);
    expect(Buffer.compare(Buffer.from(image?.source.read(0, tiny.length) ?? []), tiny)).toBe(0);
  });

  it('reads an arm64 Image, plain and compressed, which is no ELF file', async () => {
    const btf = tiny.subarray(tiny.indexOf(Buffer.of(0x9f, 0xeb, 1, 0)));
    const decoy = Buffer.concat([Buffer.of(0x9f, 0xeb, 1, 0, 24, 0, 0, 0), Buffer.alloc(16, 0xff)]);
    const image = Buffer.concat([encodeStruct(arm64ImageHeader, { magic: ARM64_IMAGE_MAGIC }), Buffer.from('\0kho-v4\0'), decoy, btf]);
    const zboot = Buffer.concat([Buffer.alloc(512, 0x90), gzipSync(image), Buffer.alloc(64)]);
    for (const [bytes, evidence] of [
      [image, 'an arm64 Image, with BTF'],
      [gzipSync(image), 'an arm64 Image, gzip-compressed, with BTF'],
      [zboot, 'a kernel image with a gzip payload at offset 0x200, with BTF'],
    ] as const) {
      const file = await fromBytes('Image', bytes);
      expect(file.evidence).toBe(evidence);
      expect(file.btf?.find('STRUCT', 'luo_ser')).not.toBeNull();
      expect(file.image?.data).toEqual([{ name: 'image', offset: 0, size: image.length }]);
    }
  });

  it('tells what is wrong with other files', async () => {
    await expect(openKernelFile(fixture('tiny-kernel.c'))).rejects.toThrow(/no BTF, no ELF vmlinux/);
    await expect(openKernelFile(fixture('none'))).rejects.toThrow(/cannot be opened: no such file/);
    await expect(openKernelFile(fixture(''))).rejects.toThrow(/is a folder/);
    const xz = readFileSync(fixture('7.3.4.BTF.xz'));
    await expect(fromBytes('cut.xz', xz.subarray(0, 5000))).rejects.toThrow(/cut\.xz: its xz stream is damaged or cut short/);
  });

  it('explains a damaged image, or reads it', async () => {
    const change = fc.record({ at: fc.nat({ max: tiny.length - 1 }), to: fc.integer({ min: 0, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 4 }), fc.nat({ max: tiny.length }), async (changes, length) => {
        const bytes = Uint8Array.from(tiny);
        // The headers at both ends of the file are what decides.
        for (const { at, to } of changes) bytes[at < 6000 ? at % 64 : bytes.length - 1 - (at % 800)] = to;
        try {
          const file = await fromBytes('k', bytes.subarray(0, length));
          file.btf?.verify();
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: extent(60, 200) },
    );
  });
});

const tools: readonly { readonly kind: PayloadKind; readonly tool: string; readonly args: readonly string[] }[] = [
  { kind: 'gzip', tool: 'gzip', args: ['-c'] },
  { kind: 'xz', tool: 'xz', args: ['--check=crc32', '--x86', '--lzma2=dict=4MiB', '-c'] },
  { kind: 'xz', tool: 'xz', args: ['-T2', '--block-size=300000', '-c'] },
  { kind: 'zstd', tool: 'zstd', args: ['-q', '-19', '-c'] },
  { kind: 'lz4', tool: 'lz4', args: ['-l', '-9', '-q', '-c'] },
];

describe('decompressPayload', () => {
  for (const { kind, tool, args } of tools) {
    let compressed: Uint8Array;
    const folder = mkdtempSync(join(tmpdir(), 'payload-'));
    try {
      // Code, text and a run, in more than one of lz4's blocks: what the filters and the matches are for.
      const contents = Buffer.concat([readFileSync(process.execPath).subarray(0, 9 << 20), Buffer.alloc(100_000, 7), tiny]);
      writeFileSync(join(folder, 'in'), contents);
      compressed = execFileSync(tool, [...args, join(folder, 'in')], { maxBuffer: 1 << 28 });
      it(`undoes ${tool} ${args.join(' ')} (the tool is here), whatever follows`, async () => {
        const followed = Buffer.concat([compressed, Buffer.of(0x10, 0x20, 0x30, 0x00), Buffer.alloc(1000, 0xaa)]);
        expect(Buffer.compare(Buffer.from(await decompressPayload(kind, followed, 1 << 28)), contents)).toBe(0);
      });
    } catch {
      console.log(`${tool} is not here: its output is compared through the fixtures alone`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
});
