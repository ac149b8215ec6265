/**
 * Damaged kernel memory: page tables, kallsyms, BTF and objects with bytes changed. Whatever it says, reading it ends, in a report or in
 * one line: 100 of them on every change, 10,000 in check:all, a quarter of each dump. Which bytes change follows from the number of the mutation alone.
 */
import { expect, it } from 'vitest';
import { openDump } from '../../../src/container/open.js';
import { decodeDump } from '../../../src/cli/decode-dump.js';
import { loadObjects } from '../../../src/cli/load-objects.js';
import { UserError } from '../../../src/codec/user-error.js';
import { diagnose } from '../../../src/diagnosis/diagnose.js';
import { readContents } from '../../../src/handover/contents.js';
import { kernelRecords } from '../../../src/kernel/log.js';
import { overlayMemory, type Patch } from '../../../src/memory/overlay.js';
import { RecordingMemory } from '../../../src/memory/recording.js';
import { extent } from '../../extent.js';

/** Of each dump. */
const MUTATIONS = extent(10, 2500);

/** SplitMix64's finaliser over a counter: the same mutations every time. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % below;
  };
}

/** The test of one dump: each file has two, so that they run beside each other. */
export function mutationTest(name: string): void {
  it(`${name} ends with ${MUTATIONS} mutations`, { timeout: 60_000 + MUTATIONS * 1000 }, async () => {
    const opened = await openDump(`test/fixtures/objects/${name}.elf.xz`);
    let [read, refused] = [0, 0];
    const recording = new RecordingMemory(opened.memory);
    await loadObjects({ ...opened, memory: recording }, decodeDump(opened, { khoFdt: null }).decoded, {});
    const pages = [...recording.pages];
    for (let round = 0; round < MUTATIONS; round++) {
      const next = random(round);
      const patches: Patch[] = Array.from({ length: 1 + next(6) }, () => {
        const bytes = Uint8Array.from({ length: [1, 2, 4, 8][next(4)] ?? 1 }, () => (next(3) === 0 ? 0xff : next(256)));
        return { address: (pages[next(pages.length)] ?? 0) * 4096 + next(4088), bytes };
      });
      const memory = overlayMemory(opened.memory, patches);
      const damaged = { ...opened, memory };
      try {
        const { decoded } = decodeDump(damaged, { khoFdt: null });
        const objects = await loadObjects(damaged, decoded, {});
        diagnose(decoded, { log: null, objects });
        kernelRecords(memory, opened.vmcoreinfo);
        for (const { luo } of objects.decoded.handovers)
          for (const { decoded: payload } of (luo?.sessions ?? []).flatMap(({ files }) => files)) {
            if (payload?.kind !== 'memfd') continue;
            let left = 50;
            for (const _ of readContents(payload, memory)) if (left-- <= 0) break;
          }
        read++;
      } catch (error) {
        if (!(error instanceof UserError)) throw new Error(`mutation ${round}: ${String(error)}`, { cause: error });
        refused++;
      }
    }
    opened.close();
    expect(read + refused).toBe(MUTATIONS);
    expect(read).toBeGreaterThan(MUTATIONS / 2);
  });
}
