/** From a dump to a reproducer: what real kernels handed over, whole and damaged, becomes a scenario that ends as the dump's kernel does. */
import { expect, it } from 'vitest';
import { openDump } from '../../src/container/open.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { overlayMemory, type Patch } from '../../src/memory/overlay.js';
import { type Reproducer, reproduce } from '../../src/reproduce/reproduce.js';
import { judge } from '../../src/verdict/judge.js';
import type { Verdict } from '../../src/verdict/verdict.js';
import { damages } from '../../tools/lab/case-damage.js';
import { Random } from '../../tools/random.js';
import { extent, some } from '../extent.js';

interface Made {
  readonly made: Reproducer;
  readonly verdict: Verdict;
}

async function withDump<T>(
  path: string,
  use: (of: (patches: readonly Patch[]) => Made, choose: (seed: number) => ReturnType<typeof damages>) => T,
  release: string,
): Promise<T> {
  const opened = await openDump(path);
  try {
    const decode = (patches: readonly Patch[]) => decodeHandovers({ memory: overlayMemory(opened.memory, patches), runningRelease: `${release}.4` });
    const of = (patches: readonly Patch[]): Made => {
      const decoded = decode(patches);
      const [handover] = decoded.handovers;
      if (handover === undefined) throw new Error(`${path} holds a handover`);
      const facts = { path, memory: decoded.memory, arch: 'x86_64', release: `${release}.4` };
      const { verdict } = judge({ facts, decoded, findings: diagnose(decoded), log: null, options: {} });
      const kernels = { writer: release, next: release, kho: true, liveupdate: true };
      const made = reproduce({ name: path, memory: decoded.memory, handover, verdict, arch: 'x86_64', ...kernels });
      if (made === null) throw new Error(`${path} is small enough`);
      return { made, verdict };
    };
    const [handover] = decode([]).handovers;
    if (handover === undefined) throw new Error(`${path} holds a handover`);
    return use(of, (seed) => damages(opened.memory, handover, new Random(seed)));
  } finally {
    opened.close();
  }
}

it.each([
  ['test/fixtures/diagnosis/frozen-73.elf.xz', '7.3'],
  ['test/fixtures/diagnosis/frozen-71.elf.xz', '7.1'],
  ['test/fixtures/diagnosis/frozen-619.elf.xz', '6.19'],
] as const)('%s, undamaged: no damage is written, and everything comes back', { timeout: 60_000 }, async (path, release) => {
  const { made, verdict } = await withDump(path, (of) => of([]), release);
  expect(verdict.kind).toBe('taken-over');
  expect(made.damages).toEqual([]);
  expect(made.endsOtherwise).toBeNull();
  expect(made.text).toContain('do: retrieve-session');
});

const DAMAGED = [
  ['test/fixtures/diagnosis/frozen-73.elf.xz', '7.3', 11, extent(6, 24)],
  ['test/fixtures/diagnosis/frozen-71.elf.xz', '7.1', 12, extent(6, 12)],
] as const;
it.each(some(DAMAGED, 2))(
  '%s with one random damage: the scenario ends as it does, in 5 of 6 cases, and where it does not that is said',
  { timeout: 300_000 },
  async (path, release, seed, count) => {
    const kinds = new Set<string>();
    const short = await withDump(
      path,
      (of, choose) => {
        const all = choose(seed);
        return Array.from({ length: count }, () => {
          const damage = all.next().value;
          const { made, verdict } = of([damage]);
          kinds.add(verdict.kind);
          return made.endsOtherwise === null ? null : `${damage.text} (${verdict.kind}): ${made.endsOtherwise}`;
        }).filter((one) => one !== null);
      },
      release,
    );
    expect(short.length, short.join('\n')).toBeLessThanOrEqual(count / 6);
    // Not all of them harmless.
    expect(kinds).toContain('retrieve-fails');
  },
);
