/** Damaged handovers: whatever a dump holds, the engine ends, with an outcome and in bounded time; it never throws. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Budget, withBudget } from '../../src/codec/budget.js';
import { type DumpStart, EngineClient, type MachineImage } from '../../src/engine/client.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { play } from './scenario-text.js';
import { extent } from '../extent.js';

const steps = [
  'do: open, as: luo',
  'do: create-session, name: one, as: a',
  'do: create-session, name: two, as: b',
  'do: memfd, as: m, size: 20KiB, fill: [ { page: 0, pages: 2, seed: 1 } ], seals: [GROW]',
  'do: memfd, as: n, size: 5000',
  'do: memfd, as: z',
  'do: preserve, session: a, fd: m, token: 1',
  'do: preserve, session: a, fd: z, token: 2',
  'do: preserve, session: b, fd: n, token: 1',
  'do: kexec',
];

interface Frozen {
  readonly image: MachineImage;
  readonly start: DumpStart;
  /** pages that were written, with their bytes */
  readonly pages: readonly { readonly start: number; readonly bytes: Uint8Array }[];
}

function frozen(release: string): Frozen {
  const { client } = play(steps, {
    kernels: `["${release}"]`,
    more: ['machine: { memory: 64MiB, scratch: [8MiB, 4MiB, 4MiB] }', 'reserveMem: [ { name: lab, size: 64KiB } ]'],
  });
  const image = client.imageAt('early');
  if (image === null) throw new Error('never frozen');
  const found = decodeHandovers({ memory: image.memory }).handovers[0];
  const pages = [];
  for (let start = 0; start < 2 ** 26; start += 4096) {
    const bytes = new Uint8Array(4096);
    image.memory.readInto(start, 4096, bytes);
    if (image.memory.stateOf(start) === 'present') pages.push({ start, bytes });
  }
  const scratch = found === undefined || found.scratch.address === null ? null : { address: found.scratch.address, size: found.scratch.size };
  return {
    image,
    pages,
    start: {
      arch: 'x86_64',
      pageSize: 4096,
      fdtAddress: found?.candidate.fdtAddress ?? 0,
      scratch,
      release,
      kho: true,
      liveupdate: true,
      reserveMem: [{ name: 'lab', size: 65536, align: 4096, position: { line: 1, column: 1 } }],
      devices: [],
      vfio: 'seed',
      steps: null,
    },
  };
}

/** Every page of the handover holds few bytes that mean something; those are worth damaging. */
const damage = fc.array(
  fc.record({ page: fc.nat(10_000), nth: fc.nat(10_000), value: fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff), width: fc.constantFrom(1, 1, 2, 8) }),
  { minLength: 1, maxLength: 6 },
);

describe.each(['7.3', '7.1'])('a handover of %s, damaged at random', (release) => {
  const whole = frozen(release);

  it('undamaged, is taken over whole', () => {
    const client = EngineClient.ofMemory('whole', bufferMemory(whole.pages), whole.start);
    client.toEnd();
    expect(client.end).toMatchObject({ outcome: 'finished', ending: 'finished' });
    expect(client.program.map((step) => step.do)).toEqual([
      'open',
      'retrieve-session',
      'retrieve',
      'retrieve',
      'finish',
      'retrieve-session',
      'retrieve',
      'finish',
    ]);
  });

  it('ends all the same', () => {
    const endings = new Set<string>();
    fc.assert(
      fc.property(damage, (list) => {
        const pages = whole.pages.map(({ start, bytes }) => ({ start, bytes: bytes.slice() }));
        for (const { page, nth, value, width } of list) {
          const hit = pages[page % pages.length];
          const meaningful = hit === undefined ? [] : [...hit.bytes.keys()].filter((at) => hit.bytes[at] !== 0);
          hit?.bytes.fill(value, meaningful[nth % Math.max(1, meaningful.length)] ?? 0, (meaningful[nth % Math.max(1, meaningful.length)] ?? 0) + width);
        }
        const client = EngineClient.ofMemory('damaged', bufferMemory(pages), whole.start);
        client.toEnd();
        expect(client.end).not.toBeNull();
        expect(client.length).toBeLessThan(5000);
        endings.add(client.end?.ending ?? 'none');
      }),
      { numRuns: extent(40, 150) },
    );
    expect(endings.size).toBeGreaterThan(1);
  }, 60_000);

  it('says which page is missing, wherever one is', () => {
    for (const [missing] of whole.pages.entries()) {
      const client = EngineClient.ofMemory('cut', bufferMemory(whole.pages.filter((_, index) => index !== missing)), whole.start);
      client.toEnd();
      expect(client.end).not.toBeNull();
      if (client.end?.ending === 'unknown') expect(client.end.reason).toMatch(/^the page at physical address 0x[0-9a-f]+ is not in this dump/);
    }
  }, 60_000);
});

/** Steps that write nothing, and go through much: each says what it would take. */
it.each([
  ['a digest of a file that is one hole', ['do: memfd, as: m, size: 128MiB', "do: check, fd: m, sha256: '00'"]],
  [
    'a check against the pattern',
    [
      'do: memfd, as: m, size: 12KiB, fill: [{ page: 0, pages: 3, seed: 1 }]',
      ...Array<string>(100).fill('do: check, fd: m, fill: [{ page: 0, pages: 3, seed: 1 }]'),
    ],
  ],
  ['fallocate of what is there', ['do: memfd, as: m, size: 1MiB', ...Array<string>(9).fill('do: fallocate, fd: m, mode: allocate, size: 1MiB')]],
  ['fork', ['do: open, as: l', ...Array<string>(40).fill('do: dup, fd: l'), ...Array.from({ length: 30 }, (_, at) => `do: fork, process: p${at}`)]],
])('%s ends at engine-looks', (_, steps) => {
  const budget = new Budget({ 'engine-looks': 1000 });
  const { client } = withBudget(budget, () => play(steps));
  expect(client.end).toMatchObject({ ending: 'unknown', expectationsMet: false });
  expect(budget.reached.map(({ limit }) => limit)).toEqual(['engine-looks']);
});
