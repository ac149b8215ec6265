/**
 * One answer: for every sample of a frozen or early moment the verdict, the end of `step` on the same bytes, and what the real kernel
 * did (truth.json) agree. A damaged page beside them shows that one failure hides no other.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDump } from '../../src/cli/load-dump.js';
import { openDump } from '../../src/container/open.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { EngineClient } from '../../src/engine/client.js';
import { type Handover, decodeHandovers } from '../../src/handover/decode.js';
import type { TreeNode } from '../../src/tree/tree.js';
import { type Patch, overlayMemory } from '../../src/memory/overlay.js';
import { judge } from '../../src/verdict/judge.js';
import { fatesOf } from '../../src/verdict/met.js';
import { dumpStart, judgedHandover, nextKernel } from '../../src/verdict/next-kernel.js';
import { replay } from '../../src/verdict/replay.js';
import type { Verdict } from '../../src/verdict/verdict.js';
import { some } from '../extent.js';

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;
const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isObject) : []);

const folders = readdirSync('samples', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.name === 'truth.json')
  .map((entry) => entry.parentPath);
const cases = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => /^s1-frozen\.sparse\.|^s2-at-/.test(name) && name.endsWith('.elf.xz'))
    .map((name) => ({ folder, name })),
);

interface Expected {
  readonly kind: string;
  readonly errno: string | null;
}

/** What the guest saw of the next kernel. */
function truthOf(folder: string): Expected | null {
  const truth: unknown = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8'));
  if (!isObject(truth)) return null;
  const log = JSON.stringify(truth.log_stage2 ?? []);
  if (log.includes('Kernel panic')) return { kind: 'panic', errno: null };
  if (log.includes('disabling KHO revival')) return { kind: 'cold-boot', errno: null };
  const open = truth.open_stage2;
  if (isObject(open) && open.ret === -1) return { kind: 'open-fails', errno: String(open.errno) };
  const failed = listOf(truth.retrieved)
    .flatMap((session) => listOf(session.files))
    .find(({ ret }) => ret === -1);
  return failed === undefined ? { kind: 'taken-over', errno: null } : { kind: 'retrieve-fails', errno: String(failed.errno) };
}

/** What a run of the engine on the dump ends with, seen from outside: its end, and what its agent was answered. */
function endOfStep(client: EngineClient): Expected {
  client.toEnd();
  const { end } = client;
  if (end?.ending === 'panic' || end?.ending === 'cold-boot') return { kind: end.ending, errno: null };
  const answers = Array.from({ length: client.length }, (_, index) => client.stepAt(index + 1)).filter((step) => step?.actor === 'agent');
  const failed = answers.find((step) => step?.result !== 0);
  if (failed == null) return { kind: 'taken-over', errno: null };
  const kind = failed.op === 'open' ? 'open-fails' : failed.op === 'finish' ? 'finish-fails' : 'retrieve-fails';
  return { kind, errno: failed.errno };
}

const outcome = ({ kind, errno }: Expected | Verdict): Expected => ({ kind: kind === 'warns' ? 'taken-over' : kind, errno });

describe.each(cases)('$folder/$name', ({ folder, name }) => {
  it('the verdict, the end of step and the real kernel agree', async () => {
    const { opened, report } = await loadDump(join(folder, name), { log: true });
    try {
      const decoded = report.decoded;
      const handover = judgedHandover(decoded);
      const fdtAddress = handover?.candidate.fdtAddress ?? null;
      if (handover === null || fdtAddress === null) throw new Error('no handover');
      const facts = { path: name, memory: opened.memory, arch: opened.arch, release: report.kernel?.release ?? null };
      const { verdict } = report;
      const told = nextKernel(facts, decoded, handover, null, { next: verdict.next ?? undefined, cmdline: cmdlineOf(folder) });
      if (told === null || told.engine === null) throw new Error(`no kernel of ${verdict.next}`);
      const stepped = endOfStep(EngineClient.ofMemory(name, opened.memory, dumpStart(facts, decoded, handover, fdtAddress, told, told.engine)));
      // 6.18 has no /dev/liveupdate, and nothing that it could have given.
      if (handover.hasLuo) {
        expect(outcome(verdict)).toEqual(truthOf(folder));
        expect(stepped).toEqual(outcome(verdict));
      } else expect([verdict.kind, stepped]).toEqual(['taken-over', { kind: 'open-fails', errno: 'ENOENT' }]);
    } finally {
      opened.close();
    }
  });
});

