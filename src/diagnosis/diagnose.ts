/** From a decoded dump to findings, worst first. */
import type { DecodedDump, Handover } from '../handover/decode.js';
import type { Observation } from '../handover/observe.js';
import type { Finding, Severity } from './finding.js';

const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

export function diagnose(dump: DecodedDump): readonly Finding[] {
  return dump.handovers.flatMap((handover) => handover.observations.map((observation) => fromObservation(handover, observation))).sort((a, b) => RANK[a.severity] - RANK[b.severity]);
}

function fromObservation(_handover: Handover, observation: Observation): Finding {
  return {
    rule: observation.kind,
    severity: observation.nature === 'wrong' ? 'error' : 'info',
    message: observation.text,
    at: observation.at,
    path: observation.node.path,
    reaction: null,
  };
}
