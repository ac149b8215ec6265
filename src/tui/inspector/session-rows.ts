/** Sessions and files as rows of a table: who, what, how large, what the findings say of it. Pure. */
import type { Handover } from '../../handover/decode.js';
import { formatBytes, hex } from '../../tree/words.js';
import { escapeText } from '../../report/escape.js';
import { type Severity, type FindingView, worse } from '../model/finding.js';
import type { SortKey } from './state.js';

export interface SessionRow {
  readonly path: string;
  readonly session: string;
  /** '' for a session without files */
  readonly token: string;
  readonly handler: string;
  /** bytes; null where it has none or they are not known */
  readonly size: number | null;
  readonly what: string;
  readonly severity: Severity | null;
  /** what becomes of it; where nobody knows, what the worst finding says */
  readonly outcome: string;
}

export function sessionRows(handovers: readonly Handover[], findings: readonly FindingView[], fates: ReadonlyMap<string, string>): SessionRow[] {
  const rows: SessionRow[] = [];
  for (const { luo } of handovers)
    for (const session of luo?.sessions ?? []) {
      const name = escapeText(session.name.text);
      if (session.files.length === 0) rows.push(row(session.path, name, '', '', null, 'no files', findings, fates));
      for (const file of session.files) {
        const { decoded } = file;
        const memfd = decoded?.kind === 'memfd' ? decoded : null;
        const size = memfd === null ? null : Number(memfd.size);
        const what = memfd !== null ? `${formatBytes(memfd.size)}, ${memfd.folioCount} folios` : decoded?.kind === 'struct' ? decoded.struct : 'not decoded';
        rows.push(row(file.path, name, hex(file.token), escapeText(file.compatible.text), size, what, findings, fates));
      }
    }
  return rows;
}

function row(
  path: string,
  session: string,
  token: string,
  handler: string,
  size: number | null,
  what: string,
  findings: readonly FindingView[],
  fates: ReadonlyMap<string, string>,
): SessionRow {
  let severity: Severity | null = null;
  let said = '';
  for (const finding of findings) {
    if (finding.severity === 'info' || finding.path === null || !(finding.path === path || finding.path.startsWith(`${path}/`))) continue;
    if (said === '') said = finding.reactionKind ?? finding.message;
    severity = worse(severity, finding.severity);
  }
  const fate = fates.get(path);
  if (fate !== undefined && fate !== 'comes back') severity = 'error';
  return { path, session, token, handler, size, what, severity, outcome: fate ?? said };
}

export const SORT_KEYS: readonly SortKey[] = ['order', 'session', 'handler', 'size', 'state'];

const RANK: Readonly<Record<Severity, number>> = { error: 2, warning: 1, info: 0 };

export function sorted(rows: readonly SessionRow[], key: SortKey): readonly SessionRow[] {
  const by = (compare: (a: SessionRow, b: SessionRow) => number): readonly SessionRow[] => [...rows].sort(compare);
  switch (key) {
    case 'order':
      return rows;
    case 'session':
      return by((a, b) => (a.session < b.session ? -1 : a.session > b.session ? 1 : 0));
    case 'handler':
      return by((a, b) => (a.handler < b.handler ? -1 : a.handler > b.handler ? 1 : 0));
    case 'size':
      return by((a, b) => (b.size ?? -1) - (a.size ?? -1));
    case 'state':
      return by((a, b) => (b.severity === null ? -1 : RANK[b.severity]) - (a.severity === null ? -1 : RANK[a.severity]));
  }
}
