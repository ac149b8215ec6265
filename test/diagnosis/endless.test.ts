/** Chains and trees built to be endless, wide or deep end with a finding, within limits that can be set. */
import { expect, it } from 'vitest';
import { khoBlockHeaderSer } from '../../abi/kho/block.js';
import { khoVmalloc, khoVmallocChunk } from '../../abi/kho/vmalloc.js';
import { memfdLuoSerV2 } from '../../abi/memfd/v2.js';
import { Budget, withBudget } from '../../src/codec/budget.js';
import { layoutTable, offsetOf } from '../../src/codec/layout-table.js';
import { openDump } from '../../src/container/open.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import type { Finding } from '../../src/diagnosis/finding.js';
import { type Handover, decodeHandovers } from '../../src/handover/decode.js';
import type { Limits } from '../../src/handover/context.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { type Patch, overlayMemory } from '../../src/memory/overlay.js';
import { Image } from '../handover/synthetic/image.js';
import { handOver, luoStruct } from '../handover/synthetic/luo.js';
import { fires } from './fires.js';

const idsOf = (found: readonly Finding[]): readonly string[] => found.map(({ rule }) => rule);

const DUMP = 'samples/handover-7.3/s2-at-kho_memory_init.sparse.elf.xz';
const PAGE = 4096;

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

async function withDump<T>(use: (memory: PhysicalMemory, handover: Handover) => T): Promise<T> {
  const opened = await openDump(DUMP);
  try {
    const handover = decodeHandovers({ memory: opened.memory, runningRelease: '7.3.4' }).handovers[0];
    if (handover === undefined) throw new Error('no handover');
    return use(opened.memory, handover);
  } finally {
    opened.close();
  }
}

const findings = (memory: PhysicalMemory, patches: readonly Patch[], limits: Partial<Limits> = {}): readonly Finding[] =>
  diagnose(decodeHandovers({ memory: overlayMemory(memory, patches), runningRelease: '7.3.4', limits }));

const sessionBlock = (handover: Handover): number => {
  const found = handover.references.find((reference) => reference.what === 'session block')?.address;
  if (found === undefined) throw new Error('no session block');
  return found;
};

it('a session block that links to itself', () =>
  withDump((memory, handover) => {
    const block = sessionBlock(handover);
    const first = findings(memory, [{ address: block + offsetOf(khoBlockHeaderSer, 'next'), bytes: u64(block) }])[0];
    expect(first).toMatchObject({ rule: 'blocks/cycle', severity: 'error', at: block + offsetOf(khoBlockHeaderSer, 'next'), reaction: { kind: 'panic' } });
  }));

it('a list of more blocks than the limit', () => {
  const image = new Image();
  handOver(image, [
    luoStruct(
      image,
      Array.from({ length: 200 }, (_, index) => ({ name: `vm-${index}`, files: [] })),
    ),
  ]);
  const memory = bufferMemory([{ start: 0, bytes: image.bytes }]);
  fires('blocks/limit', idsOf(findings(memory, [], { blocks: 2 })));
  expect(idsOf(findings(memory, []))).not.toContain('blocks/limit');
});

it('vmalloc chunks that go round', () =>
  withDump((memory, handover) => {
    const memfd = handover.luo?.sessions?.[0]?.files.map((file) => file.decoded).find((decoded) => decoded?.kind === 'memfd' && decoded.area !== null);
    if (memfd?.kind !== 'memfd' || memfd.area === null) throw new Error('no memfd with folios');
    const chunk = memfd.area.chunks[0] ?? 0;
    const full = layoutTable(khoVmallocChunk, PAGE).field('phys');
    const bytes = new Uint8Array(PAGE);
    bytes.set(u64(chunk), offsetOf(khoVmallocChunk, 'next'));
    for (let at = full.offset; at < PAGE; at += 8) bytes.set(u64(memfd.area.blocks[0] ?? 0), at);
    const all = findings(memory, [{ address: chunk, bytes }]);
    fires('vmalloc/cycle', idsOf(all.filter(({ severity }) => severity === 'error')));
  }));

it('counts of 2^64 - 1 in every place that has one', () =>
  withDump((memory, handover) => {
    const ones = new Uint8Array(8).fill(0xff);
    const file = handover.luo?.sessions?.[0]?.files.find((candidate) => candidate.decoded?.kind === 'memfd' && candidate.decoded.folioCount > 0n);
    const ser = file?.decoded?.node.address ?? 0;
    const pages = { address: ser + offsetOf(memfdLuoSerV2, 'folios') + offsetOf(khoVmalloc, 'total_pages'), bytes: ones.subarray(0, 4) };
    const all = findings(memory, [
      { address: sessionBlock(handover) + offsetOf(khoBlockHeaderSer, 'count'), bytes: ones },
      { address: ser + offsetOf(memfdLuoSerV2, 'nr_folios'), bytes: ones },
      { address: ser + offsetOf(memfdLuoSerV2, 'size'), bytes: ones },
      pages,
    ]);
    const ids = new Set(all.map((finding) => finding.rule));
    for (const id of ['blocks/count', 'memfd/size', 'vmalloc/total-pages']) expect(ids).toContain(id);
    expect(all.length).toBeLessThan(500);
  }));

it('a radix tree with a node in its own table, and one cut by its limit', () =>
  withDump((memory, handover) => {
    const [root = 0, node = 0] = handover.map?.structurePages ?? [];
    expect(findings(memory, [{ address: node, bytes: u64(root) }]).some((finding) => finding.rule === 'kho/map-node')).toBe(true);
    const cut = withBudget(new Budget({ 'map-nodes': 3 }), () => findings(memory, []));
    fires('limit/reached', idsOf(cut));
    expect(idsOf(cut.filter(({ severity }) => severity === 'error'))).toEqual(['limit/reached']);
  }));

it('a limit makes nothing wrong of what was not read', () =>
  withDump((memory) => {
    const whole = new Set(idsOf(findings(memory, [])));
    for (const name of ['entries', 'map-nodes', 'references', 'frame-pieces', 'vmalloc-chunks', 'fdt-items', 'check-items'] as const)
      for (const allowed of [1, 30]) {
        const cut = idsOf(withBudget(new Budget({ [name]: allowed }), () => findings(memory, [])));
        const made = cut.filter((id) => !whole.has(id) && id !== 'limit/reached' && id !== 'report/not-decoded');
        expect(made, `--limit ${name}=${allowed}`).toEqual([]);
        const isTold = cut.includes('limit/reached');
        if ([...whole].some((id) => !cut.includes(id))) expect(isTold, `--limit ${name}=${allowed}`).toBe(true);
        if (allowed === 1) expect(isTold, `--limit ${name}=1`).toBe(true);
      }
  }));

it('says "and N more" where one rule has more than its share', () =>
  withDump((memory) => {
    const decoded = decodeHandovers({ memory, runningRelease: '7.3.4' });
    const all = diagnose(decoded, { limits: { perRule: 0 } });
    expect(all.length).toBeGreaterThan(0);
    expect(all.filter((finding) => finding.rule !== 'report/not-decoded').every((finding) => /^and \d+ more/.test(finding.message))).toBe(true);
  }));
