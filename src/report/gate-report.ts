/** `abi gate` as text for a review reply, and as JSON: schema luo-inspect.abi-gate/1. */
import { withErrno } from '../../abi/errno.js';
import { type BrokenPair, type GateFinding, type GateResult, gateFails } from '../gate/gate.js';
import { wrap } from './lines.js';
import { escapeText } from './escape.js';
import { type JsonObject, pick } from './json-value.js';

/** Plain text, 72 columns wide, to be pasted below a quoted patch. */
export function* gateText(result: GateResult, width = 72): Iterable<string> {
  const headers = result.headers.length === 0 ? 'no header of include/linux/kho/abi' : plural(result.headers.length, 'header');
  yield `${escapeText(result.label)}: ${plural(result.patches, 'patch')}, ${headers}`;
  const errors = result.findings.filter(({ severity }) => severity === 'error').length;
  yield errors > 0
    ? `${plural(errors, 'layout')} changed without a version that says so`
    : result.findings.length === 0
      ? 'no layout changed'
      : 'no layout changed without a version that says so';
  let patch: string | null = null;
  for (const finding of result.findings) {
    yield '';
    if (finding.patch !== patch && finding.patch !== '') {
      yield `> ${escapeText(finding.patch)}`;
      yield '';
    }
    patch = finding.patch;
    yield* findingLines(finding, width);
  }
}

function* findingLines(finding: GateFinding, width: number): Iterable<string> {
  yield `${finding.severity}: ${escapeText(finding.path)}`;
  for (const line of wrap(escapeText(finding.message), width - 2)) yield `  ${line}`;
  for (const { text, releases, direction } of grouped(finding.pairs)) {
    const pair = direction === 'from-release' ? `${releases.join(', ')} -> this kernel` : `this kernel -> ${releases.join(', ')}`;
    for (const [index, line] of wrap(`${pair}: ${escapeText(text)}`, width - 4).entries()) yield `${index === 0 ? '  * ' : '    '}${line}`;
  }
}

/** Releases that come to the same in the same direction. */
function grouped(pairs: readonly BrokenPair[]): readonly { readonly text: string; readonly releases: string[]; readonly direction: BrokenPair['direction'] }[] {
  const groups = new Map<string, { text: string; releases: string[]; direction: BrokenPair['direction'] }>();
  for (const { release, direction, outcome, errno, text } of pairs) {
    const said = `${withErrno(outcome, errno)}: ${text}`;
    const key = `${direction} ${said}`;
    const group = groups.get(key) ?? { text: said, releases: [], direction };
    group.releases.push(release);
    groups.set(key, group);
  }
  return [...groups.values()];
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : what.endsWith('h') ? 'es' : 's'}`;

export const gateJson = (result: GateResult): JsonObject => ({
  schema: 'luo-inspect.abi-gate/1',
  input: result.label,
  patches: result.patches,
  headers: [...result.headers],
  verdict: gateFails(result) ? 'broken' : 'fine',
  findings: result.findings.map(({ change, pairs, ...finding }) => ({
    ...pick(finding, 'kind', 'severity', 'patch', 'path', 'name', 'message'),
    changes: change === null ? null : change.changes.map((one) => pick(one, 'kind', 'text')),
    versions:
      change === null ? null : { before: change.before.map((mark) => ({ ...mark })), after: change.after.map((mark) => ({ ...mark })), bumped: change.bumped },
    pairs: pairs.map((pair) => pick(pair, 'release', 'direction', 'outcome', 'errno', 'text')),
  })),
});
