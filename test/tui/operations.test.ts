/** Every operation that the engine's scenarios pass has a sentence, a function and a file, and that file is one of the kernel's of that release. */
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
  /^(kernel\/(liveupdate|printk|locking)?|mm|init|fs|lib\/tests|virt\/kvm|drivers\/(vfio|pci|base)|arch\/x86\/kernel|include\/linux)\/?[\w/.-]*\.(c|h)$|^include\/linux\/kho\/abi\/$/;

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
        expect(facts?.call, op).toMatch(/^[\w.]+\(\)$|^struct [\w]+|^ioctl [A-Z_]+$|^liveupdate_file_ops\.\w+$|^firmware$/);
      }
    }
  });

  it('names the file of the release: KHO moved in 6.19', () => {
    expect(operationFacts('kho_preserve_folio', '6.18.15')).toMatchObject({ call: 'kho_preserve_folio()', file: 'kernel/kexec_handover.c' });
    expect(operationFacts('kho_preserve_folio', '6.19.11')).toMatchObject({ file: 'kernel/liveupdate/kexec_handover.c' });
    expect(operationFacts('memfd.retrieve', '7.3.4')).toMatchObject({ call: 'memfd_luo_retrieve()', file: 'mm/memfd_luo.c' });
    expect(operationFacts('nothing the engine does', '7.3.4')).toBeNull();
  });
});
