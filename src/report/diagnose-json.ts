/** `luo-inspect diagnose --json`: schema luo-inspect.findings/1. */
import type { Finding } from '../diagnosis/finding.js';
import type { JsonObject } from './json-value.js';
import { findingJson } from './report-json.js';

export const findingsJson = (findings: readonly Finding[]): JsonObject => ({ schema: 'luo-inspect.findings/1', findings: findings.map(findingJson) });
