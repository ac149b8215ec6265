/** Files that name more work than they hold: what ends it, and that it is told. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Budget, withBudget } from '../../src/codec/budget.js';
import { bufferSource, readAt } from '../../src/container/byte-source.js';
import { Tags } from '../../src/engine/kho/tags.js';
import { Work } from '../../src/engine/work.js';
import { broken, MOST_BYTES } from '../../tools/fuzz/plan.js';
import { bomb, bombs } from '../../tools/fuzz/bombs.js';
import { handover } from '../../tools/fuzz/made.js';
import { kdump, tar } from '../../tools/fuzz/image.js';
import { Random } from '../../tools/random.js';
import { luoInspect } from './run.js';
import { scratch } from '../scratch.js';
import { extent } from '../extent.js';

const folder = scratch();

const file = (name: string, bytes: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

/** A run that keeps every rule of the command line but those of time and memory, which the fuzzer watches. */
function run(args: readonly string[]): { readonly status: number; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = luoInspect(args);
  expect([...broken({ args, status: status ?? 99, stdout, stderr, cpu: 0, grown: 0 })], args.join(' ')).toEqual([]);
  return { status: status ?? 99, stdout, stderr };
}

describe('a file of each kind that multiplies work', () => {
  it.each(Object.keys(bombs))('%s', (name) => {
    const path = file(name, bombs[name]?.(new Random(1), (limit) => Math.ceil(limit / extent(16_000, 4000))) ?? new Uint8Array());
    for (const args of [
      ['diagnose', path, '--json'],
      ['diff', path, path, '--json'],
    ])
      run(args);
  });

  it('is the same for the same numbers', () => {
    const [a, b] = [bomb('memfds', new Random(7), 0.001), bomb('memfds', new Random(7), 0.001)];
    expect(Buffer.compare(a[0] === 0x1f ? gunzipSync(a) : a, b[0] === 0x1f ? gunzipSync(b) : b)).toBe(0);
  });
});

describe('a limit that ended something is told', () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ['table', 2000, 'shared-pages'],
    ['chunks', 100, 'shared-pages'],
    ['entries', 2000, 'entries'],
    ['roots', 50, 'handovers'],
  ];
  it.each(cases)('%s', (name, size, limit) => {
    const make = bombs[name];
    const path = file(`${name}-told`, make?.(new Random(2), (most) => Math.min(most, size)) ?? new Uint8Array());
    expect(run(['diagnose', path, '--json', '--limit', 'engine-map-pages=64', '--limit', `${limit}=8`]).stdout).toMatch(new RegExp(`--limit ${limit}=`));
  });
});

describe('a scenario that asks for more than a run may cost', () => {
  const head = 'schema: luo-inspect.scenario/1\ntitle: x\nmachine: { arch: x86_64, memory: 4096TiB }\nkernels: ["7.3"]\nsteps:\n';
  const memfd = (size: string, fill: string): string =>
    `  - { do: open, as: luo }\n  - { do: create-session, name: v, as: s }\n  - { do: memfd, as: m, size: ${size}${fill} }\n  - { do: preserve, session: s, fd: m, token: 1 }\n`;
  it.each([
    ['engine-blocks', memfd('512GiB', ''), 1000],
    ['engine-bytes', memfd('64MiB', ', fill: [ { page: 0, pages: 16384, seed: 3 } ]'), 1 << 20],
    ['engine-steps', '  - { do: open, as: luo }\n'.repeat(200), 100],
    ['engine-bytes', '  - { do: kexec }\n'.repeat(50), 1 << 20],
  ])('%s', (limit, steps, allowed) => {
    const { status, stdout } = run(['sim', file('bomb.yaml', head + steps), '--json', '--limit', `${limit}=${allowed}`]);
    const end: unknown = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    expect(status).toBe(1);
    expect(end).toMatchObject({ end: true, outcome: 'aborted', expectationsMet: false, reason: expect.stringContaining(`--limit ${limit}=${allowed * 8}`) });
  });
});

it('blocks that are preserved far from each other cost no more than others', () => {
  const tags = new Tags(4096, new Work());
  for (let block = 0; block < 100_000; block++) tags.set(block * 2 ** 34, 10);
  expect([tags.size, tags.get(2 ** 34), tags.get(2 ** 34 + 4096), tags.covers(2 ** 34 + 4096)]).toEqual([100_000, 10, undefined, true]);
  tags.set(2 ** 34, 0);
  tags.take(0);
  expect([tags.size, tags.get(2 ** 34), tags.get(0)]).toEqual([99_999, 0, undefined]);
  const few = withBudget(new Budget({ 'engine-map-pages': 10 }), () => new Tags(4096, new Work()));
  expect(() => {
    for (let block = 0; block < 1000; block++) few.set(block * 2 ** 30, 0);
  }).toThrow(/--limit engine-map-pages=80 goes on/);
});

