/**
 * Findings against what real kernels did. For damaged captures truth.json says which bytes were changed, and how the next kernel
 * reacted; the others are healthy in their frozen and early moments, with the console log of the whole run beside them.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDump } from '../../src/cli/load-dump.js';
import type { Finding } from '../../src/diagnosis/finding.js';
import type { Handover } from '../../src/handover/decode.js';
import { type TreeNode, walk } from '../../src/tree/tree.js';
import { some } from '../extent.js';

const MOMENTS = /^s1-frozen\.|^s2-at-/;

const folders = readdirSync('samples', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.name === 'truth.json')
  .map((entry) => entry.parentPath);

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;
const truthOf = (folder: string): Json => {
  const truth: unknown = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8'));
  return isObject(truth) ? truth : {};
};
const dumpsOf = (folder: string, moment: RegExp): readonly string[] =>
  readdirSync(folder)
    .filter((name) => moment.test(name) && name.endsWith('.elf.xz'))
    .map((name) => join(folder, name));

async function read(path: string, log: boolean): Promise<{ findings: readonly Finding[]; handovers: readonly Handover[] }> {
  const { opened, report } = await loadDump(path, { log });
  opened.close();
  return { findings: report.findings, handovers: report.handovers };
}

const damaged = folders.filter((folder) => isObject(truthOf(folder).corruption));
const healthy = folders.filter((folder) => !isObject(truthOf(folder).corruption));

/** What the guest saw, as a kind of reaction and an errno. */
function reactionOf(truth: Json): { readonly kind: string; readonly errno: string | null } {
  const log = JSON.stringify(truth.log_stage2);
  if (log.includes('Kernel panic')) return { kind: 'panic', errno: null };
  if (log.includes('disabling KHO revival')) return { kind: 'cold-boot', errno: null };
  const open = truth.open_stage2;
  if (isObject(open) && open.ret === -1) return { kind: 'open-fails', errno: String(open.errno) };
  const errno = /"ret":-1,"errno":"(E\w+)"/.exec(JSON.stringify(truth.retrieved))?.[1];
  return { kind: 'retrieve-fails', errno: errno ?? null };
}

/** The nodes that a finding at `address` may be about: what stands there, and the structures around it. */
function around(handovers: readonly Handover[], address: number): readonly TreeNode[] {
  const found: TreeNode[] = [];
  const visit = (node: TreeNode): undefined => {
    if (node.address !== null && node.type.startsWith('struct') && node.address <= address && address < node.address + node.bits / 8) found.push(node);
  };
  for (const handover of handovers) walk(handover.node, visit);
  return found;
}

describe('damaged captures', () => {
  it('are all there', () => {
    expect(damaged.map((folder) => basename(folder)).sort()).toEqual(['count', 'fdt-compat', 'file-compat', 'luo-compat', 'pfn', 'seals', 'total-pages']);
  });

  const cases = damaged.flatMap((folder) => dumpsOf(folder, MOMENTS).map((dump) => [dump, folder] as const));
  it.each(cases)('%s: the first finding is the damage, with the reaction the kernel had', async (dump, folder) => {
    const truth = truthOf(folder);
    const where = isObject(truth.corruption) ? Number(truth.corruption.where) : Number.NaN;
    const { findings, handovers } = await read(dump, true);
    const first = findings[0];
    expect(first?.severity).toBe('error');
    expect([where, ...around(handovers, where).map((node) => node.address)]).toContain(first?.at);
    expect({ kind: first?.reaction?.kind, errno: first?.reaction?.errno }).toEqual(reactionOf(truth));
    expect(findings.filter((finding) => finding.severity === 'error')).toHaveLength(1);
  });
});

