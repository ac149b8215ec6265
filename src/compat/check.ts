/** Can one kernel take over from another? Judged for every release the next kernel may be, and merged where they agree. */
import { withErrno } from '../../abi/errno.js';
import { scratchNamesDiffer } from '../../abi/boot/scratch-names.js';
import { compareLayouts } from './same-layout.js';
import { judge } from './judge.js';
import type { Side } from './side.js';
import { type CompatRemark, type CompatResult, type LayerVerdict, NOT_REACHED, verdictOf } from './verdict.js';

/** @throws Error where the next kernel can be of no release */
export function checkCompat(from: Side, to: Side): CompatResult {
  const judged = to.releases.map((release) => ({ release, rows: judge(from, to, release) }));
  const [first, ...others] = judged;
  if (first === undefined) throw new Error(`${to.label} may be no release at all`);
  const layers = first.rows.map((row, index) => {
    const differing = others.find(({ rows }) => rows[index]?.outcome !== row.outcome || rows[index]?.errno !== row.errno);
    return differing === undefined ? row : undecided(row, first.release, differing.rows[index], differing.release);
  });
  const remarks = remarksOn(from, to, layers);
  const verdict = verdictOf(layers, remarks);
  return {
    from: from.label,
    to: to.label,
    verdict,
    layers,
    remarks,
    notes: [...(from.notes ?? []), ...(to.notes ?? []), ...namesOf(from, to), ...(verdict === 'incompatible' ? [] : notesOn(to))],
    evidence: [...from.evidence, ...to.evidence],
  };
}

function undecided(row: LayerVerdict, release: string, other: LayerVerdict | undefined, otherRelease: string): LayerVerdict {
  const otherOutcome = other === undefined ? 'nothing' : withErrno(other.outcome, other.errno);
  return {
    ...row,
    outcome: 'unknown',
    errno: null,
    text: `unknown, because it may be ${release} (${row.outcome}${row.errno === null ? '' : `, ${row.errno}`}) or ${otherRelease} (${otherOutcome})`,
    severity: row.severity === 'info' && other?.severity === 'info' ? 'info' : 'warning',
    evidence: 'derived',
  };
}

/** What no type differ can say: strings and layouts that did not change together. */
function remarksOn(from: Side, to: Side, layers: readonly LayerVerdict[]): readonly CompatRemark[] {
  const found: CompatRemark[] = [];
  for (const one of from.parts) {
    const other = to.parts.find((part) => part.layer === one.layer && (one.role !== 'flb' || part.compatible === one.compatible));
    if (other === undefined || one.compatible === null || other.compatible === null) continue;
    const layout = compareLayouts(one, other, from.pageSize ?? to.pageSize ?? undefined);
    const row = layers.find((layer) => layer.layer === one.layer && layer.from === one.compatible);
    const common = { layer: one.layer, suppressed: null };
    if (one.compatible === other.compatible && layout.relation === 'different')
      found.push({
        ...common,
        rule: 'compat/layout-changed',
        severity: row === undefined || row.text === NOT_REACHED ? 'info' : row.severity,
        message: `both say ${one.compatible}, and the layout is not the same: ${layout.why}`,
      });
    else if (one.compatible !== other.compatible && layout.relation === 'same')
      found.push({
        ...common,
        rule: 'compat/string-changed',
        severity: 'info',
        message: `${one.compatible} became ${other.compatible}, and no layout known changed: the bytes would be read rightly, the string alone is refused`,
      });
  }
  return found;
}

/** Two kernels that call scratch by different names find it on one architecture, and not on the other. */
function namesOf(from: Side, to: Side): readonly string[] {
  if ((from.scratchNames ?? 'released') === (to.scratchNames ?? 'released')) return [];
  return [scratchNamesDiffer.arm64, scratchNamesDiffer.x86, scratchNamesDiffer.parameter];
}

function notesOn(to: Side): readonly string[] {
  if (to.kind === 'dump') return [];
  return [
    "Whether the next kernel is started with kho=on and liveupdate=on can't be told from a release or a kernel file; without them it takes over nothing.",
  ];
}
