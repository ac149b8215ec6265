/** Contracts that a user describes: the form, its schema, and dumps read by them. */
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { addContracts, contractsOf, findStruct } from '../../abi/registry.js';
import { layoutTable, sizeOf } from '../../src/codec/layout-table.js';
import { parseContractFile } from '../../src/contract-file/contract-file.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { openBtf } from '../../src/compat/btf/btf.js';
import { contractsOfBtf } from '../../src/compat/btf-contracts.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { Image } from '../handover/synthetic/image.js';
import { handOver, luoStruct } from '../handover/synthetic/luo.js';
import { array, nested, phys, struct as layout, u16, u32, u64 } from '../../abi/layout.js';
import { about, FILES, write as writeForeign } from '../compat/foreign-kernel.js';

const SAMPLE = 'samples/contracts/next-kernel.yaml';
const head = 'schema: luo-inspect.contract/1\ncontracts:\n';
const one = (body: string): string => `${head}  - { layer: handler, compatible: mine-v1, ${body} }\n`;
const struct = (fields: string): string => one(`structs: { a: { fields: { ${fields} } } }`);
const validate = new Ajv.default({ strict: false }).compile(JSON.parse(readFileSync('samples/contract.schema.json', 'utf8')));

let remove: () => void = () => {};
afterEach(() => {
  remove();
  remove = () => {};
});

