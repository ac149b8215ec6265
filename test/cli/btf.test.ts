/** `--btf`, `--no-btf`, a file beside the dump and `--contract`, on dumps of a kernel that nobody described, through the command line. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cstring, nested, phys, struct, u32, u64 } from '../../abi/layout.js';
import { khoBlockHeaderSer } from '../../abi/kho/block.js';
import { khoVmalloc, khoVmallocChunk } from '../../abi/kho/vmalloc.js';
import { luoFileSetSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from '../../abi/luo/entries.js';
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { encodeStruct } from '../../src/codec/encode.js';
import { kernelImage } from '../compat/image.js';
import { structBtf } from '../compat/struct-btf.js';
import { elfCore, Image, khoRoot, radixTree, setupData } from '../handover/synthetic/image.js';
import { blockChain } from '../handover/synthetic/luo.js';
import { luoInspect } from './run.js';
import { scratch } from '../scratch.js';

const about = { meaning: '', source: 'this test' };
const ser = struct({ name: 'luo_ser', ...about, fields: { compatible: cstring(8, ''), liveupdate_num: u64(''), sessions_pa: phys(''), flbs_pa: phys('') } });
const file = struct({ name: 'luo_file_ser', ...about, fields: { compatible: cstring(48, ''), owner: u64(''), data: u64(''), token: u64('') } });
const memfd = struct({
  name: 'memfd_luo_ser',
  ...about,
  fields: { size: u64(''), mtime: u64(''), pos: u64(''), flags: u32(''), seals: u32(''), nr_folios: u64(''), folios: nested(khoVmalloc, '') },
});

const BUILD = '00112233445566778899aabbccddeeff00112233';

const folder = scratch();

/** One session with one empty memfd, as luo-v6 and memfd-v3. */
function dump(): Uint8Array {
  const image = new Image();
  const data = image.alloc();
  image.put(data, encodeStruct(memfd, { mtime: 99, pos: 5 }));
  const files = blockChain(image, [0], 72, (at) => image.put(at, encodeStruct(file, { compatible: 'memfd-v3', data, token: 7, owner: 41 })));
  const sessions = blockChain(image, [0], 80, (at) => image.put(at, encodeStruct(luoSessionSer, { name: 'vm', file_set_ser: { files, count: 1 } })));
  const root = image.alloc();
  image.put(root, encodeStruct(ser, { compatible: 'luo-v6', liveupdate_num: 1, sessions_pa: sessions }));
  const fdt = image.alloc();
  khoRoot(image, 'kho-v4', radixTree(image), [{ name: 'LUO', address: root, size: 32 }], fdt);
  setupData(image, fdt, [[0x80000, 0x40000]]);
  return elfCore(image, { OSRELEASE: '7.3.4', PAGESIZE: '4096', 'BUILD-ID': BUILD });
}

const btf = structBtf([
  ser,
  luoSessionSer,
  luoFileSetSer,
  file,
  luoFlbHeaderSer,
  luoFlbSer,
  khoBlockHeaderSer,
  memfd,
  memfdLuoFolioSer,
  khoVmalloc,
  khoVmallocChunk,
]);

const alone = join(folder, 'dump.elf');
const types = join(folder, 'types.btf');
writeFileSync(alone, dump());
writeFileSync(types, btf);

const report = (...words: readonly string[]) => {
  const run = luoInspect(['report', ...words, '--json']);
  expect(run.status, run.stderr).toBe(0);
  return JSON.parse(run.stdout);
};
const filesOf = (json: ReturnType<typeof report>) => json.handovers[0].luo.sessions?.[0].files;
const worse = (json: ReturnType<typeof report>): readonly string[] =>
  json.findings.filter(({ severity }: { severity: string }) => severity !== 'info').map(({ rule }: { rule: string }) => rule);