describe.each(some(cases, 3))('$folder/$name', ({ folder, name }) => {
  it('tables taken whole say what single steps say', async () => {
    const { opened, report } = await loadDump(join(folder, name), { log: false });
    try {
      const handover = judgedHandover(report.decoded);
      const fdtAddress = handover?.candidate.fdtAddress ?? null;
      if (handover === null || fdtAddress === null) throw new Error('no handover');
      const facts = { path: name, memory: opened.memory, arch: opened.arch, release: report.kernel?.release ?? null };
      const next = nextKernel(facts, report.decoded, handover, null, {});
      if (next?.engine == null) throw new Error('no kernel');
      const start = dumpStart(facts, report.decoded, handover, fdtAddress, next, next.engine);
      const inBulk = fatesOf(replay(name, opened.memory, start), handover, []);
      const single = fatesOf(replay(name, opened.memory, start, false), handover, []);
      expect(inBulk.sessions).toEqual(single.sessions);
    } finally {
      opened.close();
    }
  });
});

const cmdlineOf = (folder: string): string | undefined => {
  const truth: unknown = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8'));
  return isObject(truth) && typeof truth.cmdline_stage2 === 'string' ? truth.cmdline_stage2 : undefined;
};

describe('later moments', () => {
  const later = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /^s2-(?:boot|opened|retrieved|finished)\.sparse/.test(name) && folder.includes('handover'))
      .map((name) => join(folder, name)),
  );
  it.each(some(later, 2))('%s: without a log and without objects it is unknown, and says why', async (path) => {
    const { opened, report } = await loadDump(path, { log: false });
    opened.close();
    expect(report.verdict).toMatchObject({ kind: 'unknown', unchecked: expect.stringContaining('objects') });
  });
});

/** The sample with patches over it, judged as `diagnose` does. */
async function judged(patchesOf: (handover: Handover) => readonly Patch[]) {
  const opened = await openDump('samples/handover-7.3/s1-frozen.sparse.elf.xz');
  try {
    const [whole] = decodeHandovers({ memory: opened.memory }).handovers;
    if (whole === undefined) throw new Error('no handover');
    const memory = overlayMemory(opened.memory, patchesOf(whole));
    const decoded = decodeHandovers({ memory });
    const facts = { path: 'damaged', memory, arch: opened.arch, release: '7.3.4' };
    return judge({ facts, decoded, findings: diagnose(decoded), log: null, options: {} });
  } finally {
    opened.close();
  }
}

/** 64 bits in place of a field. */
function patch(node: TreeNode | null | undefined, value: bigint | ((was: bigint) => bigint)): Patch {
  if (node?.address == null) throw new Error('no such field');
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, typeof value === 'bigint' ? value : value(BigInt(node.value ?? 0)), true);
  return { address: node.address, bytes };
}

const below = (node: TreeNode | undefined, ...names: readonly string[]): TreeNode | undefined =>
  names.reduce((found, name) => found?.children().find((child) => child.name === name), node);

