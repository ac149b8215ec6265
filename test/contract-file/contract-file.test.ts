/** Contracts that a user describes: the form, its schema, and dumps read by them. */
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { addContracts, contractsOf, findStruct } from '../../abi/registry.js';
import { layoutTable, sizeOf } from '../../src/codec/layout-table.js';
import { parseContractFile } from '../../src/contract-file/contract-file.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { Image } from '../handover/synthetic/image.js';
import { handOver, luoStruct } from '../handover/synthetic/luo.js';

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
