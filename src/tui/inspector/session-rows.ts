/** Sessions and files as rows of a table: who, what, how large, what the findings say of it. Pure. */
import { errnoName } from '../../../abi/errno.js';
import type { Handover } from '../../handover/decode.js';
import { type Holder, phaseOfRole, stateOfRole } from '../../handover/life.js';
import { type Owner, ownerText } from '../../handover/owners/owner.js';
import { counted, formatBytes, hex } from '../../tree/words.js';
import { escapeText } from '../../report/escape.js';
import { type Severity, type FindingView, worse } from '../model/finding.js';
import type { SortKey } from './state.js';

export interface SessionRow {
  readonly path: string;
  readonly session: string;
  /** '' for a session without files */
  readonly token: string;
  readonly handler: string;
  /** preserved, frozen, handed-over, … ; of a session without files its state */
  readonly phase: string;
  /** who in user space it belongs to, and who has it open; '' where nobody knows */
  readonly owner: string;
  /** it bears the label of a unit, a virtual machine or a program */
  readonly labelled: boolean;
  /** bytes; null where it has none or they are not known */
  readonly size: number | null;
  readonly what: string;
  readonly severity: Severity | null;
  /** what becomes of it; where nobody knows, what the worst finding says */
  readonly outcome: string;
}

/** In the order in which they were serialised; each is read when it is asked for. */
export function* sessionRows(handovers: readonly Handover[], findings: readonly FindingView[], fates: ReadonlyMap<string, string>): Iterable<SessionRow> {
  const worst = worstByPath(findings);
  for (const { luo, role, owners } of handovers)
    for (const session of luo?.sessions ?? []) {
      const name = escapeText(session.name.text);
      const belongsTo = (path: string, openBy: readonly Holder[] | null | undefined): string =>
        [labelOf(owners.byPath.get(path) ?? owners.byPath.get(session.path)), holders(openBy)].filter(Boolean).join('; ');
      const state = session.life?.state ?? stateOfRole(role);
      if (session.files.length === 0)
        yield row(
          {
            path: session.path,
            session: name,
            token: '',
            handler: '',
            phase: state,
            owner: belongsTo(session.path, session.life?.openBy),
            labelled: owners.byPath.has(session.path),
            size: null,
            what: 'no files',
          },
          worst,
          fates,
        );
      for (const file of session.files) {
        const { decoded } = file;
        const memfd = decoded?.kind === 'memfd' ? decoded : null;
        const size = memfd === null ? null : Number(memfd.size);
        const what =
          memfd !== null ? `${formatBytes(memfd.size)}, ${counted(memfd.folioCount, 'folio')}` : decoded?.kind === 'struct' ? decoded.struct : 'not decoded';
        const phase = `${file.life?.phase ?? phaseOfRole(role)}${(file.life?.retrieveStatus ?? 0) < 0 ? ` ${errnoName(-(file.life?.retrieveStatus ?? 0)) ?? ''}` : ''}`;
        const labelled = owners.byPath.has(file.path) || owners.byPath.has(session.path);
        const owner = belongsTo(file.path, file.life?.openBy ?? session.life?.openBy);
        yield row(
          { path: file.path, session: name, token: hex(file.token), handler: escapeText(file.compatible.text), phase, owner, labelled, size, what },
          worst,
          fates,
        );
      }
    }
}

/** Whose it is, escaped: a unit, a virtual machine, a program; '' where nobody knows. */
export const labelOf = (owner: Owner | undefined): string => (owner === undefined ? '' : escapeText(ownerText(owner)));

const holders = (openBy: readonly Holder[] | null | undefined): string => {
  const [first] = openBy ?? [];
  if (first === undefined) return '';
  const more = (openBy?.length ?? 0) - 1;
  return escapeText(`open in ${first.comm} (${first.pid})${more === 0 ? '' : ` and ${more} more`}`);
};

interface Worst {
  readonly said: string;
  readonly severity: Severity;
}

/** The first finding at each path or below it, and how bad the worst is. */
function worstByPath(findings: readonly FindingView[]): ReadonlyMap<string, Worst> {
  const found = new Map<string, Worst>();
  for (const finding of findings) {
    if (finding.severity === 'info' || finding.path === null) continue;
    for (let path = finding.path; path !== ''; path = path.slice(0, Math.max(0, path.lastIndexOf('/')))) {
      const old = found.get(path);
      found.set(path, {
        said: old?.said ?? finding.reactionKind ?? finding.message,
        severity: worse(old?.severity ?? null, finding.severity) ?? finding.severity,
      });
    }
  }
  return found;
}

function row(known: Omit<SessionRow, 'severity' | 'outcome'>, worst: ReadonlyMap<string, Worst>, fates: ReadonlyMap<string, string>): SessionRow {
  const at = worst.get(known.path);
  const fate = fates.get(known.path);
  // nobody knows is no failure
  const severity =
    fate === undefined || fate === 'comes back' ? (at?.severity ?? null) : fate.startsWith('unknown') ? worse(at?.severity ?? null, 'warning') : 'error';
  return { ...known, severity, outcome: fate ?? at?.said ?? '' };
}

export const SORT_KEYS: readonly SortKey[] = ['order', 'session', 'handler', 'phase', 'owner', 'size', 'state'];

const RANK: Readonly<Record<Severity, number>> = { error: 2, warning: 1, info: 0 };

export function sorted(rows: readonly SessionRow[], key: SortKey): readonly SessionRow[] {
  const by = (compare: (a: SessionRow, b: SessionRow) => number): readonly SessionRow[] => [...rows].sort(compare);
  switch (key) {
    case 'order':
      return rows;
    case 'session':
      return by((a, b) => (a.session < b.session ? -1 : a.session > b.session ? 1 : 0));
    case 'handler':
    case 'phase':
    case 'owner':
      return by((a, b) => (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0));
    case 'size':
      return by((a, b) => (b.size ?? -1) - (a.size ?? -1));
    case 'state':
      return by((a, b) => (b.severity === null ? -1 : RANK[b.severity]) - (a.severity === null ? -1 : RANK[a.severity]));
  }
}
