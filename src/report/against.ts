/** What a kernel of another release makes of what a dump's kernel wrote: `abi check` of a dump that is decoded already. */
import { withErrno } from '../../abi/errno.js';
import { releases } from '../../abi/registry.js';
import { UserError } from '../codec/user-error.js';
import { checkCompat } from '../compat/check.js';
import { handingOver } from '../compat/dump-side.js';
import { looksLikeRelease, releaseSide } from '../compat/release-side.js';
import { compatText } from './compat-text.js';
import type { DumpReport } from './dump-report.js';
import { escapeText } from './escape.js';

/** Below this many columns the words go below the table. */
const TABLE = 100;

/** Lines of at most `width` columns, escaped; one that says why where it cannot be told. */
export function againstText({ source, kernel, decoded }: DumpReport, release: string, width: number): readonly string[] {
  if (!looksLikeRelease(release)) return [`${escapeText(release) || 'that'} is no release; name one such as ${releases.slice(-3).join(', ')}`];
  try {
    const from = handingOver({ path: source.path, pageSize: source.pageSize, runningRelease: kernel?.release ?? null }, decoded);
    const result = checkCompat(from, releaseSide(release));
    if (width >= TABLE) return compatText(result, { width, color: false, verbose: true });
    const rows = result.layers.flatMap(({ layer, from: written, to: spoken, outcome, errno, text }) => [
      '',
      `${escapeText(layer)}: ${escapeText(written ?? 'nothing')} → ${escapeText(spoken ?? 'nothing')}: ${withErrno(outcome, errno)}`,
      `  ${escapeText(text)}`,
    ]);
    return [
      `Can ${escapeText(result.to)} take over from this? ${result.verdict}`,
      ...rows,
      ...result.remarks.map(({ message }) => `\u2022 ${escapeText(message)}`.replace('\u2022', '·')),
    ];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [escapeText(error.message)];
  }
}
