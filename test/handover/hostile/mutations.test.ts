/** Real captures with bytes and pages changed at random (seeded): nothing throws, nothing is endless, and what is null has a finding. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openDump } from '../../../src/container/open.js';
import type { OpenedDump } from '../../../src/container/opened-dump.js';
import { judge } from '../../../src/verdict/judge.js';
import { diagnose } from '../../../src/diagnosis/diagnose.js';
import { decodeHandovers } from '../../../src/handover/decode.js';
import { walk } from '../../../src/tree/tree.js';
import type { PhysicalMemory } from '../../../src/memory/memory.js';
import { reportJson } from '../../../src/report/report-json.js';
import { reportText } from '../../../src/report/report-text.js';
import { Found, explained } from '../synthetic/read.js';
import { extent } from '../../extent.js';

const RUNS = Number(process.env.MUTATION_RUNS ?? extent(4, 200));
const SEED = Number(process.env.MUTATION_SEED ?? 1);

/** Bytes written over a memory: [physical address, bytes]. */
type Change = readonly [at: number, bytes: Uint8Array];

function changed(memory: PhysicalMemory, changes: readonly Change[]): PhysicalMemory {
  return {
    pageSize: memory.pageSize,
    readable: memory.readable,
    stateOf: (address) => memory.stateOf(address),
    readInto(address, length, target, targetOffset = 0) {
      const got = memory.readInto(address, length, target, targetOffset);
      for (const [at, bytes] of changes) {
        const from = Math.max(at, address);
        const to = Math.min(at + bytes.length, address + got);
        if (from < to) target.set(bytes.subarray(from - at, to - at), targetOffset + from - address);
      }
      return got;
    },
  };
}

/** Pages that structures stand on: where a change can matter. */
function structurePages(memory: PhysicalMemory, release: string | null): readonly number[] {
  const pages = new Set<number>();
  for (const { node } of decodeHandovers({ memory, runningRelease: release }).handovers) {
    walk(node, ({ address, type }) => {
      if (address !== null && type !== 'gap') pages.add(address - (address % memory.pageSize));
      return undefined;
    });
  }
  return [...pages].filter((page) => memory.stateOf(page) === 'present');
}

/** Numbers that break things: 0, small, all ones, sign bits, an address inside the handover. */
const nasty = (pages: readonly number[]) =>
  fc.oneof(
    fc.constantFrom(0n, 1n, 51n, 64n, 0xffn, 0xffffffffn, 1n << 31n, 1n << 40n, 1n << 52n, 1n << 63n, (1n << 64n) - 1n),
    fc.bigInt(0n, (1n << 64n) - 1n),
    fc.constantFrom(...pages).map(BigInt),
  );

function changeOf(pages: readonly number[], pageSize: number) {
  const page = fc.constantFrom(...pages);
  const word = fc.record({ page, offset: fc.oneof(fc.nat(63), fc.nat(pageSize / 8 - 1)), value: nasty(pages) }).map(({ page: at, offset, value }): Change => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    return [at + offset * 8, bytes];
  });
  const byte = fc
    .record({ page, offset: fc.oneof(fc.nat(255), fc.nat(pageSize - 1)), value: fc.nat(255) })
    .map(({ page: at, offset, value }): Change => [at + offset, Uint8Array.of(value)]);
  const whole = fc.record({ page, seed: fc.integer(), kind: fc.constantFrom('zeros', 'ones', 'noise', 'pointers') }).map(({ page: at, seed, kind }): Change => {
    const bytes = new Uint8Array(pageSize);
    const view = new DataView(bytes.buffer);
    let state = seed >>> 0;
    for (let offset = 0; offset < pageSize; offset += 8) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const pointer = pages[state % pages.length] ?? 0;
      const value = kind === 'zeros' ? 0n : kind === 'ones' ? (1n << 64n) - 1n : kind === 'pointers' ? BigInt(pointer) : BigInt(state) * 0x9e3779b97f4a7c15n;
      view.setBigUint64(offset, BigInt.asUintN(64, value), true);
    }
    return [at, bytes];
  });
  return fc.array(fc.oneof({ weight: 4, arbitrary: word }, { weight: 3, arbitrary: byte }, { weight: 2, arbitrary: whole }), { minLength: 1, maxLength: 3 });
}

const dumps: OpenedDump[] = [];
afterAll(() => {
  for (const dump of dumps) dump.close();
});

describe.each([
  'samples/handover-7.3/s1-frozen.sparse.elf.xz',
  'samples/handover-7.3/s2-opened.sparse.elf.xz',
  'samples/handover-7.1/s2-at-kho_memory_init.sparse.elf.xz',
  'samples/handover-6.18/s1-frozen.sparse.elf.xz',
  'samples/vfio-7.3/s1-frozen.sparse.elf.xz',
])('%s', (path) => {
  it(`stays readable, whatever is changed in it (${RUNS} times)`, async () => {
    const opened = await openDump(path);
    dumps.push(opened);
    const release = opened.vmcoreinfo?.get('OSRELEASE') ?? null;
    const pages = structurePages(opened.memory, release);
    expect(pages.length).toBeGreaterThan(5);
    fc.assert(
      fc.property(changeOf(pages, opened.memory.pageSize), (changes) => {
        const memory = changed(opened.memory, changes);
        const decoded = decodeHandovers({ memory, runningRelease: release });
        const source = { path, container: opened.container, bytes: opened.bytes, arch: opened.arch, pageSize: memory.pageSize };
        const report = {
          source,
          kernel: null,
          handovers: decoded.handovers,
          ...judge({ facts: { path, memory, arch: opened.arch, release }, decoded, findings: diagnose(decoded), log: null, options: {} }),
          decoded,
          evidence: [],
        };
        const text = JSON.stringify(reportJson(report));
        expect(text.length).toBeLessThan(4 << 20);
        explained(new Found(JSON.parse(text)));
        let lines = 0;
        for (const _ of reportText(report)) lines++;
        expect(lines).toBeLessThan(20_000);
        let nodes = 0;
        for (const { node } of decoded.handovers)
          walk(node, () => {
            nodes++;
            return undefined;
          });
        expect(nodes).toBeLessThan(500_000);
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });
});
