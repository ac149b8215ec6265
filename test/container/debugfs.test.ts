/** Copied kho folders: real ones of 7.3 and 6.18, either side alone, triage folders, and incomplete ones. */
import { cpSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDump } from '../../src/container/open.js';
import { readBytes } from '../../src/memory/memory.js';
import { fixture, refusal, scratchFolder } from './inputs.js';

const { fileOf, temporary } = scratchFolder();

const scratch = [
  { start: 0xb400000, size: 0x4000000 },
  { start: 0xb000000, size: 0x400000 },
  { start: 0xac00000, size: 0x400000 },
];
const hex = (value: number | null): string | null => (value === null ? null : `0x${value.toString(16)}`);

describe('7.3 after the handover', () => {
  test('both sides, with the address of the FDT from boot_params beside the folder', async () => {
    const dump = await openDump(fixture('handover-7.3-s2-boot-kho'));
    expect([dump.container, dump.arch]).toEqual(['debugfs', 'x86_64']);
    const [incoming, outgoing] = dump.handoverFiles;
    expect(incoming).toMatchObject({ role: 'incoming', fdtAddress: 0x2ec9000, truncated: false, scratch: null });
    expect(incoming?.fdt).toHaveLength(405);
    expect(incoming?.subtrees.map(({ name, address, bytes }) => [name, hex(address), bytes.length])).toEqual([
      ['LUO', '0x3fc0000', 32],
      ['kexec-metadata', '0x2ecf000', 73],
      ['kho_test', '0x3586000', 240],
      ['memblock', '0x3fc2000', 210],
    ]);
    expect(outgoing).toMatchObject({ role: 'outgoing', fdtAddress: null, truncated: false, scratch });
    expect(outgoing?.fdt).toHaveLength(0);
    expect(outgoing?.subtrees.map(({ address }) => address)).toEqual([null, null, null]);
  });

  test('the memory is the blobs; the rest is not in it', async () => {
    const { memory } = await openDump(fixture('handover-7.3-s2-boot-kho'));
    expect(readBytes(memory, 0x3fc2000, 4)).toEqual({ ok: true, bytes: Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed) });
    expect(readBytes(memory, 0x2ec9000, 4)).toEqual({ ok: true, bytes: Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed) });
    expect(readBytes(memory, 0x3fc2000, 4096)).toMatchObject({ ok: false, state: 'excluded', at: 0x3fc2000 + 210 });
    expect(memory.stateOf(0)).toBe('excluded');
  });

  test.each(['in', 'out'])('%s alone', async (side) => {
    const dump = await openDump(join(fixture('handover-7.3-s2-boot-kho'), side));
    expect(dump.handoverFiles.map(({ role }) => role)).toEqual([side === 'in' ? 'incoming' : 'outgoing']);
    expect(dump.handoverFiles[0]?.fdtAddress).toBe(side === 'in' ? 0x2ec9000 : null);
  });
});

test('the names of the queue: bootmem in place of scratch, the same areas', async () => {
  const folder = join(temporary('bootmem'), 'kho');
  cpSync(fixture('handover-7.3-s2-boot-kho'), folder, { recursive: true });
  for (const [old, queued] of [
    ['scratch_phys', 'bootmem_phys'],
    ['scratch_len', 'bootmem_len'],
  ] as const)
    renameSync(join(folder, 'out', old), join(folder, 'out', queued));
  const dump = await openDump(folder);
  expect(dump.handoverFiles[1]).toMatchObject({ role: 'outgoing', scratch });
  expect((await openDump(join(folder, 'out'))).handoverFiles.map(({ role }) => role)).toEqual(['outgoing']);
});

test('7.3 before the handover: of an FDT cut short, the addresses that can still be told', async () => {
  const dump = await openDump(fixture('handover-7.3-s1-preserved-kho'));
  const [outgoing] = dump.handoverFiles;
  expect(outgoing).toMatchObject({ role: 'outgoing', truncated: true, scratch });
  expect(outgoing?.fdt).toHaveLength(233);
  expect(outgoing?.subtrees.map(({ name, address }) => [name, hex(address)])).toEqual([
    ['LUO', '0x3fc0000'],
    ['kexec-metadata', null],
    ['kho_test', null],
    ['memblock', '0x3fc2000'],
  ]);
  expect(dump.evidence.join('\n')).toContain('233 of 405 bytes');
});

test('6.18: subtrees are recorded under the name `fdt`', async () => {
  const dump = await openDump(fixture('handover-6.18-s2-boot-kho'));
  expect(dump.handoverFiles[0]?.subtrees.map(({ name, address }) => [name, hex(address)])).toEqual([
    ['kho_test', '0x38ac000'],
    ['memblock', '0x44b9000'],
  ]);
});

describe('other folders', () => {
  test('a triage folder, and a folder with kho in it', async () => {
    const triage = temporary('triage');
    cpSync(fixture('handover-7.3-s2-boot-kho/in'), join(triage, 'kho-in'), { recursive: true });
    cpSync(fixture('handover-7.3-s2-boot-kho/out'), join(triage, 'kho-out'), { recursive: true });
    expect((await openDump(triage)).handoverFiles.map(({ role }) => role)).toEqual(['incoming', 'outgoing']);
    const debug = temporary('debug');
    cpSync(fixture('handover-7.3-s2-boot-kho'), join(debug, 'kho'), { recursive: true });
    expect((await openDump(debug)).handoverFiles).toHaveLength(2);
  });

  test('scratch files that do not agree are not taken', async () => {
    const folder = temporary('odd-scratch/out');
    mkdirSync(folder, { recursive: true });
    fileOf('odd-scratch/out/scratch_phys', '0x1000\n0x2000\n');
    fileOf('odd-scratch/out/scratch_len', '0x1000\nmany\n');
    const dump = await openDump(folder);
    expect(dump.handoverFiles[0]).toMatchObject({ role: 'outgoing', scratch: null });
    expect(dump.evidence.join('\n')).toContain('scratch_phys and scratch_len do not hold');
  });

  test('a folder that holds such folders says which', async () => {
    expect(await refusal(fixture('.'))).toMatch(/give one dump in it, such as/);
  });
});
