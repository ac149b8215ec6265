/** What the capture vfio-7.3 did with its device, against the engine's v5 handler: every operation, in its order, with its errno. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ScenarioStep } from '../../src/engine/scenario/types.js';
import { type Performed, type Run, runFile } from './run.js';

interface Operation {
  readonly operation: string;
  readonly precondition: string;
  readonly errno: string;
}

const truth: { vfio_ops: Operation[] } = JSON.parse(readFileSync('samples/vfio-7.3/truth.json', 'utf8'));

/** Which step of the scenario stands for an operation of the capture. */
const matchers: readonly (readonly [RegExp, (step: ScenarioStep) => boolean])[] = [
  [/^PRESERVE_FD vfio cdev$/, (step) => step.do === 'preserve' && step.fd === 'dev'],
  [/^PRESERVE_FD \/dev\/iommu$/, (step) => step.do === 'preserve' && step.fd === 'iommu'],
  [/^VFIO_DEVICE_BIND_IOMMUFD$/, (step) => step.do === 'vfio-bind'],
  [/^VFIO_DEVICE_GET_INFO$/, (step) => step.do === 'vfio-info'],
  [/^VFIO_DEVICE_SET_IRQS$/, (step) => step.do === 'irq'],
  [/^kexec_file_load$/, (step) => step.do === 'kexec-load'],
  [/^reboot\(KEXEC\)$/, (step) => step.do === 'kexec'],
  [/^open \/dev\/liveupdate$/, (step) => step.do === 'open'],
  [/^RETRIEVE_SESSION /, (step) => step.do === 'retrieve-session'],
  [/^open \/dev\/vfio\//, (step) => step.do === 'vfio-open'],
  [/^RETRIEVE_FD /, (step) => step.do === 'retrieve'],
  [/^FINISH$/, (step) => step.do === 'finish'],
];

describe('the operations of the capture vfio-7.3', () => {
  let run: Run;
  const found: (Performed | null)[] = [];
  beforeAll(async () => {
    run = await runFile('samples/scenarios/vfio-7.3.yaml');
    // The capture's list begins with the device: everything before its first preserve is not in it.
    let next = run.performed.findIndex(({ step }) => step.do === 'preserve' && step.fd === 'dev');
    for (const { operation } of truth.vfio_ops) {
      const matches = matchers.find(([pattern]) => pattern.test(operation))?.[1];
      const at = run.performed.findIndex(({ step }, index) => index >= next && matches?.(step) === true);
      found.push(run.performed[at] ?? null);
      next = at < 0 ? run.performed.length : at + 1;
    }
  });

  it.each(truth.vfio_ops.map((operation, index) => ({ operation, index })))(
    '$index: $operation.operation ($operation.precondition)',
    ({ operation, index }) => {
      expect(found[index]?.answer?.errno ?? '', `line ${found[index]?.step.position.line}`).toBe(operation.errno);
      expect(found[index]).not.toBeNull();
    },
  );

  it('leave the lines on the console that the real kernel left', () => {
    const console = readFileSync('samples/vfio-7.3/console.log', 'utf8');
    const lines = run.trace.flatMap((step) => step.log).filter((line) => line.includes('0000:00:05.0'));
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(console).toContain(`] ${line}`);
  });
});
