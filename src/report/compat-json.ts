/** `abi check --json`. The keys beyond layer, from, to, outcome, errno and text are additions. */
import type { CompatResult } from '../compat/verdict.js';
import type { JsonObject } from './json-value.js';

export const compatJson = (result: CompatResult): JsonObject => ({
  schema: 'luo-inspect.compat/1',
  from: result.from,
  to: result.to,
  verdict: result.verdict,
  layers: result.layers.map(({ layer, from, to, outcome, errno, text, severity, evidence, suppressed }) => ({
    layer,
    from,
    to,
    outcome,
    errno,
    text,
    severity,
    evidence,
    suppressed,
  })),
  findings: result.remarks.map(({ rule, severity, layer, message, suppressed }) => ({ rule, severity, layer, message, suppressed })),
  notes: result.notes,
  evidence: result.evidence,
});
