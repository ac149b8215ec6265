/** The machine's memory at a step, opened in the inspector: what the engine wrote is a dump like any other. */
import { diagnose } from '../../diagnosis/diagnose.js';
import type { EngineClient } from '../../engine/client.js';
import { decodeHandovers } from '../../handover/decode.js';
import { inspectorModelOf } from '../inspector/from-report.js';
import { type Inspector, openState } from '../inspector/state.js';
import { judge } from '../../verdict/judge.js';
import type { Size } from '../model/screen.js';

/** Null where the memory holds no handover at this step. */
export function inspectMemory(client: EngineClient, size: Size): Inspector | null {
  const { memory, arch, pageSize, step, vmcoreinfo } = client.imageAtStep();
  const release = vmcoreinfo.get('OSRELEASE') ?? null;
  const decoded = decodeHandovers({ memory, runningRelease: release });
  if (decoded.handovers.length === 0) return null;
  const bytes = memory.readable.reduce((sum, range) => sum + range.end - range.start, 0);
  const path = `memory at step ${step}`;
  const { findings, verdict } = judge({ facts: { path, memory, arch, release }, decoded, findings: diagnose(decoded), log: null, options: {} });
  const model = inspectorModelOf({
    source: { path, container: 'engine', bytes, arch, pageSize },
    kernel: release === null ? null : { release, foundBy: 'the run' },
    handovers: decoded.handovers,
    verdict,
    findings,
    decoded,
    evidence: [],
  });
  return openState({ ...model, title: `${model.title}  (q returns to the debugger)` }, size);
}
