/** `luo-inspect diff --json`: schema luo-inspect.diff/1. */
import type { Comparison } from '../handover/compare/compare.js';
import type { Handover } from '../handover/decode.js';
import { hex } from '../tree/words.js';
import type { JsonObject } from './json-value.js';

export const diffJson = (comparison: Comparison, paths: { readonly before: string; readonly after: string }): JsonObject => ({
  schema: 'luo-inspect.diff/1',
  before: sideJson(paths.before, comparison.before),
  after: sideJson(paths.after, comparison.after),
  doubts: [...comparison.doubts],
  differences: comparison.differences.map(({ change, what, name, text, before, after }) => ({ change, what, name, text, before, after })),
  kept: { ...comparison.kept },
  files: comparison.fates.map(({ session, token, fate, before, after, text, beforePath, afterPath }) => ({
    session,
    token: hex(token),
    fate,
    before: { phase: before, path: beforePath },
    after: after === null ? null : { phase: after, path: afterPath },
    text,
  })),
});

const sideJson = (path: string, handover: Handover | null): JsonObject => ({
  path,
  handover:
    handover === null
      ? null
      : {
          path: handover.path,
          role: handover.role,
          fdt: handover.candidate.fdtAddress === null ? null : hex(handover.candidate.fdtAddress),
          compatible: handover.compatible,
        },
});
