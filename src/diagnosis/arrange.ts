/** Findings whose reactions have changed, in their order again: causes by the worst that comes of each, consequences behind their cause. */
import type { Finding } from './finding.js';
import { type Ranked, worstFirst } from './order.js';
import type { Phase } from './rule.js';
import { rules } from './rules/index.js';

const phases: ReadonlyMap<string, Phase> = new Map(rules.map((rule) => [rule.id, rule.phase]));

/** The finding that each is a consequence of in the end: itself, for a cause. By `id`. */
export function rootsOf(findings: readonly Finding[]): ReadonlyMap<number, Finding> {
  const byId = new Map(findings.map((finding) => [finding.id, finding]));
  const roots = new Map<number, Finding>();
  for (const finding of findings) {
    let root = finding;
    // A chain is never longer than there are findings, whoever made it.
    for (let steps = 0; root.because !== null && steps < findings.length; steps++) {
      const next = roots.get(root.because) ?? byId.get(root.because);
      if (next === undefined) break;
      root = next;
    }
    roots.set(finding.id, root);
  }
  return roots;
}

/** Sorts and numbers anew; `because` goes on naming the same findings. Equals stay in the order given. */
export function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const roots = rootsOf(findings);
  const groups = new Map<number, Ranked[]>();
  for (const finding of findings) {
    const one = { finding, phase: phases.get(finding.rule) ?? 'jump' };
    const root = roots.get(finding.id)?.id ?? finding.id;
    if (groups.get(root)?.push(one) === undefined) groups.set(root, [one]);
  }
  const sorted = [...groups].map(([id, all]) => {
    const order = all.toSorted(worstFirst);
    const root = all.find(({ finding }) => finding.id === id);
    return { all: root === undefined ? order : [root, ...order.filter((one) => one !== root)], worst: order[0], root: root ?? order[0] };
  });
  const compare = (a: Ranked | undefined, b: Ranked | undefined): number => (a === undefined || b === undefined ? 0 : worstFirst(a, b));
  sorted.sort((a, b) => compare(a.worst, b.worst) || compare(a.root, b.root));
  const ordered = sorted.flatMap(({ all }) => all.map(({ finding }) => finding));
  const numbers = new Map(ordered.map(({ id }, index) => [id, index + 1]));
  return ordered.map((finding, index) => ({ ...finding, id: index + 1, because: finding.because === null ? null : (numbers.get(finding.because) ?? null) }));
}