it('what a limit ended is told where there are no findings', () => {
  const path = file('ledger', bombs.chunks?.(new Random(2), (most) => Math.min(most, 100)) ?? new Uint8Array());
  expect(run(['ledger', path, '--json']).stderr).toMatch(/^luo-inspect: not all of it was looked at: .*--limit shared-pages=131072 goes on$/m);
  // `diff` has a note of it, and is no success.
  const diff = run(['diff', path, path]);
  expect([diff.status, diff.stderr]).toEqual([1, '']);
  expect(diff.stdout.replaceAll(/\s+/g, ' ')).toContain('--limit shared-pages=131072');
});

it('a table that many memfds lead to is read again up to a limit, by every command', () => {
  const path = file('tables', bombs['shared-files']?.(new Random(1), () => 12) ?? new Uint8Array());
  const limited = (args: readonly string[]): string => {
    const { stdout, stderr } = run([...args, '--limit', 'shared-pages=50']);
    return stdout + stderr;
  };
  for (const args of [
    ['diagnose', path, '--json'],
    ['ledger', path],
    ['diff', path, path],
  ])
    expect(limited(args)).toMatch(/--limit shared-pages=400/);
});

it('folios that many files lead to are listed once, and then up to a limit', () => {
  const path = file('listed', bombs['shared-files']?.(new Random(1), () => 3) ?? new Uint8Array());
  const [all, few] = [luoInspect(['report', path, '--json', '--no-log']), luoInspect(['report', path, '--json', '--no-log', '--limit', 'shared-runs=5'])];
  const runs = ({ stdout }: { readonly stdout: string }): number => stdout.match(/"pfn"/g)?.length ?? 0;
  expect(runs(all)).toBeGreaterThan(runs(few));
  expect(runs(few)).toBe(runs(all) / 9 + 5);
  expect(few.stderr).toMatch(/--limit shared-runs=40 goes on\n$/);
});

it('a size that damage made is compared piece by piece, not page by page', () => {
  const path = file('size', bombs.table?.(new Random(3), () => 1) ?? new Uint8Array());
  const { stdout } = run(['diff', path, path, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ schema: 'luo-inspect.diff/1' });
  expect(MOST_BYTES).toBe(500 << 20);
});

it('a page that can’t be unpacked hides itself, not what stands behind it', () => {
  const { bytes } = kdump(handover(new Random(5)).bytes, new Random(5));
  const first = readAt(bufferSource('dump', bytes), 4 * 4096, 24);
  const whole = run(['report', file('whole.kdump', bytes), '--no-log']);
  const damaged = Buffer.from(bytes);
  damaged.fill(0xff, Number(Buffer.from(first).readBigUInt64LE(0)), Number(Buffer.from(first).readBigUInt64LE(0)) + 16);
  damaged.writeUInt32LE(1, 4 * 4096 + 12);
  const { status, stdout } = run(['report', file('damaged.kdump', damaged), '--no-log']);
  expect(status).toBe(whole.status);
  expect(stdout.replace('damaged.kdump', 'whole.kdump')).toBe(whole.stdout);
});

describe('texts that multiply work', () => {
  const mail = (lines: readonly string[]): string =>
    [
      'From 0 Mon Sep 17 00:00:00 2001',
      'From: a <a@b>',
      'Subject: [PATCH] x',
      '',
      '---',
      'diff --git a/include/linux/kho/abi/luo.h b/include/linux/kho/abi/luo.h',
      'new file mode 100644',
      '--- /dev/null',
      '+++ b/include/linux/kho/abi/luo.h',
      `@@ -0,0 +1,${lines.length} @@`,
      ...lines.map((line) => `+${line}`),
      '',
    ].join('\n');

  it('macros that each name the one before twice, and numbers that are none', () => {
    const macros = [
      '#define A0 1',
      ...Array.from({ length: 30 }, (_, index) => `#define A${index + 1} (A${index} + A${index})`),
      'struct luo_ser { u8 x[A30]; };',
    ];
    expect(run(['abi', 'gate', file('macros.mbox', mail(macros))]).status).toBe(0);
    const squares = [
      '#define B0 0xffffffff',
      ...Array.from({ length: 30 }, (_, index) => `#define B${index + 1} (B${index} * B${index})`),
      '#define C 09',
      '#define D 0x',
    ];
    expect(run(['abi', 'gate', file('squares.mbox', mail(squares))]).status).toBe(0);
  });

  const scenario = 'samples/scenarios/memfd-life.yaml';
  it.each([
    ['yaml-bytes=10', ['sim', scenario], 2],
    ['yaml-bytes=10', ['diagnose', 'failed/seals/s2-at-kho_memory_init', '--suppress', scenario], 2],
    ['gate-lines=2', ['abi', 'gate', file('lines.mbox', mail(['struct a { u8 x; };', '', '']))], 2],
    ['archive-bytes=512', ['report', file('x.tar', tar([['in/fdt', new Uint8Array(600)]]))], 2],
    ['explore-work=300', ['explore', scenario], 0],
  ] as const)('%s: %j', (limit, args, status) => {
    const [name] = limit.split('=');
    const ended = luoInspect([...args, '--limit', limit]);
    expect(ended.status).toBe(status);
    expect(ended.stderr).toMatch(new RegExp(`^luo-inspect: [^\\n]*--limit ${name}=\\d+[^\\n]*\\n$`));
  });
});