describe('a contract file', () => {
  it('describes what the sample does', () => {
    const [luo, memfd] = parseContractFile(readFileSync(SAMPLE, 'utf8'), SAMPLE);
    expect(luo?.areas?.map(({ name, entry, maxPieces }) => [name, sizeOf(entry), maxPieces > 1])).toEqual([
      ['sessions', 80, true],
      ['files', 72, true],
      ['flbs', 64, false],
    ]);
    const [ser, folio] = memfd?.structs ?? [];
    expect(ser !== undefined && layoutTable(ser).fields.map(({ name, offset }) => [name, offset])).toEqual([
      ['size', 0],
      ['mtime', 8],
      ['pos', 16],
      ['flags', 24],
      ['seals', 28],
      ['nr_folios', 32],
      ['folios', 40],
    ]);
    expect(folio !== undefined && sizeOf(folio)).toBe(16);
    expect(validate(parse(readFileSync(SAMPLE, 'utf8'), { stringKeys: true })), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each([
    ['u64', 8],
    ['u8', 1],
    ['s32', 4],
    ['phys', 8],
    ['"char[48]"', 48],
    ['"bytes[3]"', 3],
    ['"u32[5]"', 20],
    ['kho_vmalloc', 16],
    ['"kho_vmalloc[2]"', 32],
    ['"u64[page]"', 4096],
    ['{ bits: { a: 3, b: { width: 5, flags: { 0: ON } } }, size: 1 }', 1],
  ])('a field %s has %i bytes', (type, bytes) => {
    const [contract] = parseContractFile(struct(`x: ${type}`), 'x.yaml');
    expect(contract?.structs.map((made) => sizeOf(made))).toEqual([bytes]);
    expect(validate(parse(struct(`x: ${type}`), { stringKeys: true })), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each([
    ['', /x\.yaml:1:1: the file is empty; a contract file/],
    ['schema: 7\n', /x\.yaml:1:9: /],
    [`${head}  - { layer: luo }\n`, /x\.yaml:3:5: .*a contract needs the key "compatible"/],
    [`${head}  - { layer: lua, compatible: a }\n`, /x\.yaml:3:14: .*luo/],
    [one('sinse: 7.3'), /x\.yaml:3:44: .*unknown key "sinse" in a contract; did you mean since\?/],
    [one('since: "9.9"'), /x\.yaml:3:51: .*9\.9 is no release known/],
    [struct('x: u63'), /x\.yaml:3:73: .*"u63" is no type/],
    [struct('x: char'), /char needs its length/],
    [struct('"a\\\\b": u8'), /is no name of C/],
    [struct('x: "u8[0]"'), /0 elements/],
    [struct('x: { bits: { a: 60 } }'), /60 is out of range/],
    [struct('x: { bits: { a: 20, b: 20 }, size: 4 }'), /need 40 bits, and 4 bytes have 32/],
    [struct('x: { type: u8, bits: { a: 1 } }'), /either `type` or `bits`/],
    [struct('x: a'), /struct a contains itself/],
    [
      one(`structs: { ${Array.from({ length: 100 }, (_, at) => `s${at}: { fields: { x: ${at === 99 ? 'u8' : `s${at + 1}`} } }`).join(', ')} }`),
      /struct s64 is more than 64 structures deep/,
    ],
    [one('areas: { files: { entry: nothing } }'), /"nothing" is no type/],
    [one('areas: { files: { entry: luo_file_ser, chained: true } }'), /name one with `next` and `count`/],
  ])('is refused with line and column: %j', (source, message) => {
    expect(() => parseContractFile(source, 'x.yaml')).toThrow(message);
  });

  it('is known to everything that looks a string up, until it is taken away', () => {
    remove = addContracts(parseContractFile(readFileSync(SAMPLE, 'utf8'), SAMPLE));
    expect(contractsOf('luo-v6').map(({ status }) => status)).toEqual(['own']);
    expect(findStruct('luo_file_ser', 'luo-v6').map(({ struct: found }) => sizeOf(found))).toEqual([72]);
    remove();
    remove = () => {};
    expect(contractsOf('luo-v6')).toEqual([]);
  });
});

describe('a handler of one’s own', () => {
  const write = () => {
    const image = new Image();
    const data = image.alloc();
    image.u64(data, 0x1234);
    const root = luoStruct(image, [{ name: 's', files: [{ token: 1n, compatible: 'mine-v1', data }] }], { flbs: [] });
    handOver(image, [root]);
    return bufferMemory([{ start: 0, bytes: image.bytes }]);
  };
  const rulesOf = (memory: ReturnType<typeof write>) => diagnose(decodeHandovers({ memory }), { log: null }).map(({ rule }) => rule);

  it('is unknown without its contract', () => {
    expect(rulesOf(write())).toContain('file/handler-unknown');
  });

  it('is no finding with one, and its structure is decoded', () => {
    remove = addContracts(parseContractFile(struct('x: u64'), 'x.yaml'));
    const memory = write();
    expect(rulesOf(memory)).not.toContain('file/handler-unknown');
    const decoded = decodeHandovers({ memory }).handovers[0]?.luo?.sessions?.[0]?.files[0]?.decoded;
    expect(decoded?.kind === 'struct' && decoded.reading.integer('x')).toBe(0x1234n);
  });

  it('needs no structure', () => {
    remove = addContracts(parseContractFile(one('notes: []'), 'x.yaml'));
    expect(rulesOf(write())).not.toContain('file/handler-unknown');
  });
});

describe('a version of KHO', () => {
  const hdr = layout({ name: 'kho_vmalloc_hdr', ...about, fields: { magic: u64(''), next: phys('') } });
  const { image, pages } = writeForeign({
    khoString: 'kho-v9',
    chunk: layout({ name: 'kho_vmalloc_chunk', ...about, fields: { hdr: nested(hdr, ''), phys: array(phys(''), 510, '') } }),
    vmalloc: layout({ name: 'kho_vmalloc', ...about, fields: { owner: u64(''), order: u16(''), flags: u16(''), total_pages: u32(''), first: phys('') } }),
  });
  const memory = bufferMemory([{ start: 0, bytes: image.bytes }]);
  const others = `  - { layer: luo, compatible: luo-v6, structs: { luo_ser: { fields: { compatible: 'char[8]', liveupdate_num: u64, sessions_pa: phys, flbs_pa: phys } } },
      areas: { sessions: { header: kho_block_header_ser, entry: luo_session_ser, chained: true }, files: { header: kho_block_header_ser, entry: luo_file_ser, chained: true },
      flbs: { header: luo_flb_header_ser, entry: luo_flb_ser } } }
  - { layer: memfd, compatible: memfd-v3, structs: { memfd_luo_ser: { fields: { pos: u64, size: u64, seals: u32, flags: u32, nr_folios: u64, folios: kho_vmalloc } },
      memfd_luo_folio_ser: { fields: { pfn_flags: { bits: { pfn: 52, flags: 12 } }, index: u64 } } } }
`;
  const kho = `  - { layer: kho, compatible: kho-v9, structs: { kho_vmalloc: { fields: { owner: u64, order: u16, flags: u16, total_pages: u32, first: phys } },
      kho_vmalloc_hdr: { fields: { magic: u64, next: phys } }, kho_vmalloc_chunk: { fields: { hdr: kho_vmalloc_hdr, phys: 'u64[510]' } } } }
`;
  const read = (text: string) => {
    remove = addContracts(parseContractFile(`${head}${text}`, 'x.yaml'));
    const dump = decodeHandovers({ memory });
    const files = dump.handovers[0]?.luo?.sessions?.[0]?.files ?? [];
    const first = files.map(({ decoded }) => (decoded?.kind === 'memfd' ? [...decoded.entries()].map(({ pfn }) => pfn * 4096) : []));
    return {
      first,
      rules: diagnose(dump, { log: null })
        .filter(({ severity }) => severity !== 'info')
        .map(({ rule }) => rule),
    };
  };

  it('is read by the structures that its contract describes, which others in the file may name', () => {
    expect(read(kho + others)).toEqual({ first: Array.from({ length: FILES }, (_, index) => pages.get(BigInt(index + 1))), rules: [] });
  });

  it('whose blocks the kernel’s types contradict is part of what the file describes', () => {
    const block = layout({ name: 'kho_block_header_ser', ...about, fields: { magic: u32(''), more: u32(''), count: u64(''), next: phys('') } });
    const other = writeForeign({ block });
    const own = 'struct_header: { fields: { magic: u32, more: u32, count: u64, next: phys } }';
    remove = addContracts(
      parseContractFile(
        `${head}${others.replace('flbs_pa: phys } } }', `flbs_pa: phys } }, ${own} }`).replaceAll('kho_block_header_ser', 'struct_header')}`,
        'x.yaml',
      ),
    );
    const contracts = contractsOfBtf(openBtf(other.btf, 'made-up.BTF'), { source: 'made-up.BTF', trusted: true });
    const dump = decodeHandovers({ memory: bufferMemory([{ start: 0, bytes: other.image.bytes }]), contracts });
    expect(dump.handovers[0]?.luo?.sessions?.map(({ files }) => files.length)).toEqual([FILES, 1]);
    expect(diagnose(dump, { log: null }).filter(({ severity }) => severity !== 'info')).toEqual([]);
  });

  it('is refused without one', () => {
    expect(read(others).rules).toContain('kho/version-unknown');
  });
});
