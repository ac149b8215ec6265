/** Console logs: boots, times, and which lines the kernel of a dump can have printed. */
import { expect, it } from 'vitest';
import { loadDump } from '../../src/cli/load-dump.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { parseConsoleLog } from '../../src/diagnosis/log/console-log.js';
import { placedLines, situationOf } from '../../src/diagnosis/log/situate.js';
import { deathIn } from '../../src/diagnosis/log/death.js';

const BANNER = '[    0.000000] Linux version 7.3.4 (root@vm) #1';
const GIVEN = '[    0.000000] KHO: found kexec handover data.';

it('splits a log into boots at each banner, and takes times and prefixes off', () => {
  const log = parseConsoleLog('x', `rest of an older boot\n${BANNER}\r\n<6>[    1.250000] luo: hello\n[    2.5][    T1] luo: by a thread\nplain\n${BANNER}\n`);
  expect(log.boots.map((boot) => boot.release)).toEqual([null, '7.3.4', '7.3.4']);
  expect(log.boots[1]?.lines.map(({ number, time, text }) => [number, time, text])).toEqual([
    [2, 0, 'Linux version 7.3.4 (root@vm) #1'],
    [3, 1.25, 'luo: hello'],
    [4, 2.5, 'luo: by a thread'],
    [5, null, 'plain'],
  ]);
});

it('reads what journalctl -k prints', () => {
  const log = parseConsoleLog('x', 'Nov 21 01:02:03 host kernel: [    0.000000] Linux version 7.1.13 (a@b)\n');
  expect(log.boots[0]?.release).toBe('7.1.13');
});

it('bounds lines and their number', () => {
  const log = parseConsoleLog('x', `${'a'.repeat(1 << 20)}\n${'b\n'.repeat(300_000)}`);
  expect(log.cut).toBe(true);
  expect(log.boots[0]?.lines[0]?.text.length).toBeLessThan(2000);
});

async function severities(dump: string, text: string): Promise<readonly string[]> {
  const { opened, report } = await loadDump(dump, { log: false });
  opened.close();
  return diagnose(report.decoded, { log: parseConsoleLog('log', text) })
    .filter((finding) => finding.rule.startsWith('log/'))
    .map((finding) => `${finding.severity} ${finding.rule}`);
}

const FAILING = "luo: No registered handler for compatible 'memfd-v9'";

it('holds a line against the dump only once its kernel can have printed it', async () => {
  const twoBoots = `${BANNER}\n${BANNER}\n${GIVEN}\n[    1.9] ${FAILING}\n`;
  expect(await severities('samples/handover-7.3/s1-frozen.sparse.elf.xz', twoBoots)).toEqual(['info log/no-handler']);
  expect(await severities('samples/handover-7.3/s2-at-kho_memory_init.sparse.elf.xz', twoBoots)).toEqual(['info log/no-handler']);
  expect(await severities('samples/handover-7.3/s2-boot.sparse.elf.xz', twoBoots)).toEqual(['error log/no-handler']);
});

it.each([
  ['luo: Failed to insert session [vm-0] -EEXIST', 'log/deserialise-failed', 'incoming/luo/sessions/vm-0'],
  ['luo: File count mismatch: expected 8, found 7', 'log/deserialise-failed', 'incoming/luo/sessions/vm-0'],
  ['luo: Freeze failed for token[0xdeadbeefcafef00d] handler[memfd-v2] err[-EIO]', 'log/freeze-failed', 'incoming/luo/sessions/vm-0/files/0xdeadbeefcafef00d'],
  ['Block contains invalid entry count: 0', 'log/luo-refused', 'incoming'],
  ['luo: Unable to finish session [vm-0] on release', 'log/finish-failed', 'incoming/luo/sessions/vm-0'],
])('%s: %s at %s', async (line, rule, path) => {
  const { opened, report } = await loadDump('samples/handover-7.3/s2-at-kho_memory_init.sparse.elf.xz', { log: false });
  opened.close();
  const found = diagnose(report.decoded, { log: parseConsoleLog('log', `${BANNER}\n${BANNER}\n${GIVEN}\n[    1.9] ${line}\n`) }).filter(
    (finding) => finding.rule === rule,
  );
  expect(found.map((finding) => finding.path)).toEqual([path]);
});

it('is cut where the dump’s own printk buffer ends; one that has nothing of the buffer places nothing', async () => {
  const { decoded } = (await loadDump('samples/handover-7.3/s2-boot.sparse.elf.xz', { log: false })).report;
  const log = parseConsoleLog('x', `${BANNER}\n${BANNER}\n${GIVEN}\n[    1.500000] before\n[    2.500000] Kernel panic - not syncing: later\n`);
  const placed = (inDump: readonly { time: number; text: string }[]) =>
    [...placedLines({ ...log, inDump }, situationOf(decoded))].slice(2).map(({ when }) => when);
  expect(placed([])).toEqual(['present', 'present', 'present']);
  expect(placed([{ time: 1.5, text: 'before' }])).toEqual(['present', 'present', 'future']);
  expect(placed([{ time: 1.5, text: 'of another run' }])).toEqual(['unplaced', 'unplaced', 'unplaced']);
  expect(deathIn(log, decoded)?.text).toBe('Kernel panic - not syncing: later');
  expect(deathIn({ ...log, inDump: [{ time: 1.5, text: 'before' }] }, decoded)).toBeNull();
});

it('messages of the queue, where scratch is bootmem, are those of releases', async () => {
  const said = (line: string) => severities('samples/handover-7.3/s2-boot.sparse.elf.xz', `${BANNER}\n${GIVEN}\n[    0.010000] ${line}\n`);
  for (const [released, queued] of [
    ['KHO: Failed to reserve scratch area, disabling kexec handover', 'KHO: Failed to reserve bootmem, disabling kexec handover'],
    ['KHO: Failed to reserve lowmem scratch buffer', 'KHO: Failed to reserve lowmem bootmem'],
    ['KHO: Failed to reserve nid 0 scratch buffer', 'KHO: Failed to reserve nid 0 bootmem'],
    ['KHO: setup: failed to memremap scratch (phys=0x1000, len=64)', 'KHO: setup: failed to memremap bootmem (phys=0x1000, len=64)'],
  ] as const) {
    const told = await said(queued);
    expect(told, queued).toEqual(await said(released));
    expect(told.length, queued).toBeGreaterThan(0);
  }
});
