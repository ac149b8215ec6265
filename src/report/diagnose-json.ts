/** `luo-inspect diagnose --json`: schema luo-inspect.findings/1. */
import type { Finding } from '../diagnosis/finding.js';
import type { Verdict } from '../verdict/verdict.js';
import type { JsonObject } from './json-value.js';
import { findingJson, verdictJson } from './report-json.js';

export const findingsJson = (verdict: Verdict, findings: readonly Finding[]): JsonObject => ({
  schema: 'luo-inspect.findings/1',
  verdict: verdictJson(verdict),
  findings: findings.map(findingJson),
});