describe('damage', () => {
  it('that brings the kernel down for its file alone: every other file is asked for, and comes back', async () => {
    let at = 0;
    const { verdict, findings } = await judged(({ luo }) => {
      const data = patch(luo?.sessions?.[0]?.files[1]?.reading.field('data'), 0x1_2345_6000n);
      at = data.address;
      return [data];
    });
    expect(verdict).toMatchObject({ kind: 'panic', foretoldBy: 'replay', files: { total: 12, comeBack: 11, fail: 1 } });
    expect(verdict.text).toMatch(/unable to handle page fault .*0x123456000/);
    expect(findings[0]).toMatchObject({ at, severity: 'error', reaction: { kind: 'panic', foretoldBy: 'replay' } });
  });

  it('that the kernel does not come to, since it goes down before, is told so', async () => {
    const { verdict, findings } = await judged(({ node, luo }) => [
      patch(below(node, 'luo', 'luo_ser', 'sessions_pa'), 0x1_2345_6000n),
      patch(below(node, 'memblock', '/', 'labmem', 'start'), 0x1_2345_6000n),
      patch(luo?.sessions?.[0]?.files[1]?.reading.field('data'), 0x1_2345_6000n),
    ]);
    expect(verdict.kind).toBe('panic');
    expect(findings[0]).toMatchObject({ rule: 'blocks/pointer', reaction: { kind: 'panic', foretoldBy: 'replay' } });
    const region = findings.find(({ rule }) => rule === 'memblock/not-preserved');
    expect(region?.reaction).toMatchObject({ kind: 'unknown', text: '7.3.4 goes down as it boots, before anything comes of this.' });
  });

  it('below a page of an entry of a vmalloc chunk is dropped, as real kernels do', async () => {
    const { verdict, findings } = await judged(({ luo }) => {
      const memfd = luo?.sessions
        ?.flatMap(({ files }) => files)
        .find(({ decoded }) => decoded?.kind === 'memfd' && (decoded.area?.blocks[0] ?? 0) > 0)?.decoded;
      if (memfd?.kind !== 'memfd') throw new Error('no memfd with a table');
      const first = memfd.area?.blocks[0] ?? 0;
      const chunk = Number(memfd.reading.integer('folios.first'));
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(first + 8), true);
      return [{ address: chunk + 8, bytes }];
    });
    expect(verdict).toMatchObject({ kind: 'taken-over', files: { total: 12, comeBack: 12, fail: 0 } });
    expect(findings.find(({ rule }) => rule === 'vmalloc/pointer')).toMatchObject({ severity: 'warning', reaction: { kind: 'ignored' } });
  });

  it('of a region to the end of 64 bits is refused, and nothing overflows', async () => {
    const { verdict } = await judged(({ node }) => [patch(below(node, 'memblock', '/', 'labmem', 'start'), 0xffff_ffff_ffff_ffffn)]);
    expect(verdict.kind).toBe('warns');
    expect(verdict.text).toContain('has wrong alignment (0x1000, 0xffffffffffffffff)');
  });

  it('of the count of a session that never had files loses none: the kernel warns, and no list of files is left over', async () => {
    const { verdict, findings } = await judged(({ luo }) => [
      patch(luo?.sessions?.find(({ files }) => files.length === 0)?.reading.field('file_set_ser.count'), 0xffff_ffff_ffff_ffffn),
    ]);
    expect(verdict).toMatchObject({ kind: 'warns', files: { total: 12, comeBack: 12, fail: 0 } });
    expect(findings[0]).toMatchObject({ rule: 'session/no-files-area', reaction: { kind: 'warns' } });
  });

  it('of the pointer to the FLBs lets the search run on through memory, until it comes by their own page', async () => {
    const at = await judged(({ node, luo }) => {
      const root = below(node, 'luo', 'luo_ser');
      expect(Number(luo?.flbEntries?.pieces[0]?.address)).toBeGreaterThan(root?.address ?? Infinity);
      return [patch(below(root, 'flbs_pa'), BigInt(root?.address ?? 0)), patch(below(root, 'liveupdate_num'), 1_000_000n)];
    });
    expect(at.verdict).toMatchObject({ kind: 'taken-over', files: { fail: 0 } });
  });

  it('of the size of a vmalloc area ends its restoring before a chunk is read', async () => {
    const { verdict } = await judged(({ luo }) => {
      const memfd = luo?.sessions
        ?.flatMap(({ files }) => files)
        .find(({ decoded }) => decoded?.kind === 'memfd' && (decoded.area?.blocks[0] ?? 0) > 0)?.decoded;
      if (memfd?.kind !== 'memfd') throw new Error('no memfd with a table');
      return [
        { address: memfd.reading.field('folios.total_pages').address ?? 0, bytes: Uint8Array.of(0, 0, 0, 0xff) },
        { address: memfd.reading.field('folios.first').address ?? 0, bytes: Uint8Array.of(0, 0, 0, 0, 0x50, 0, 0, 0) },
      ];
    });
    expect(verdict).toMatchObject({ kind: 'retrieve-fails', errno: 'EINVAL' });
  });

  it('of a byte behind the last entry of a block hides no file', async () => {
    const { verdict, findings } = await judged(({ luo }) => {
      const piece = luo?.sessions?.[0]?.entries?.pieces[0];
      if (piece === undefined) throw new Error('no block of files');
      return [{ address: piece.address + 16 + Number(piece.count) * 64 + 0x22, bytes: Uint8Array.of(0x10) }];
    });
    expect(verdict).toMatchObject({ kind: 'taken-over', files: { total: 12, comeBack: 12 } });
    expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
  });
});
