/** `ledger` and `abi gate` as scripts use them: JSON alone on standard output, exit statuses. */
import { describe, expect, it } from 'vitest';
import { luoInspect } from './run.js';

const frozen = 'samples/handover-7.3/s1-frozen.sparse.elf.xz';

describe('ledger', () => {
  it('--json adds up to the preserved map, largest first', () => {
    const run = luoInspect(['ledger', frozen, '--json']);
    expect([run.status, run.stderr]).toEqual([0, '']);
    const json: { readonly owners: readonly { readonly pages: number; readonly kind: string }[] } = JSON.parse(run.stdout);
    expect(json).toMatchObject({ schema: 'luo-inspect.ledger/1', total: { pages: 5778, bytes: 5778 * 4096 }, growth: null });
    expect(json.owners.reduce((sum, { pages }) => sum + pages, 0)).toBe(5778);
    expect(json.owners.filter(({ kind }) => kind !== 'nobody').map(({ pages }) => pages)).toEqual(
      json.owners
        .filter(({ kind }) => kind !== 'nobody')
        .map(({ pages }) => pages)
        .sort((a, b) => b - a),
    );
  });

  it('of two dumps tells the growth, and of one without a map why', () => {
    const run = luoInspect(['ledger', frozen, 'samples/handover-7.3/s2-at-kho_memory_init.sparse.elf.xz']);
    expect(run.status).toBe(0);
    expect(run.stdout).toContain('growth over 2 dumps');
    expect(JSON.parse(luoInspect(['ledger', 'samples/handover-7.3/s1-preserved-kho', '--json']).stdout)).toMatchObject({
      total: null,
      why: expect.any(String),
    });
  });
});

describe('abi gate', () => {
  const diff = (after: string): string =>
    `--- a/include/linux/kho/abi/x.h\n+++ b/include/linux/kho/abi/x.h\n@@ -1,2 +1,2 @@\n #define X_COMPATIBLE "x-v1"\n-struct x_ser { u64 a; u32 b; } __packed;\n+${after}\n`;

  it.each([
    ['struct x_ser { u32 b; u64 a; } __packed;', 1, 'broken'],
    ['struct x_ser { u64 a; u32 b; } __packed; /* as before */', 0, 'fine'],
  ])('%s', (after, status, verdict) => {
    const run = luoInspect(['abi', 'gate', '-', '--json'], { input: Buffer.from(diff(after)) });
    expect(run.status).toBe(status);
    expect(JSON.parse(run.stdout)).toMatchObject({ schema: 'luo-inspect.abi-gate/1', verdict });
  });

  it('of nothing that is a patch says what to give', () => {
    const run = luoInspect(['abi', 'gate', frozen.replace('s1', 'no')]);
    expect([run.status, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toContain('give a mailbox');
  });
});
