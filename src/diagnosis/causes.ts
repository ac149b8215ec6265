/**
 * Which finding is the consequence of which: one finding a cause. Rules name where the cause of a hit would be found; this ties them, and
 * lists every consequence after its cause.
 */
import type { Finding } from './finding.js';
import { type Ranked, worstFirst } from './order.js';
import type { Clue, Phase } from './rule.js';
import { rules } from './rules/index.js';

export interface Related {
  readonly finding: Finding;
  readonly after: readonly Clue[];
}

/** Findings with `id` and `because`: causes worst first, judged by the worst that comes of each, each followed by its consequences. */
export function related(found: readonly Related[]): readonly Finding[] {
  const causes = causesOf(found);
  const ids = new Map(found.map((one, index) => [one, index + 1]));
  const numbered = found.map((one, index) => {
    const cause = causes.get(one);
    return { ...one.finding, id: index + 1, because: cause === undefined ? null : (ids.get(cause) ?? null) };
  });
  return inOrder(numbered);
}

/** The nearest cause of each finding that has one; never round in a circle. */
function causesOf(found: readonly Related[]): ReadonlyMap<Related, Related> {
  const byAddress = new Map<number, Related[]>();
  const byPath = new Map<string, Related[]>();
  const add = <K>(index: Map<K, Related[]>, key: K | null, one: Related): void => {
    if (key === null || one.finding.severity === 'info') return;
    const all = index.get(key);
    if (all === undefined) index.set(key, [one]);
    else all.push(one);
  };
  for (const one of found) {
    add(byAddress, one.finding.at, one);
    add(byPath, one.finding.path, one);
  }
  const causes = new Map<Related, Related>();
  for (const one of found) {
    for (const { at, path, below, rule } of one.after) {
      const candidates = at !== undefined ? byAddress.get(at) : path !== undefined ? byPath.get(path) : found.filter((other) => isBelow(other, below));
      const cause = candidates?.find(
        (other) =>
          other !== one &&
          (rule === undefined || other.finding.rule === rule) &&
          (path === undefined || other.finding.path === path) &&
          rootOf(other, causes) !== one,
      );
      if (cause === undefined) continue;
      causes.set(one, cause);
      break;
    }
  }
  return causes;
}

const isBelow = ({ finding }: Related, path: string | undefined): boolean =>
  path !== undefined && finding.severity !== 'info' && finding.path?.startsWith(`${path}/`) === true;

function rootOf(one: Related, causes: ReadonlyMap<Related, Related>): Related {
  let root = one;
  for (let next = causes.get(root); next !== undefined; next = causes.get(root)) root = next;
  return root;
}

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