describe('a kernel nobody described', () => {
  // First: the contracts that later tests name stay in the worker.
  it('step goes by the types in the dump itself, and says whose kernel it runs', () => {
    const core = join(mkdtempSync(join(folder, 'own-')), 'own.elf');
    writeFileSync(core, execFileSync('xz', ['-dc', 'test/fixtures/objects/next-kernel-s1-frozen.elf.xz'], { maxBuffer: 1 << 28 }));
    const { status, stdout } = luoInspect(['step', core]);
    expect(stdout).toContain('which is not the kernel in the dump: no release known speaks luo-v6, memfd-v3');
    expect(stdout.slice(0, 200)).toContain('what the next kernel does was not run');
    expect(status).toBe(0);
  });

  it('is read by the BTF that --btf names: one warning, nothing foretold', () => {
    const json = report(alone, '--btf', types);
    expect(filesOf(json)).toMatchObject([
      { token: '0x7', compatible: 'memfd-v3', fields: { owner: 41 }, decoded: { layoutFrom: 'btf', pos: 5, mtime: 99, size: 0 } },
    ]);
    expect(worse(json)).toEqual(['abi/unknown-version']);
    expect(json.verdict).toMatchObject({ kind: 'unknown', foretoldBy: 'rules' });
    expect(luoInspect(['diagnose', alone, '--btf', types]).status).toBe(0);
    expect(luoInspect(['diagnose', alone, '--btf', types, '--next', '7.3']).status).toBe(1);
  });

  it('is read by a BTF beside the dump, unless --no-btf', () => {
    expect(filesOf(report(alone, '--no-btf'))).toBeUndefined();
    const beside = mkdtempSync(join(folder, 'beside-'));
    writeFileSync(join(beside, 'dump.elf'), dump());
    writeFileSync(join(beside, 'vmlinux.BTF'), btf);
    expect(filesOf(report(join(beside, 'dump.elf')))).toMatchObject([{ decoded: { layoutFrom: 'btf', mtime: 99 } }]);
    expect(filesOf(report(join(beside, 'dump.elf'), '--no-btf'))).toBeUndefined();
  });

  it('is read by a contract of one’s own: no warning, and still nothing foretold', () => {
    const own = join(folder, 'own.yaml');
    writeFileSync(
      own,
      `schema: luo-inspect.contract/1
contracts:
  - layer: luo
    compatible: luo-v6
    structs:
      luo_ser: { fields: { compatible: 'char[8]', liveupdate_num: u64, sessions_pa: phys, flbs_pa: phys } }
      luo_file_ser: { fields: { compatible: 'char[48]', owner: u64, data: u64, token: u64 } }
    areas:
      sessions: { header: kho_block_header_ser, entry: luo_session_ser, chained: true }
      files: { header: kho_block_header_ser, entry: luo_file_ser, chained: true }
      flbs: { header: luo_flb_header_ser, entry: luo_flb_ser }
  - layer: memfd
    compatible: memfd-v3
    structs:
      memfd_luo_ser: { fields: { size: u64, mtime: u64, pos: u64, flags: u32, seals: u32, nr_folios: u64, folios: kho_vmalloc } }
      memfd_luo_folio_ser: { fields: { pfn_flags: { bits: { pfn: 52, flags: 12 } }, index: u64 } }
`,
    );
    const json = report(alone, '--no-btf', '--contract', own);
    expect(filesOf(json)).toMatchObject([{ token: '0x7', fields: { owner: 41 }, decoded: { pos: 5, mtime: 99 } }]);
    expect(worse(json)).toEqual([]);
    expect(json.verdict.kind).toBe('unknown');
    expect(luoInspect(['abi', 'show', 'luo_file_ser@luo-v6', '--contract', own]).stdout).toContain('owner');
  });

  it.each([
    ['diff', alone, alone],
    ['ledger', alone],
    ['whatis', alone, '0x100000'],
    ['abi', 'diff', alone, '7.3'],
    ['step', alone, '--json'],
  ])('is read by --btf in %s %s', (...words) => {
    const run = luoInspect([...words, '--btf', types]);
    expect(run.status, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/memfd-v3|luo-v6|vm|kho_populate/);
  });

  it('abi check goes by the layouts of --btf', () => {
    const run = luoInspect(['abi', 'check', '--from', alone, '--to', '7.3', '--btf', types, '--json']);
    expect(run.status, run.stderr).toBe(1);
    expect(JSON.parse(run.stdout).layers).toContainEqual(expect.objectContaining({ layer: 'luo', outcome: 'panic' }));
  });

  it('refuses the BTF of another build, in one line', () => {
    const vmlinux = (name: string, buildId: string): string => {
      writeFileSync(join(folder, name), kernelImage({ strings: [], btf, buildId }));
      return join(folder, name);
    };
    expect(filesOf(report(alone, '--btf', vmlinux('same', BUILD)))).toMatchObject([{ decoded: { mtime: 99 } }]);
    const run = luoInspect(['report', alone, '--btf', vmlinux('other', BUILD.replaceAll('0', 'f'))]);
    expect(run.status).toBe(2);
    expect(run.stderr.trim().split('\n')).toHaveLength(1);
    expect(run.stderr).toMatch(/of another build \([0-9a-f]{40}\) than the kernel in .* \(00112233/);
  });

  it.each([
    ['--btf', 'nothing-there', /nothing-there: cannot be opened/],
    ['--btf', alone, /no BTF|not recognised/],
    ['--contract', 'nothing-there', /nothing-there: can't be read: no such file or folder; docs\/contracts\.md/],
  ])('%s %s is one line and status 2', (option, path, message) => {
    const run = luoInspect(['report', alone, option, path]);
    expect(run.status).toBe(2);
    expect(run.stderr.trim().split('\n')).toHaveLength(1);
    expect(run.stderr).toMatch(message);
  });
});
