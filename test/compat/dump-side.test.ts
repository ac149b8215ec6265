import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkCompat } from '../../src/compat/check.js';
import { type DumpSource, handingOver, takingOver } from '../../src/compat/dump-side.js';
import { releaseSide } from '../../src/compat/release-side.js';
import type { Side } from '../../src/compat/side.js';
import type { CompatResult } from '../../src/compat/verdict.js';
import { openDump } from '../../src/container/open.js';
import { decodeHandovers } from '../../src/handover/decode.js';

const samples = fileURLToPath(new URL('../../samples/', import.meta.url));

async function sideOf(sample: string, role: 'from' | 'to'): Promise<Side> {
  const path = `${samples}${sample}`;
  const opened = await openDump(path);
  try {
    const runningRelease = opened.vmcoreinfo?.get('OSRELEASE') ?? null;
    const decoded = decodeHandovers({ memory: opened.memory, files: opened.handoverFiles, khoFdt: null, runningRelease });
    const source: DumpSource = { path: sample, pageSize: opened.memory.pageSize, runningRelease };
    return role === 'from' ? handingOver(source, decoded) : takingOver(source, decoded);
  } finally {
    opened.close();
  }
}

const from = (sample: string): Promise<Side> => sideOf(sample, 'from');
const rows = (result: CompatResult, layer: string) => result.layers.filter((row) => row.layer === layer);
const frozen = (name: string): string => `${name}/s1-frozen.sparse.elf.xz`;
const early = (name: string): string => `${name}/s2-at-kho_memory_init.sparse.elf.xz`;

describe('what captures hold, against the kernel that received it', () => {
  it.each([
    ['handover-7.3', '7.3.4'],
    ['handover-7.1', '7.1.13'],
    ['handover-6.18', '6.18.15'],
    ['failed/freeze-fails', '7.3.4'],
    ['failed/early-finish', '7.3.4'],
  ])('%s was taken over', async (name, release) => {
    for (const moment of [frozen(name), early(name)].filter((path) => existsSync(`${samples}${path}`))) {
      const result = checkCompat(await from(moment), releaseSide(release));
      expect(result.verdict, moment).toBe('compatible');
      for (const row of result.layers.filter((one) => one.from !== null)) expect(row, `${moment} ${row.layer}`).toMatchObject({ outcome: 'taken-over' });
    }
  });

  it('counts what is in it', async () => {
    const result = checkCompat(await from(frozen('handover-7.3')), releaseSide('7.3'));
    expect(rows(result, 'luo')[0]?.text).toMatch(/\(3 sessions\)$/);
    expect(rows(result, 'memfd')[0]?.text).toMatch(/\(12 files\)$/);
    expect(rows(result, 'liveupdate-test-flb')).toHaveLength(3);
  });

  it('failed/71-to-73: the root was refused, and nothing else looked at', async () => {
    const result = checkCompat(await from(frozen('failed/71-to-73')), releaseSide('7.3.4'));
    expect(result.verdict).toBe('incompatible');
    const [root, ...rest] = result.layers;
    expect(root).toMatchObject({ layer: 'kho', from: 'kho-v3', to: 'kho-v4', outcome: 'cold-boot' });
    for (const row of rest) expect(row).toMatchObject({ outcome: 'ignored', text: 'not reached' });
  });

  it.each([
    ['fdt-compat', 'kho', 'cold-boot', null],
    ['luo-compat', 'luo', 'panic', null],
    ['file-compat', 'memfd', 'open-fails', 'EIO'],
  ])('failed/%s: %s, %s', async (name, layer, outcome, errno) => {
    const result = checkCompat(await from(early(`failed/${name}`)), releaseSide('7.3.4'));
    expect(result.verdict).toBe('incompatible');
    const refusing = result.layers.filter((row) => row.severity === 'error');
    expect(refusing).toMatchObject([{ layer, outcome, errno }]);
    expect(checkCompat(await from(frozen(`failed/${name}`)), releaseSide('7.3.4')).layers.map((row) => row.layer)).toEqual(
      expect.arrayContaining(['kho', 'luo']),
    );
  });

  it('vfio-7.3: no release has the handler, so no session can be reached', async () => {
    const result = checkCompat(await from(frozen('vfio-7.3')), releaseSide('7.3'));
    expect(rows(result, 'vfio-pci')).toMatchObject([{ from: 'vfio-pci-v1', to: null, outcome: 'open-fails', errno: 'EIO' }]);
    expect(rows(result, 'pci')).toMatchObject([{ from: 'pci-v2', to: null, outcome: 'ignored' }]);
    expect(rows(result, 'memfd')).toMatchObject([{ outcome: 'ignored', text: 'not reached' }]);
    const patched = await sideOf(frozen('vfio-7.3'), 'to');
    expect(checkCompat(await from(frozen('vfio-7.3')), patched).verdict).toBe('compatible');
  });

  it('tells the two forms of kho-v1 by the map, or by who wrote it', async () => {
    const result = checkCompat(await from(frozen('handover-6.18')), releaseSide('6.17.8'));
    expect(rows(result, 'kho')).toMatchObject([{ from: 'kho-v1', to: 'kho-v1', outcome: 'corrupts' }]);
    expect(rows(result, 'memblock')).toMatchObject([{ outcome: 'taken-over' }]);
    expect(result.remarks[0]).toMatchObject({ rule: 'compat/layout-changed' });
  });

  it.each(['handover-7.3', 'vfio-7.3'])('%s before anything is serialised: which files there are cannot be told', async (name) => {
    const result = checkCompat(await from(`${name}/s1-preserved.sparse.elf.xz`), releaseSide('7.3'));
    expect(rows(result, 'kho')).toMatchObject([{ outcome: 'taken-over' }]);
    expect(rows(result, 'memfd')).toMatchObject([{ outcome: 'unknown' }]);
    expect(rows(result, 'memfd')[0]?.text).toMatch(/^unknown, because no session had been serialised .* but memfd-v2$/);
    expect(result.verdict).toBe('unknown');
  });
});