describe('healthy captures', () => {
  it('are all there', () => {
    expect(healthy).toHaveLength(10);
  });

  const cases = healthy.flatMap((folder) => dumpsOf(folder, MOMENTS));
  it.each([...cases.map((dump) => [dump, 'with'] as const), ...some(cases, 3).map((dump) => [dump, 'without'] as const)])(
    '%s: no error and no warning, %s the log',
    async (dump, log) => {
      const { findings } = await read(dump, log === 'with');
      expect(findings.filter((finding) => finding.severity !== 'info')).toEqual([]);
    },
  );
});

describe('later moments', () => {
  const later = folders.flatMap((folder) => dumpsOf(folder, /^s2-(?!at-)/));
  it.each(
    some(
      later.filter((dump) => !dump.includes('panicked')),
      2,
    ),
  )('%s: that pages were reused is said once, and nothing is called damaged for it', async (dump) => {
    const { findings, handovers } = await read(dump, false);
    const incoming = handovers.filter((handover) => handover.role === 'incoming' || handover.role === 'stale');
    for (const handover of incoming) {
      const own = findings.filter((finding) => finding.path === handover.path || finding.path?.startsWith(`${handover.path}/`) === true);
      expect(own.filter((finding) => finding.rule === 'moment/pages-reused').length).toBeLessThanOrEqual(1);
      const below = own.filter((finding) => finding.severity === 'error' && !/\/kho(\/fdt.*)?$/.test(finding.path ?? ''));
      expect(below).toEqual([]);
    }
    if (incoming.some((handover) => handover.role === 'incoming')) expect(findings.some((finding) => finding.rule === 'moment/pages-reused')).toBe(true);
  });

  it.each([
    ['samples/failed/71-to-73/s2-boot.sparse.elf.xz', 'moment/refused', 'cold-boot'],
    ['samples/failed/71-to-73/s2-boot.sparse.elf.xz', 'log/kho-refused', 'cold-boot'],
    ['samples/failed/fdt-compat/s2-boot.sparse.elf.xz', 'moment/refused', 'cold-boot'],
    ['samples/failed/kho-off/s2-boot.sparse.elf.xz', 'moment/not-taken-up', 'open-fails'],
    ['samples/failed/kho-off/s2-boot.sparse.elf.xz', 'log/kho-disabled', 'open-fails'],
    ['samples/failed/liveupdate-off/s2-boot.sparse.elf.xz', 'moment/liveupdate-off', 'open-fails'],
    ['samples/failed/liveupdate-off/s2-boot.sparse.elf.xz', 'log/switched-off', 'open-fails'],
    ['samples/failed/freeze-fails/s1-freeze-failed.sparse.elf.xz', 'log/freeze-failed', 'reboot-fails'],
    ['samples/vfio-7.3/s1-freeze-failed.sparse.elf.xz', 'log/freeze-failed', 'reboot-fails'],
    ['samples/failed/count/s2-after.sparse.elf.xz', 'log/deserialise-failed', 'open-fails'],
    ['samples/failed/file-compat/s2-after.sparse.elf.xz', 'log/no-handler', 'open-fails'],
    ['samples/failed/pfn/s2-after.sparse.elf.xz', 'log/restore-warning', 'retrieve-fails'],
    ['samples/failed/luo-compat/s2-panicked.sparse.elf.xz', 'log/panic', 'panic'],
  ])('%s says %s', async (dump, rule, kind) => {
    expect(existsSync(dump)).toBe(true);
    const { findings } = await read(dump, true);
    expect(findings.find((finding) => finding.rule === rule)?.reaction?.kind).toBe(kind);
  });

  it('ties log lines to the nodes they speak of', async () => {
    const { findings } = await read('samples/failed/file-compat/s1-frozen.sparse.elf.xz', true);
    const pathOf = (rule: string): string | null | undefined => findings.find((finding) => finding.rule === rule)?.path;
    expect(pathOf('log/no-handler')).toBe('outgoing/luo/sessions/db/files/0x1');
    expect(pathOf('log/deserialise-failed')).toBe('outgoing/luo/sessions/db');
  });
});
