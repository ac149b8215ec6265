/** The machine's memory at a step, decoded and diagnosed: what the engine wrote is a dump like any other. */
import { diagnose } from '../../diagnosis/diagnose.js';
import type { Finding } from '../../diagnosis/finding.js';
import type { EngineClient } from '../../engine/client.js';
import { type DecodedDump, decodeHandovers } from '../../handover/decode.js';
import { judge } from '../../verdict/judge.js';
import { inspectorModelOf } from '../inspector/from-report.js';
import { type Inspector, openState } from '../inspector/state.js';
import type { Size } from '../model/screen.js';

/** What the memory of a step holds. */
interface DecodedStep {
  readonly decoded: DecodedDump;
  readonly findings: readonly Finding[];
}

/** Null where the memory holds no handover at this step. */
export function decodedAtStep(client: EngineClient, number = client.position): DecodedStep | null {
  const { memory, vmcoreinfo } = client.imageAtStep(number);
  const decoded = decodeHandovers({ memory, runningRelease: vmcoreinfo.get('OSRELEASE') ?? null, takenUp: client.takenUp });
  return decoded.handovers.length === 0 ? null : { decoded, findings: diagnose(decoded) };
}

/** The same in the inspector, with the verdict of the kernel that would take it over. */
export function inspectMemory(client: EngineClient, size: Size): Inspector | null {
  const { memory, arch, pageSize, step, vmcoreinfo } = client.imageAtStep();
  const at = decodedAtStep(client);
  if (at === null) return null;
  const release = vmcoreinfo.get('OSRELEASE') ?? null;
  const path = `memory at step ${step}`;
  const { decoded } = at;
  const { findings, verdict } = judge({ facts: { path, memory, arch, release }, decoded, findings: at.findings, log: null, options: {} });
  const model = inspectorModelOf({
    source: { path, container: 'engine', bytes: memory.readable.reduce((sum, range) => sum + range.end - range.start, 0), arch, pageSize },
    kernel: release === null ? null : { release, foundBy: 'the run' },
    handovers: decoded.handovers,
    verdict,
    findings,
    decoded,
    evidence: [],
  });
  return openState({ ...model, title: `${model.title}  (q returns to the debugger)` }, size);
}
