/** Two dumps compared, for `diff` and for the terminal UI. */
import { UserError } from '../codec/user-error.js';
import { type Comparison, compareDumps } from '../handover/compare/compare.js';
import type { OpenPages } from '../handover/compare/fates.js';
import type { DecodedDump } from '../handover/decode.js';
import { shellWord } from '../report/escape.js';
import { hex } from '../tree/words.js';
import type { CompareModel } from '../tui/open.js';

interface Side {
  /** as the user named it */
  readonly path: string;
  readonly decoded: DecodedDump;
}

/** @param openPages of the later dump's processes @throws UserError where there is nothing to compare, or the dumps are the other way round */
export function comparisonOf(before: Side, after: Side & { readonly openPages?: OpenPages }): CompareModel {
  const comparison = compareDumps(before.decoded, after.decoded, after.openPages ?? null);
  if (comparison === null) throw new UserError(`${before.path}: no handover found to compare; \`luo-inspect report\` says what was searched`);
  if (isReversed(comparison))
    throw new UserError(
      `${before.path} was taken after ${after.path}: the handover at ${hex(comparison.before.candidate.fdtAddress ?? 0)} came in there, and is still to go out here; try \`luo-inspect diff ${shellWord(after.path)} ${shellWord(before.path)}\``,
    );
  return {
    paths: { before: before.path, after: after.path },
    comparison,
    memory: { before: before.decoded.memory, after: after.decoded.memory },
  };
}

/** One FDT that came in with the first dump and goes out with the second: the dumps are the other way round. */
const isReversed = ({ before, after }: Comparison): boolean =>
  before.role === 'incoming' &&
  after?.role === 'outgoing' &&
  before.candidate.fdtAddress !== null &&
  before.candidate.fdtAddress === after.candidate.fdtAddress;
