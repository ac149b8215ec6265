/** The address index held against the decoded trees of real captures, and `whatis` as scripts use it. */
import { describe, expect, it } from 'vitest';
import { AddressIndex } from '../../src/address/address-index.js';
import { openDump } from '../../src/container/open.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { type TreeNode, walk } from '../../src/tree/tree.js';
import { luoInspect } from '../cli/run.js';

const PFN = 'samples/failed/pfn/s1-frozen.sparse.elf.xz';

async function decoded(path: string) {
  const opened = await openDump(path);
  return decodeHandovers({ memory: opened.memory });
}

describe.each([PFN, 'samples/handover-7.1/s1-frozen.sparse.elf.xz', 'samples/handover-6.18/s2-at-kho_memory_init.sparse.elf.xz'])(
  'every decoded field of %s',
  (path) => {
    it('is found at its own address: nothing larger, and nothing else', async () => {
      const dump = await decoded(path);
      const index = new AddressIndex(dump);
      let checked = 0;
      for (const { node: root } of dump.handovers)
        walk(root, (node: TreeNode) => {
          if (node.address === null || node.bits < 8 || node.bits % 8 !== 0 || node.children().length > 0) return true;
          const { node: found, path } = index.at(node.address);
          checked++;
          // entries of a folio table are found by arithmetic, without their nodes
          if (found === null && path !== null && node.path.startsWith(`${path}/`)) return true;
          expect(found, node.path).not.toBeNull();
          expect(found?.bits ?? Number.POSITIVE_INFINITY, `${node.path} beside ${found?.path}`).toBeLessThanOrEqual(node.bits);
          return true;
        });
      expect(checked).toBeGreaterThan(50);
    });

    it('that is a pointer is listed at what it points to', async () => {
      const dump = await decoded(path);
      const index = new AddressIndex(dump);
      for (const { node: root } of dump.handovers)
        walk(root, (node: TreeNode) => {
          if (node.pointer !== null && !/\[\d+\]$/.test(node.type)) expect(index.pointersTo(node.pointer).map((one) => one.path)).toContain(node.path);
          return true;
        });
    });
  },
);

describe('whatis', () => {
  it('says of an address from a console whose page it is, and that it is not preserved', () => {
    const run = luoInspect(['whatis', PFN, '33e7000', '--json']);
    expect(run.status).toBe(0);
    // the capture's truth: folio 1 of web/0x2 names pfn 0x33e7, which was 0x23e7 before a bit was flipped
    expect(JSON.parse(run.stdout)).toMatchObject({
      schema: 'luo-inspect.whatis/1',
      address: '0x33e7000',
      state: 'present',
      preserved: false,
      owner: 'outgoing/luo/sessions/web/files/0x2',
      pointers: ['outgoing/luo/sessions/web/files/0x2/memfd_luo_ser/folios[]/1'],
    });
  });

  it('finds the entry of a table, the block it is preserved by, and who leads to it', () => {
    const run = luoInspect(['whatis', PFN, '0x42b7011']);
    expect(run.stdout).toContain('entry 1 of the folio table of outgoing/luo/sessions/web/files/0x2');
    expect(run.stdout).toContain('a block of order 0 at 0x42b7000');
    expect(run.stdout).not.toContain('named by   no decoded field');
  });

  it('refuses what is no address, in one line', () => {
    for (const bad of ['nowhere', '0xffffffffffffff']) {
      const run = luoInspect(['whatis', PFN, bad]);
      expect(run.status).toBe(2);
      expect(run.stderr.trim().split('\n')).toHaveLength(1);
    }
  });
});
