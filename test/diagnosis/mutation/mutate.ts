/**
 * The shipped captures with single damages at every field of every structure: each that changes the meaning is to be found at
 * that node or its parent. What counts as none is in mutation/free.ts. Nothing may throw, and everything must end.
 */
import { expect, it } from 'vitest';
import { openDump } from '../../../src/container/open.js';
import { diagnose } from '../../../src/diagnosis/diagnose.js';
import type { Finding } from '../../../src/diagnosis/finding.js';
import { type DecodedDump, decodeHandovers } from '../../../src/handover/decode.js';
import { overlayMemory } from '../../../src/memory/overlay.js';
import type { PhysicalMemory } from '../../../src/memory/memory.js';
import { type Others, damagesOf } from './damages.js';
import { whyFree } from './free.js';
import { knownBlocks, whyFreeInMap } from './free-in-map.js';
import { type Target, targetsOf } from './targets.js';
import { extent } from '../../extent.js';
import { contracts } from '../../../abi/registry.js';

const RELEASE = '7.3.4';

interface Result {
  done: number;
  found: number;
  readonly missed: string[];
  readonly free: Map<string, number>;
  readonly thrown: string[];
}

const read = (memory: PhysicalMemory): DecodedDump => decodeHandovers({ memory, runningRelease: RELEASE });
const key = (finding: Finding): string => JSON.stringify([finding.rule, finding.path, finding.at, finding.message]);
/** One damage in this many; a prime, so that every field and every kind of damage has its turn. */
const EVERY = extent(29, 1);

/** Roles may change with the damage; the rest of a path does not. */
const rest = (path: string): string => path.slice(path.indexOf('/') + 1);

/** Is the finding new, and about the damaged node or its parent? A count over the whole map is about no node. */
function isAbout(finding: Finding, target: Target, before: ReadonlySet<string>): boolean {
  if (before.has(key(finding)) || finding.rule === 'kho/unclaimed' || finding.rule === 'report/not-decoded') return false;
  if (finding.at !== null && target.addresses.includes(finding.at)) return true;
  return finding.path !== null && target.paths.some((path) => rest(path) === rest(finding.path ?? ''));
}

function othersOf(decoded: DecodedDump): Others {
  const references = decoded.handovers.flatMap((handover) => handover.references);
  return {
    pages: references.filter(({ order }) => order === 0).map(({ address }) => BigInt(address)),
    texts: contracts.flatMap(({ compatible }) => (compatible === null ? [] : [compatible])),
  };
}

async function mutate(capture: string): Promise<Result> {
  const opened = await openDump(`samples/${capture}/s2-at-kho_memory_init.sparse.elf.xz`);
  try {
    const decoded = read(opened.memory);
    const before = new Set(diagnose(decoded).map(key));
    const others = othersOf(decoded);
    const map = knownBlocks(decoded);
    const result: Result = { done: 0, found: 0, missed: [], free: new Map(), thrown: [] };
    let turn = 0;
    for (const target of decoded.handovers.flatMap((handover) => targetsOf(opened.memory, handover))) {
      for (const damage of damagesOf(target, others)) {
        if (turn++ % EVERY !== 0) continue;
        const what = `${target.name} = ${damage.what}`;
        try {
          const damaged = read(overlayMemory(opened.memory, [{ address: target.address, bytes: damage.bytes }]));
          const about = diagnose(damaged).some((finding) => isAbout(finding, target, before));
          const why = whyFree(target, damage) ?? whyFreeInMap(target, map, damaged);
          if (why !== null) {
            result.free.set(why, (result.free.get(why) ?? 0) + 1);
            continue;
          }
          result.done++;
          if (about) result.found++;
          else result.missed.push(what);
        } catch (error) {
          result.thrown.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
        }
      }
    }
    return result;
  } finally {
    opened.close();
  }
}

/** The test of one capture: each has a file of its own, so that they run beside each other. */
export function mutationTest(capture: string, least = 0.95): void {
  it(`${capture}: single damages are told in ${Math.round(100 * least)} of 100 cases, at the node or its parent; nothing throws`, {
    timeout: 600_000,
  }, async () => {
    const { done, found, missed, free, thrown } = await mutate(capture);
    const lines = [`${capture}: ${found} of ${done} damages found (${((100 * found) / done).toFixed(1)} %); not found:`, ...missed.map((name) => `  ${name}`)];
    for (const [why, count] of free) lines.push(`  not counted: ${count} times: ${why}`);
    console.log(lines.join('\n'));
    expect(thrown).toEqual([]);
    expect(done).toBeGreaterThan(extent(10, 100));
    expect(found / done).toBeGreaterThanOrEqual(least);
  });
}
