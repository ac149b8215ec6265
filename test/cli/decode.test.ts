/** `decode` against what an independent decoder read in the same captures, and against bytes made by hand. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findStruct } from '../../abi/registry.js';
import { openDecodeSource } from '../../src/cli/decode-source.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import { decodedJson } from '../../src/report/abi-decode.js';
import { luoInspect } from './run.js';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

/** Every object under `key` anywhere in the independent decoder's result. */
function objectsUnder(key: string, value: unknown, found: Readonly<Record<string, unknown>>[] = []): readonly Readonly<Record<string, unknown>>[] {
  if (!isRecord(value)) return found;
  for (const [name, part] of Object.entries(value)) {
    if (name === key && isRecord(part)) found.push(part);
    objectsUnder(key, part, found);
  }
  return found;
}

const independent = (sample: string): unknown => JSON.parse(readFileSync(`samples/${sample}.decoded.json`, 'utf8'));

async function decodeAt(sample: string, name: string, compatible: string, at: number): Promise<unknown> {
  const found = findStruct(name, compatible)[0];
  if (found === undefined) throw new Error(`no struct ${name} in ${compatible}`);
  const source = await openDecodeSource(`samples/${sample}.sparse.elf.xz`);
  try {
    return decodedJson(found.struct, source.read(at, sizeOf(found.struct)));
  } finally {
    source.close();
  }
}

describe.each(['handover-7.3/s1-frozen', 'handover-7.1/s1-frozen', 'vfio-7.3/s1-frozen'])('memfds of %s', (sample) => {
  const memfds = objectsUnder('memfd', independent(sample)).map((memfd) => ({ at: Number(memfd.pa), memfd }));
  it('are there', () => {
    expect(memfds.length).toBeGreaterThan(0);
  });
  it.each(memfds)('at $at', async ({ at, memfd }) => {
    const { pos, size, nr_folios } = memfd;
    const folios = isRecord(memfd.folios) ? memfd.folios : {};
    expect(await decodeAt(sample, 'memfd_luo_ser', 'memfd-v2', at)).toEqual({
      struct: 'memfd_luo_ser',
      pos,
      size,
      seals: `0x${Number(memfd.seals).toString(16)}`,
      flags: `0x${Number(memfd.flags).toString(16)}`,
      nr_folios,
      folios: { first: folios.first, total_pages: folios.total_pages, flags: `0x${Number(folios.flags).toString(16)}`, order: folios.order },
    });
  });
});

