/** The parser of scenarios: exact integers, raw names, and one line with file, line and column for whatever is wrong. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/codec/user-error.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { kernelOf, type ScenarioStep } from '../../src/engine/scenario/types.js';
import { extent } from '../extent.js';

const head = 'schema: luo-inspect.scenario/1\n';
const steps = (body: string): readonly ScenarioStep[] => parseScenario(`${head}steps:\n${body}`, 'x.yaml').steps;
const messageOf = (source: string): string => {
  try {
    parseScenario(source, 'x.yaml');
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message;
  }
  return 'no error';
};

describe('reading a scenario', () => {
  it('keeps 64-bit integers exact, in decimal or hexadecimal, quoted or not', () => {
    for (const [text, value] of [
      ['0', 0n],
      ['18446744073709551615', 0xffff_ffff_ffff_ffffn],
      ['0xdeadbeefcafef00d', 0xdead_beef_cafe_f00dn],
      ['"0xdeadbeefcafef00d"', 0xdead_beef_cafe_f00dn],
      ["'9007199254740993'", 9007199254740993n],
    ] as const) {
      const [, , step] = steps(
        `  - { do: create-session, name: a, as: s }\n  - { do: memfd, as: f }\n  - { do: preserve, session: s, fd: f, token: ${text} }\n`,
      );
      expect(step?.do === 'preserve' && step.token).toBe(value);
    }
  });

  it('reads sizes with their units', () => {
    const sizes = steps(['5000', '4KiB', '8MiB', '1GiB', '32TiB', '0x10', '"64 KiB"'].map((size) => `  - { do: memfd, size: ${size} }\n`).join(''));
    expect(sizes.map((step) => step.do === 'memfd' && step.size)).toEqual([5000, 4096, 2 ** 23, 2 ** 30, 2 ** 45, 16, 65536]);
  });

  it('takes names as text or as raw bytes', () => {
    const names = steps(
      '  - { do: create-session, name: "a\\n/é" }\n  - { do: create-session, name: { hex: "61 00 ff" } }\n  - { do: create-session, name: "" }\n',
    );
    expect(names.map((step) => step.do === 'create-session' && [...step.name])).toEqual([[0x61, 0x0a, 0x2f, 0xc3, 0xa9], [0x61, 0, 0xff], []]);
  });

  it('knows bare descriptors from names', () => {
    const [, , bare] = steps(
      '  - { do: create-session, name: a, as: s }\n  - { do: fd, number: 999, as: n }\n  - { do: preserve, session: s, fd: -1, token: 0 }\n',
    );
    expect(bare?.do === 'preserve' && bare.fd).toBe(-1);
  });

  it('turns a short ioctl number into a whole one', () => {
    const [, short, whole] = steps('  - { do: open, as: l }\n  - { do: ioctl, target: l, nr: 2 }\n  - { do: ioctl, target: l, nr: 0xc000ba00 }\n');
    expect(short?.do === 'ioctl' && short.request).toBe(0xba02);
    expect(whole?.do === 'ioctl' && whole.request).toBe(0xc000_ba00);
  });

  it('applies the faults that change the next kernel', () => {
    const scenario = parseScenario(
      `${head}kernels: ["7.1", "7.3"]\nfaults: [ { at: kernel, nth: 2, release: "7.2", liveupdate: off } ]\nsteps: []\n`,
      'x.yaml',
    );
    expect([0, 1, 2, 3].map((jump) => kernelOf(scenario, jump)).map((kernel) => [kernel.release, kernel.liveupdate])).toEqual([
      ['7.1', true],
      ['7.3', true],
      ['7.2', false],
      ['7.3', true],
    ]);
  });
});

describe('what is wrong in a scenario', () => {
  const file = (body: string): string => `${head}${body}`;
  it.each([
    [file('steps:\n  - { do: open, a: luo }\n'), 'x.yaml:3:17: steps[0]: unknown key "a" in the open step'],
    [file('steps:\n  - { do: opne }\n'), 'x.yaml:3:11: steps[0].do: "opne" is no verb'],
    [file('steps:\n  - { do: finish, session: s }\n'), 'x.yaml:3:5: no earlier step is called s'],
    [file('steps:\n  - { do: vfio, device: nic }\n'), 'x.yaml:3:5: no device is called nic'],
    [file('steps:\n  - { do: open, expect: EWRONG }\n'), 'x.yaml:3:25: steps[0].expect: "EWRONG" is neither 0 nor an errno'],
    [file('steps:\n  - { do: memfd, size: 8MB }\n'), 'x.yaml:3:24: steps[0].size: "8MB" is not a size'],
    [file('steps:\n  - { do: memfd, size: 8, size: 9 }\n'), 'x.yaml:3:27: "size" is there twice'],
    [file('steps: &a []\n'), 'x.yaml:2:'],
    [file('steps: *a\n'), 'x.yaml:2:'],
    [file('steps: !!js/function "x"\n'), 'x.yaml:2:'],
    [file('steps: []\n---\na: 1\n'), 'second YAML document'],
    [file('machine: { memory: 1MiB }\nsteps: []\n'), 'x.yaml:2:20: machine.memory: 1048576 is out of range'],
    [file('faults: [ { at: memfd.freze, errno: EIO } ]\nsteps: []\n'), 'is no point of a run'],
    [file('faults: [ { at: flip, struct: luo_ser } ]\nsteps: []\n'), 'a flip needs struct and field'],
    ['', 'x.yaml:1:1:'],
    ['[1, 2', 'x.yaml:1:'],
    ['schema: luo-inspect.scenario/2\nsteps: []\n', 'x.yaml:1:9: schema: "luo-inspect.scenario/2" is not one of'],
  ])('%j', (source, message) => {
    expect(messageOf(source)).toContain(message);
    expect(messageOf(source)).not.toContain('\n');
  });

  it('is said of deep nesting and of huge files, without running out of anything', () => {
    expect(messageOf(`${head}steps: ${'['.repeat(100_000)}`)).toContain('x.yaml:');
    expect(messageOf(`${head}steps: []\n# ${'x'.repeat(17 * 1024 * 1024)}`)).toContain('more than 1048576 bytes of YAML; split it');
  });

  it('is always a UserError that names file, line and column', () => {
    const good = `${head}devices: [ { name: nic, bdf: "0000:00:05.0" } ]\nsteps:\n  - { do: open, as: luo }\n  - { do: memfd, as: f, size: 4KiB, fill: [ { page: 0, seed: 1 } ] }\n  - { do: kexec, expect: EINVAL }\n`;
    fc.assert(
      fc.property(fc.nat(good.length), fc.nat(8), fc.string({ maxLength: 6 }), (at, cut, put) => {
        const message = messageOf(good.slice(0, at) + put + good.slice(at + cut));
        expect(message).toMatch(/^(no error|x\.yaml:\d+:\d+: [^\n]+)$/);
      }),
      { numRuns: extent(120, 500) },
    );
  });
});

it('words of a payload that follow each other are one part, whatever their number', () => {
  const text = 'schema: luo-inspect.scenario/1\nsubtrees: [ { name: a, payload: [1, 0x102, { hex: ff }, { struct: luo_file_ser }, 3] } ]\nsteps: []\n';
  const [words, struct, last, ...more] = parseScenario(text, 'words.yaml').subtrees[0]?.payload ?? [];
  expect([words, last]).toEqual([Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0xff), Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0)]);
  expect(struct).toMatchObject({ struct: { name: 'luo_file_ser' } });
  expect(more).toEqual([]);
});
