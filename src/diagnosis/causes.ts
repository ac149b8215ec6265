/**
 * Which finding is the consequence of which: one finding a cause. Rules name where the cause of a hit would be found; this ties them, and
 * puts every consequence behind its cause.
 */
import type { Finding } from './finding.js';
import { type Ranked, worstFirst } from './order.js';
import type { Clue } from './rule.js';

export interface Related extends Ranked {
  readonly after: readonly Clue[];
}

/** Findings with `id` and `because`: causes worst first, judged by the worst that comes of each, and behind each its consequences. */
export function related(found: readonly Related[]): readonly Finding[] {
  const causes = causesOf(found);
  const groups = new Map<Related, Related[]>();
  for (const one of found) {
    const root = rootOf(one, causes);
    const group = groups.get(root);
    if (group === undefined) groups.set(root, [one]);
    else group.push(one);
  }
  const sorted = [...groups].map(([root, all]) => {
    const order = [...all].sort(worstFirst);
    const [worst] = order;
    return { root, worst: worst ?? root, consequences: order.filter((one) => one !== root) };
  });
  sorted.sort((a, b) => worstFirst(a.worst, b.worst) || worstFirst(a.root, b.root));
  const inOrder = sorted.flatMap(({ root, consequences }) => [root, ...consequences]);
  const ids = new Map(inOrder.map((one, index) => [one, index + 1]));
  return inOrder.map((one, index) => {
    const cause = causes.get(one);
    return { ...one.finding, id: index + 1, because: cause === undefined ? null : (ids.get(cause) ?? null) };
  });
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
