/**
 * A transcript a rule: one damage to a capture, and what is said of it, in transcripts/damages.txt (renewed by `--update`, and read before
 * it is kept). Rules about situations fire on captures as they are, and on a log. A rule that is in no transcript fails here, unless another
 * test asserts that it fires: `fires('<rule>', …)`, or a row of situations.test.ts.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDump } from '../../src/cli/load-dump.js';
import { openDump } from '../../src/container/open.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import type { Finding } from '../../src/diagnosis/finding.js';
import { parseConsoleLog } from '../../src/diagnosis/log/console-log.js';
import { rules } from '../../src/diagnosis/rules/index.js';
import { type DecodedDump, decodeHandovers } from '../../src/handover/decode.js';
import { overlayMemory, type Patch } from '../../src/memory/overlay.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { type TreeNode, walk } from '../../src/tree/tree.js';
import { consoleLog, orderDamages } from './transcripts/made.js';

interface Damage {
  readonly rule: string;
  readonly image: string;
  /** of the field's node */
  readonly path: string;
  /** in hex */
  readonly bytes: string;
}

const damages: readonly Damage[] = JSON.parse(readFileSync('test/diagnosis/transcripts/damages.json', 'utf8'));
/** Captures whose situation a rule is about. */
const SITUATIONS = [
  'failed/71-to-73/s1-frozen',
  'failed/71-to-73/s2-after',
  'failed/count/s1-frozen',
  'failed/file-compat/s1-frozen',
  'failed/kho-off/s1-frozen',
  'failed/liveupdate-off/s2-after',
  'failed/luo-compat/s1-frozen',
  'failed/pfn/s1-frozen',
  'handover-6.18/s1-frozen',
  'handover-7.1/s2-boot',
  'handover-7.3/s2-at-kho_memory_init',
  'vfio-7.3/s1-freeze-failed',
  'vfio-7.3/s2-at-kho_memory_init',
] as const;

const key = ({ rule, at, severity, message }: Finding): string => `${rule} ${at} ${severity} ${message}`;

interface Image {
  readonly memory: PhysicalMemory;
  readonly read: (memory: PhysicalMemory) => DecodedDump;
  readonly before: ReadonlySet<string>;
  readonly nodes: ReadonlyMap<string, TreeNode>;
}

async function withImage<T>(path: string, use: (image: Image) => T): Promise<T> {
  const opened = await openDump(path);
  try {
    const runningRelease = opened.vmcoreinfo?.get('OSRELEASE') ?? null;
    const read = (memory: PhysicalMemory): DecodedDump => decodeHandovers({ memory, runningRelease });
    const base = read(opened.memory);
    const nodes = new Map<string, TreeNode>();
    const keep = (node: TreeNode): undefined => {
      if (node.address !== null && node.bits > 0) nodes.set(node.path, node);
    };
    for (const handover of base.handovers) walk(handover.node, keep);
    return use({ memory: opened.memory, read, before: new Set(diagnose(base).map(key)), nodes });
  } finally {
    opened.close();
  }
}

const idsOf = (found: readonly Finding[]): string => {
  const ids = found.map(({ rule }) => rule);
  return [...new Set(ids)].map((id) => `${ids.filter((other) => other === id).length} ${id}`).join(', ');
};

/** What is new, cause first, its consequences by their rules. */
function told(image: Image, { address, bytes }: Patch, most: number): readonly string[] {
  const fresh = diagnose(image.read(overlayMemory(image.memory, [{ address, bytes }]))).filter((finding) => !image.before.has(key(finding)));
  const causes = fresh.filter(({ because }) => because === null);
  const lines = causes.slice(0, most).map(({ id, severity, rule, at, message }) => {
    const consequences = fresh.filter(({ because }) => because === id);
    const more = consequences.length === 0 ? '' : ` (of it come ${idsOf(consequences)})`;
    return `    ${severity} ${rule} at ${at === null ? 'no address' : `0x${at.toString(16)}`}: ${message}${more}`;
  });
  return causes.length > most ? [...lines, `    and ${idsOf(causes.slice(most))}`] : lines;
}

const images = [...new Set(damages.map(({ image }) => image))];

describe('damages', () => {
  it('are told as the transcripts say', { timeout: 600_000 }, async () => {
    const lines: string[] = [];
    const unsaid: string[] = [];
    for (const name of images)
      await withImage(join('samples', name), (image) => {
        lines.push(`# ${name}`);
        for (const { rule, path, bytes } of damages.filter((damage) => damage.image === name)) {
          const node = image.nodes.get(path);
          if (node?.address == null) throw new Error(`${name} has no ${path}`);
          const all = told(image, { address: node.address, bytes: Buffer.from(bytes, 'hex') }, 6);
          lines.push(`${rule}: ${path} = ${bytes}`, ...all);
          if (!all.some((line) => new RegExp(` ${rule}( at|,|\\)|$)`).test(line))) unsaid.push(`${rule}: ${path} = ${bytes}`);
        }
      });
    for (const [what, path, make] of orderDamages)
      await withImage(path, (image) => {
        const patch = make(image.read(image.memory), image.memory);
        lines.push(`# ${path}: ${what}`, ...told(patch.bytes.length === 0 ? { ...image, before: new Set() } : image, patch, 4));
      });
    for (const name of SITUATIONS) {
      const { opened, report } = await loadDump(join('samples', `${name}.sparse.elf.xz`));
      opened.close();
      lines.push(`# ${name}: as it is`, `    ${idsOf(report.findings)}`);
    }
    await withImage('samples/handover-7.3/s2-boot.sparse.elf.xz', ({ memory, read }) => {
      lines.push('# handover-7.3/s2-boot, and a log', `    ${idsOf(diagnose(read(memory), { log: parseConsoleLog('console.log', consoleLog) }))}`);
    });
    expect(unsaid).toEqual([]);
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('transcripts/damages.txt');
  });

  it('leave no rule without a test', () => {
    const transcript = readFileSync('test/diagnosis/transcripts/damages.txt', 'utf8').match(/^ {4}.*/gm) ?? [];
    const sources = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
    const texts = sources.map((name) => readFileSync(join('test', name), 'utf8')).join('\n');
    const fired = new Set<string>();
    for (const [, id = ''] of transcript.join('\n').matchAll(/(?:error|warning|info|\d+) ([a-z-]+\/[a-z0-9-]+)(?= at |,|\)|$)/gm)) fired.add(id);
    for (const [, id = ''] of texts.matchAll(/\bfires\(\s*'([^']+)'/g)) fired.add(id);
    for (const [, id = ''] of readFileSync('test/diagnosis/situations.test.ts', 'utf8').matchAll(/\[\s*'([^']+)',\s*\/.*\/,\s*\(image\) =>/g)) fired.add(id);
    expect(rules.map(({ id }) => id).filter((id) => !fired.has(id))).toEqual([]);
  });
});
