import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { btfArray, btfIntData, btfMember } from '../../../abi/btf/types.js';
import { type Btf, openBtf } from '../../../src/compat/btf/btf.js';
import { openKernelFile } from '../../../src/compat/btf/kernel-file.js';
import { BtfBuilder } from './build.js';
import { parsePahole } from './pahole.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/btf/${name}`, import.meta.url));

async function btfOf(name: string): Promise<Btf> {
  const { btf } = await openKernelFile(fixture(name));
  if (btf === null) throw new Error(`${name} has no BTF`);
  return btf;
}

function idOf(btf: Btf, name: string): number {
  const id = btf.find('STRUCT', name);
  if (id === null) throw new Error(`no struct ${name}`);
  return id;
}

const hasTool = (tool: string): boolean => {
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

describe.each(['7.3.4', '7.1.13', '6.18.15'])('BTF of %s', (release) => {
  let btf: Btf;
  beforeAll(async () => {
    btf = await btfOf(`${release}.BTF.xz`);
  });

  it('agrees with the recorded output of pahole on every structure of it', () => {
    let compared = 0;
    for (const expected of parsePahole(readFileSync(fixture(`${release}.pahole.txt`), 'utf8'))) {
      const layout = btf.structLayout(idOf(btf, expected.name));
      expect(layout.size, expected.name).toBe(expected.size);
      for (const member of expected.members) {
        const found = layout.members.find((candidate) => candidate.name === member.name);
        expect(found, `${expected.name}.${member.name}`).toBeDefined();
        const start = found?.bitOffset ?? -1;
        expect(start, `${expected.name}.${member.name}`).toBe(member.offset * 8 + (member.bit ?? 0));
        if (member.bit === null) expect(found?.bits, `${expected.name}.${member.name}`).toBe(member.size * 8);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(40);
  });

  it('is consistent throughout', () => {
    expect(() => btf.verify()).not.toThrow();
    expect(btf.typeCount).toBeGreaterThan(70000);
    expect(btf.pointerBytes).toBe(8);
    expect(btf.endian).toBe('little');
  });
});

if (hasTool('bpftool')) {
  describe('against bpftool', () => {
    it.each(['7.3.4.BTF.xz', 'tiny-vmlinux'])('every structure and member of %s', async (name) => {
      const btf = await btfOf(name);
      const folder = mkdtempSync(join(tmpdir(), 'btf-'));
      try {
        const raw = join(folder, 'raw.btf');
        writeFileSync(raw, rawBytes(name));
        const text = execFileSync('bpftool', ['btf', 'dump', 'file', raw, 'format', 'raw'], { maxBuffer: 1 << 28 }).toString();
        const { compared, differing } = compareWithBpftool(btf, text);
        expect(differing).toEqual([]);
        expect(compared).toBeGreaterThan(10);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
}

/** The section alone: bpftool takes no file with zeros in front. */
function rawBytes(name: string): Uint8Array {
  const bytes = name.endsWith('.xz') ? execFileSync('xz', ['-dc', fixture(name)], { maxBuffer: 1 << 28 }) : readFileSync(fixture(name));
  return bytes.subarray(bytes.indexOf(Buffer.of(0x9f, 0xeb, 1, 0)));
}

function compareWithBpftool(btf: Btf, text: string): { readonly compared: number; readonly differing: readonly string[] } {
  let compared = 0;
  const differing: string[] = [];
  const anonymous = (name: string | undefined): string => (name === undefined || name === '(anon)' ? '' : name);
  for (const block of text.split(/^(?=\[)/m)) {
    const head = /^\[(\d+)\] (STRUCT|UNION) '([^']*)'.* size=(\d+) vlen=(\d+)/.exec(block);
    if (head === null) continue;
    const id = Number(head[1]);
    const expected = [`${head[2]} ${anonymous(head[3])} ${head[4]}`];
    for (const line of block.split('\n')) {
      const member = /^\t'([^']*)' type_id=(\d+) bits_offset=(\d+)(?: bitfield_size=(\d+))?/.exec(line);
      if (member !== null) expected.push(`${anonymous(member[1])} ${member[2]} ${member[3]} ${member[4] ?? 0}`);
    }
    const found = [
      `${btf.kindOf(id)} ${btf.nameOf(id)} ${btf.byteSize(id)}`,
      ...btf.membersOf(id).map((member) => `${member.name} ${member.type} ${member.bitOffset} ${member.bitfieldBits}`),
    ];
    if (found.join('\n') !== expected.join('\n')) differing.push(`${found.join('; ')} instead of ${expected.join('; ')}`);
    compared++;
  }
  return { compared, differing };
}

describe('types a kernel has', () => {
  it('opens anonymous unions and structures, splits bit-fields, and writes types as C does', async () => {
    const btf = await btfOf('tiny-vmlinux');
    const odd = btf.structLayout(idOf(btf, 'odd'));
    expect(odd.members.map(({ name, bitOffset, bits, type, isBitField }) => [name, bitOffset, bits, type, isBitField])).toEqual([
      ['a', 0, 3, 'int', true],
      ['b', 3, 5, 'unsigned int', true],
      ['f', 32, 32, 'float', false],
      ['s', 32, 96, 'short int[6]', false],
      ['call', 128, 64, 'int (*)(const char *, ...)', false],
      ['p', 192, 64, 'volatile const u8 * const restrict', false],
      ['e', 256, 64, 'enum big', false],
      ['n', 320, 32, 'enum negative', false],
      ['l', 384, 64, 'struct later *', false],
      ['tail', 448, 0, 'u8[]', false],
    ]);
  });

  it('reads functions and their parameters', async () => {
    const btf = await btfOf('tiny-vmlinux');
    const id = btf.find('FUNC', 'kho_add_subtree');
    expect(id).not.toBeNull();
    expect(btf.parametersOf(btf.target(id ?? 0)).map((parameter) => `${btf.typeText(parameter.type)} ${parameter.name}`)).toEqual([
      'const char * name',
      'void * blob',
      'u64 size',
    ]);
  });

  it('knows nothing of a name that is not there', async () => {
    const btf = await btfOf('tiny-vmlinux');
    expect(btf.find('STRUCT', 'luo_nothing')).toBeNull();
    expect(btf.findAll('')).toEqual([]);
  });

  it.each(['little', 'big'] as const)('reads %s-endian BTF', (endian) => {
    const builder = new BtfBuilder(endian);
    const long = builder.add('INT', 'unsigned long', 8, btfIntData, [{ data: { bits: 64 } }]);
    const array = builder.add('ARRAY', '', 0, btfArray, [{ type: long, index_type: long, nelems: 3 }]);
    const outer = builder.add('STRUCT', 'outer', 32, btfMember, [
      { name_off: builder.string('head'), type: long, offset: 0 },
      { name_off: builder.string('rest'), type: array, offset: 64 },
    ]);
    const btf = openBtf(builder.build(), 'built');
    expect(btf.endian).toBe(endian);
    expect(btf.find('STRUCT', 'outer')).toBe(outer);
    expect(btf.structLayout(outer).members.map((member) => [member.name, member.bitOffset, member.bits])).toEqual([
      ['head', 0, 64],
      ['rest', 64, 192],
    ]);
  });

  it('takes a bit-field from the INT where there is no kind_flag', () => {
    const builder = new BtfBuilder();
    const bit = builder.add('INT', 'unsigned int', 4, btfIntData, [{ data: { bits: 3, offset: 2 } }]);
    const id = builder.add('STRUCT', 'old', 4, btfMember, [{ name_off: builder.string('flag'), type: bit, offset: 8 }]);
    expect(openBtf(builder.build(), 'built').structLayout(id).members).toMatchObject([{ name: 'flag', bitOffset: 10, bits: 3, isBitField: true }]);
  });
});
