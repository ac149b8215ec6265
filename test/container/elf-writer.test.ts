/** The ELF writer: what it writes reads back as it was, here and with the machine's own tools where there are any. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/codec/user-error.js';
import { writeElfCore } from '../../src/container/elf-writer.js';
import { openDump } from '../../src/container/open.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { readBytes } from '../../src/memory/memory.js';
import { concat, fixture, page, scratchFolder } from './inputs.js';

const { temporary } = scratchFolder();

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;

describe('round trip', () => {
  const vmcoreinfo = new Map([
    ['OSRELEASE', '7.3.4'],
    ['PAGESIZE', '4096'],
  ]);

  test('memory, VMCOREINFO and architecture come back', async () => {
    const memory = bufferMemory([
      { start: 0x3000, bytes: concat(page(3), new Uint8Array(8192), page(6)) },
      { start: 0x100000, bytes: page(9).subarray(0, 100) },
    ]);
    const path = temporary('written.elf');
    await writeElfCore(path, { memory, arch: 'aarch64', vmcoreinfo });
    const dump = await openDump(path);
    expect(dump.arch).toBe('aarch64');
    expect(dump.vmcoreinfo).toEqual(vmcoreinfo);
    expect(dump.memory.readable).toEqual(memory.readable);
    for (const { start, end } of memory.readable) expect(readBytes(dump.memory, start, end - start)).toEqual(readBytes(memory, start, end - start));
    dump.close();
  });

  test('ranges that follow each other become one', async () => {
    const path = temporary('joined.elf');
    await writeElfCore(path, {
      memory: bufferMemory([
        { start: 0x1000, bytes: page(1) },
        { start: 0x2000, bytes: page(2) },
      ]),
      arch: 'x86_64',
      vmcoreinfo,
    });
    const dump = await openDump(path);
    expect(dump.memory.readable).toEqual([{ start: 0x1000, end: 0x3000 }]);
    expect(readBytes(dump.memory, 0x1000, 0x2000)).toEqual({ ok: true, bytes: concat(page(1), page(2)) });
    dump.close();
  });

  test('more ranges than e_phnum can count', async () => {
    const segments = Array.from({ length: 65600 }, (_, index) => ({ start: index * 0x2000, bytes: Uint8Array.of(index & 255) }));
    const memory = bufferMemory(segments);
    const path = temporary('many.elf');
    await writeElfCore(path, { memory, arch: 'x86_64', vmcoreinfo: new Map() });
    const dump = await openDump(path);
    expect(dump.memory.readable).toEqual(memory.readable);
    expect(dump.vmcoreinfo).toBeNull();
    expect(readBytes(dump.memory, 65599 * 0x2000, 1)).toEqual({ ok: true, bytes: Uint8Array.of(65599 & 255) });
    dump.close();
    expect(statSync(path).blocks * 512).toBeLessThan(statSync(path).size);
  });

  test('a failed write says so and leaves no file', async () => {
    await expect(writeElfCore('/proc/none/x', { memory: bufferMemory([]), arch: 'x86_64', vmcoreinfo })).rejects.toThrow(UserError);
    const path = temporary('unreadable.elf');
    const unreadable = { ...bufferMemory([{ start: 0, bytes: page(0) }]), readInto: () => 7 };
    await expect(writeElfCore(path, { memory: unreadable, arch: 'x86_64', vmcoreinfo })).rejects.toThrow(/memory at 0x7 could not be read/);
    expect(existsSync(path)).toBe(false);
  });
});

async function rewritten(name: string): Promise<string> {
  const path = temporary(name);
  const dump = await openDump(fixture('sixteen-pages.elf.xz'));
  await writeElfCore(path, { memory: dump.memory, arch: 'x86_64', vmcoreinfo: dump.vmcoreinfo ?? new Map() });
  dump.close();
  return path;
}

if (has('readelf'))
  test('oracle readelf: header, program headers and notes as written', async () => {
    const path = await rewritten('readelf.elf');
    const out = execFileSync('readelf', ['-hlnW', path], { encoding: 'utf8' });
    expect(out).toMatch(/Type:\s+CORE/);
    expect(out).toMatch(/Number of program headers:\s+11/);
    expect(out).toMatch(/LOAD\s+0x\w+ 0x0+ 0x0000000002ec9000 0x001000 0x001000/);
    expect(out).toContain('VMCOREINFO');
  });

if (has('makedumpfile'))
  test('oracle makedumpfile: reads the core and compresses it to the same memory', async () => {
    const core = await rewritten('makedumpfile.elf');
    const want = await openDump(core);
    for (const option of ['-c', '-l']) {
      const path = temporary(`makedumpfile${option}.kdump`);
      execFileSync('makedumpfile', [option, '-d', '1', core, path], { stdio: 'pipe' });
      expect(readFileSync(path).subarray(0, 8).toString('latin1')).toBe('KDUMP   ');
      const dump = await openDump(path);
      expect(dump.memory.readable).toEqual(want.memory.readable);
      for (const { start, end } of want.memory.readable) expect(readBytes(dump.memory, start, end - start)).toEqual(readBytes(want.memory, start, end - start));
      dump.close();
    }
    want.close();
  });