describe('dump to dump', () => {
  it('sees kho=off', async () => {
    const result = checkCompat(await from(frozen('failed/kho-off')), await sideOf('failed/kho-off/s2-boot.sparse.elf.xz', 'to'));
    expect(result.verdict).toBe('incompatible');
    expect(rows(result, 'kho')[0]?.text).toMatch(/kho=off/);
    expect(rows(result, 'memblock')).toMatchObject([{ outcome: 'taken-over' }]);
    expect(rows(result, 'luo')).toMatchObject([{ outcome: 'open-fails', errno: 'ENOENT' }]);
    expect(rows(result, 'memfd')).toMatchObject([{ outcome: 'ignored', text: 'not reached' }]);
  });

  it('sees liveupdate=off', async () => {
    const result = checkCompat(await from(frozen('failed/liveupdate-off')), await sideOf('failed/liveupdate-off/s2-boot.sparse.elf.xz', 'to'));
    expect(rows(result, 'kho')).toMatchObject([{ outcome: 'taken-over' }]);
    expect(rows(result, 'luo')).toMatchObject([{ outcome: 'open-fails', errno: 'ENOENT' }]);
    expect(rows(result, 'kexec-metadata')).toMatchObject([{ outcome: 'taken-over' }]);
    expect(result.verdict).toBe('incompatible');
  });

  it('takes a kernel that was told to take over at its word', async () => {
    for (const name of ['handover-7.3', 'handover-7.1']) {
      const result = checkCompat(await from(frozen(name)), await sideOf(`${name}/s2-boot.sparse.elf.xz`, 'to'));
      expect(result.verdict, name).toBe('compatible');
    }
    const cold = checkCompat(await from(frozen('failed/71-to-73')), await sideOf('failed/71-to-73/s2-boot.sparse.elf.xz', 'to'));
    expect(rows(cold, 'kho')).toMatchObject([{ outcome: 'cold-boot' }]);
  });
});