describe('decode', () => {
  const frozen = 'samples/handover-7.3/s1-frozen.sparse.elf.xz';
  const json = (...args: string[]): unknown => JSON.parse(luoInspect(['decode', ...args, '--json']).stdout);

  it('reads an array at a physical address of a dump', () => {
    const [flb] = objectsUnder('flb', independent('handover-7.3/s1-frozen'));
    const entries = Array.isArray(flb?.entries) ? flb.entries : [];
    const at = Number(flb?.pa) + 16;
    expect(json(frozen, '--as', 'luo_flb_ser', '--at', String(at), '--count', String(entries.length))).toEqual(
      entries.map((entry: unknown) => ({ struct: 'luo_flb_ser', ...(isRecord(entry) ? entry : {}) })),
    );
  });

  it('reads a file from its own bytes, whatever it is', () => {
    expect(json('samples/handover-7.3/s1-preserved-kho/out/sub_fdts/LUO', '--as', 'luo_ser')).toMatchObject({
      compatible: 'luo-v5',
      liveupdate_num: 1,
      sessions_pa: '0x0',
    });
    expect(json('samples/handover-7.3/s2-boot-kho/in/fdt', '--as', 'fdt_header')).toMatchObject({ magic: '0xd00dfeed', version: 17, last_comp_version: 16 });
    expect(json('samples/kvm/44-fault-private-read.kvm_run', '--as', 'kvm_run')).toMatchObject({ exit_reason: 39, immediate_exit: false });
  });

  it('reads standard input', () => {
    const input = readFileSync('samples/handover-7.3/s1-preserved-kho/out/sub_fdts/kexec-metadata');
    const run = luoInspect(['decode', '-', '--as', 'kho_kexec_metadata', '--json'], { input });
    expect(JSON.parse(run.stdout)).toEqual({ struct: 'kho_kexec_metadata', version: 1, previous_release: '7.3.4', kexec_count: 1 });
  });

  it('takes the layout that the bytes name, and says so where they name none', () => {
    const input = new Uint8Array(48);
    input.set(new TextEncoder().encode('luo-v3'));
    expect(luoInspect(['decode', '-', '--as', 'luo_ser', '--json'], { input }).stderr).toBe('');
    const vfio = luoInspect(['decode', '-', '--as', 'vfio_pci_core_device_ser@vfio-pci-v1', '--json'], { input: Uint8Array.of(0, 0, 0, 0, 0x28, 0, 0, 0, 0) });
    expect(JSON.parse(vfio.stdout)).toEqual({ struct: 'vfio_pci_core_device_ser', domain: 0, bdf: '0x28' });
    expect(vfio.stderr).toContain('has 4 layouts; this is that of vfio-pci-v1');
    const older = luoInspect(['decode', '-', '--as', 'vfio_pci_core_device_ser@vfio-pci-v1-bdf', '--json'], { input: Uint8Array.of(0x28, 0, 1, 0) });
    expect([JSON.parse(older.stdout), older.stderr]).toEqual([{ struct: 'vfio_pci_core_device_ser', bdf: '0x28', domain: 1 }, '']);
  });

  it('decodes what is there of more than is there', () => {
    const run = luoInspect(['decode', '-', '--as', 'kho_scratch', '--count', '3', '--json'], { input: new Uint8Array(40) });
    expect(run.status).toBe(0);
    expect(JSON.parse(run.stdout)).toHaveLength(2);
    expect(run.stderr).toContain('2 of 3 decoded');
  });

  it('shows fields with offsets and meaning as text', () => {
    const run = luoInspect(['decode', '-', '--as', 'kho_vmalloc'], { input: Uint8Array.of(0, 0x10, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0) });
    expect(run.stdout.split('\n')).toEqual([
      'struct kho_vmalloc at offset 0x0, 16 bytes',
      '  0x0  first        0x1000  first chunk, 0 = empty area',
      '  0x8  total_pages  8       pages in the area',
      '  0xc  flags        0x3     KHO_VMALLOC_ALLOC|KHO_VMALLOC_HUGE_VMAP; how it was allocated',
      '  0xe  order        0       page order of every entry',
      '',
    ]);
  });

  it('escapes text for a terminal, and keeps it whole in JSON', () => {
    const input = new Uint8Array(64);
    input.set(Uint8Array.of(0x61, 0x1b, 0x5b, 0x32, 0x4a, 0xff));
    expect(luoInspect(['decode', '-', '--as', 'luo_file_ser'], { input }).stdout).toContain('"a\\x1b[2J\ufffd"');
    expect(JSON.parse(luoInspect(['decode', '-', '--as', 'luo_file_ser', '--json'], { input }).stdout)).toMatchObject({
      compatible: 'a\u001b[2J\ufffd',
      compatibleBytes: '611b5b324aff',
    });
  });

  it.each([
    [['/no/such/file', '--as', 'luo_ser'], /cannot open: no such file/],
    [
      [frozen, '--as', 'luo_ser', '--at', '0xfffffffff000'],
      /needs 32 bytes at physical address 0xfffffffff000, 0 can be read: the page of 0xfffffffff000 is outside the memory/,
    ],
    [['samples/kvm/00-hlt.kvm_run', '--as', 'luo_ser@luo-v5', '--at', '12270'], /needs 32 bytes at offset 0x2fee, 18 can be read: the file has 12288 bytes/],
    [['samples/kvm/00-hlt.kvm_run', '--as', 'kho-v4'], /"kho-v4" is a contract, not a structure/],
    [['samples/kvm/00-hlt.kvm_run', '--as', 'luo_ser', '--at', '-1'], /./],
    [['samples/kvm/00-hlt.kvm_run', '--as', 'luo_ser', '--count', '0'], /at least 1/],
    [['samples/kvm/00-hlt.kvm_run'], /--as/],
  ])('%j is refused in one line', (args, message) => {
    const run = luoInspect(['decode', ...args]);
    expect([run.status, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toMatch(message);
    expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
