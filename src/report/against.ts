/** What a kernel of another release makes of what a dump's kernel wrote: `abi check` of a dump that is decoded already. */
import { releases } from '../../abi/registry.js';
import { UserError } from '../codec/user-error.js';
import { checkCompat } from '../compat/check.js';
import { handingOver } from '../compat/dump-side.js';
import { looksLikeRelease, releaseSide } from '../compat/release-side.js';
import { compatText } from './compat-text.js';
import type { DumpReport } from './dump-report.js';
import { escapeText } from './escape.js';

/** Columns that the table is made for. */
const WIDTH = 110;

/** Lines, escaped; one that says why where it cannot be told. */
export function againstText({ source, kernel, decoded }: DumpReport, release: string): readonly string[] {
  if (!looksLikeRelease(release)) return [`${escapeText(release) || 'that'} is no release; name one such as ${releases.slice(-3).join(', ')}`];
  try {
    const from = handingOver({ path: source.path, pageSize: source.pageSize, runningRelease: kernel?.release ?? null }, decoded);
    return compatText(checkCompat(from, releaseSide(release)), { width: WIDTH, color: false, verbose: true });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [escapeText(error.message)];
  }
}
