/** Every operation that the engine's scenarios pass has a sentence, a function and a file, and that file is one of the kernel's of that release. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { operationFacts } from '../../src/tui/debugger/operations.js';

/** Between them they pass every subsystem: sessions, devices, virtual machines, processes, two generations of KHO. */
const SCENARIOS = [
  'handover-7.3',
  'handover-6.19',
  'freeze-fails',
  'kvm-memory-faults',
  'kvm-exits',
  'processes',
  'reboot',
  'vfio-7.3',
  'vfio-seed',
  'own-handler',
  'count',
];

/** Where the kernel has what it has: roots of its tree that the facts may name. */
const IN_THE_TREE =
  /^(kernel\/(liveupdate|printk|locking|module)?|mm|init|fs|lib\/tests|virt\/kvm|drivers\/(vfio|pci|base)|arch\/x86\/(kernel|kvm)|net\/core|include\/linux)\/?[\w/.-]*\.(c|h|S)$|^include\/linux\/kho\/abi\/$/;

/** Functions of kernel/liveupdate/, mm/memfd_luo.c and lib/tests/liveupdate.c as the System.map of a 7.3.4 lists them. */
const SYMBOLS: ReadonlySet<string> = new Set(readFileSync('test/fixtures/operations-7.3.4.txt', 'utf8').split('\n'));
/** Static functions that its compiler put into their only caller, and what an earlier release had; both as their sources name them. */
const WITHOUT_SYMBOL: ReadonlySet<string> = new Set([
  ...['luo_session_freeze_one', 'luo_session_unfreeze_one', 'kho_radix_walk_leaf', 'kho_reserve_scratch', 'liveupdate_early_init'],
  ...['kho_finalize', 'kho_mem_deserialize', 'luo_fdt_setup'],
]);
const HELD_AGAINST = /^kernel\/liveupdate\/|^mm\/memfd_luo\.c$|^lib\/tests\/liveupdate\.c$/;

describe('what is said of an operation', () => {
  it.each(SCENARIOS)('%s', { timeout: 60_000 }, async (name) => {
    const client = EngineClient.ofScenario(await readScenario(`samples/scenarios/${name}.yaml`));
    client.toEnd();
    const seen = new Set<string>();
    for (const { op } of client.briefSteps()) seen.add(op);
    expect(seen.size).toBeGreaterThan(10);
    for (const op of seen) {
      const facts = operationFacts(op, '7.3.4');
      expect(facts, op).not.toBeNull();
      expect(facts?.does, op).toMatch(/^[A-Z].{20,}[.]$/s);
      expect(facts?.refuses, op).toMatch(/\.$/);
      expect(facts?.call.length, op).toBeGreaterThan(3);
      // what is no kernel code says so
      if (facts?.file.startsWith('no file: ') !== true) {
        expect(facts?.file, op).toMatch(IN_THE_TREE);
        const name = facts?.call.replace('()', '') ?? '';
        if (HELD_AGAINST.test(facts?.file ?? '') && facts?.call.endsWith('()') === true) expect(SYMBOLS.has(name) || WITHOUT_SYMBOL.has(name), op).toBe(true);
        expect(facts?.call, op).toMatch(/^[\w.]+\(\)$|^struct [\w]+|^ioctl [A-Z_]+$|^liveupdate_file_ops\.\w+$|^firmware$/);
      }
    }
  });

  it('says something of what few scenarios do', () => {
    for (const op of [
      'dma',
      'rlimit',
      'rmmod',
      'munmap',
      'driver_unbind',
      'vfio-mmap',
      'vfio-region',
      'vfio_pci_rw',
      'shmem_file_open',
      'ioctl 0xba02',
      'write hwpoison',
    ])
      expect(operationFacts(op, '7.3.4'), op).not.toBeNull();
    expect(operationFacts('exec', '7.3.4')).toMatchObject({ call: 'bprm_execve()', file: 'fs/exec.c' });
    expect(operationFacts('kho_block_add', '7.3.4')).toMatchObject({ file: 'kernel/liveupdate/kho_block.c' });
    expect(operationFacts('write luo_ser', '7.3.4')).toMatchObject({ call: 'struct luo_ser', file: 'include/linux/kho/abi/luo.h' });
  });

  it('names the file of the release: KHO moved in 6.19', () => {
    expect(operationFacts('kho_preserve_folio', '6.18.15')).toMatchObject({ call: 'kho_preserve_folio()', file: 'kernel/kexec_handover.c' });
    expect(operationFacts('kho_preserve_folio', '6.19.11')).toMatchObject({ file: 'kernel/liveupdate/kexec_handover.c' });
    expect(operationFacts('memfd.retrieve', '7.3.4')).toMatchObject({ call: 'memfd_luo_retrieve()', file: 'mm/memfd_luo.c' });
    expect(operationFacts('nothing the engine does', '7.3.4')).toBeNull();
  });
});
