/** The rule that tells what was not looked at: which limits of the command's budget ended a part of its work. */
import { reachedText } from '../../codec/budget.js';
import type { DumpRule } from '../rule.js';

export const limitRule: DumpRule = {
  id: 'limit/reached',
  severity: 'error',
  phase: 'preserve',
  afterAll: true,
  title: 'a limit ended a part of the work',
  about:
    'What a dump says is read within limits of time and memory, so that a damaged or hostile one does not keep the reader busy for hours. Where one ended something, the other findings speak of what was read up to there: the rest may hold anything.',
  reaction: 'limit/reached',
  confirm: 'Raise the limit with --limit, as the finding says, and look again.',
  sources: ['docs/limits.md'],
  *checkDump({ budget }) {
    for (const reached of budget.reached) yield { message: reachedText(reached), at: null, path: null };
  },
};
