/**
 * The gate: what patches do to the contracts in include/linux/kho/abi. A layout that changes while its string stays is read wrongly by
 * every kernel on the other side; one whose string changes with it is refused, which is what the string is for.
 */
import type { ErrnoName } from '../../abi/errno.js';
import type { Outcome } from '../../abi/behaviour/behaviour.js';
import { type FactName, outcomeOf } from '../../abi/behaviour/facts.js';
import type { Contract, Release } from '../../abi/contract.js';
import { contracts, contractsOf, releases } from '../../abi/registry.js';
import { layerOfString, infoOf } from '../compat/side.js';
import { EMPTY_HEADER, type Header, readHeader, versionsOf, type VersionMark, versionsFor } from './header.js';
import { KnownFile } from './known-file.js';
import type { FilePatch, Patch } from './patch.js';
import { fieldName, isPadding, layoutChanges, type LayoutChange as ShapeChange, type ShapeField, sizeText } from '../compat/shape.js';
import { type Measured, spendOnHeaders } from './layout.js';

/** What a pair of kernels comes to: one with the patch, the other a release. */
export interface BrokenPair {
  readonly release: Release;
  /** who takes over from whom */
  readonly direction: 'from-release' | 'to-release';
  readonly outcome: string;
  readonly errno: ErrnoName | null;
  readonly text: string;
}

export interface GateFinding {
  readonly kind: 'not-bumped' | 'bumped' | 'renamed' | 'gone' | 'no-version' | 'not-measured';
  readonly severity: 'error' | 'warning' | 'info';
  /** subject of the patch; '' for a bare diff */
  readonly patch: string;
  readonly path: string;
  readonly name: string;
  readonly message: string;
  readonly change: StructChange | null;
  readonly pairs: readonly BrokenPair[];
}

export interface GateResult {
  readonly label: string;
  readonly patches: number;
  /** headers that were looked at */
  readonly headers: readonly string[];
  readonly findings: readonly GateFinding[];
}

/** Headers whose layouts are handed from one kernel to the next. */
export const ABI_HEADERS = /(^|\/)include\/linux\/kho\/abi\/[^/]+\.h$/;

interface GateOptions {
  readonly label: string;
  /** a file of the tree the patches are for; null where it is not known */
  readonly base: (path: string) => string | null;
}

/** Looks at each patch in turn, each against the state the ones before it left. */
export function gatePatches(patches: readonly Patch[], options: GateOptions): GateResult {
  const files = new Map<string, KnownFile>();
  const findings: GateFinding[] = [];
  const headers = new Set<string>();
  for (const patch of patches) {
    const pairs: { readonly before: Header; readonly after: Header }[] = [];
    for (const file of patch.files) {
      const path = file.after ?? file.before;
      if (path === null || !ABI_HEADERS.test(path)) continue;
      headers.add(path);
      pairs.push(applyTo(files, file, path, options));
    }
    findings.push(...judgePatch(patch.subject, pairs));
  }
  return { label: options.label, patches: patches.length, headers: [...headers].sort(), findings };
}

function applyTo(files: Map<string, KnownFile>, file: FilePatch, path: string, { base }: GateOptions): { readonly before: Header; readonly after: Header } {
  const from = file.before ?? path;
  let known = files.get(from);
  if (known === undefined) {
    const text = file.before === null ? null : base(file.before);
    known = file.before === null ? KnownFile.empty : text === null ? KnownFile.unknown : KnownFile.of(text);
  }
  const before = known.learn(file.hunks);
  const after = file.after === null ? KnownFile.empty : before.apply(file.hunks);
  files.delete(from);
  files.set(path, after);
  return {
    before: file.before === null ? EMPTY_HEADER(path) : readHeader(path, before),
    after: file.after === null ? EMPTY_HEADER(path) : readHeader(path, after),
  };
}

/** Two states of a tree's headers, by path: for `--lock` and for commits. */
export function gateStates(label: string, before: ReadonlyMap<string, Header>, after: ReadonlyMap<string, Header>): GateResult {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  const pairs = paths.map((path) => ({ before: before.get(path) ?? EMPTY_HEADER(path), after: after.get(path) ?? EMPTY_HEADER(path) }));
  return { label, patches: 1, headers: paths, findings: judgePatch('', pairs) };
}

function judgePatch(subject: string, pairs: readonly { readonly before: Header; readonly after: Header }[]): readonly GateFinding[] {
  const findings: GateFinding[] = [];
  // Headers without a string are versioned by KHO's own; a bump anywhere in the patch may be meant for them.
  const anyBumped = pairs.some(({ before, after }) => {
    const old = new Map(versionsOf(before).map((mark) => [mark.name, mark.value]));
    return versionsOf(after).some(({ name, value }) => old.has(name) && old.get(name) !== value);
  });
  for (const { before, after } of pairs) {
    const unmeasured = new Set(before.unmeasured.map(({ name }) => name));
    for (const change of compareHeaders(before, after)) findings.push(judgeChange(subject, change, anyBumped));
    for (const { name, problem } of after.unmeasured) {
      const old = before.structs.has(name) || unmeasured.has(name);
      if (!old && before.whole) continue;
      const message = `struct ${name} can't be laid out: ${problem}${after.whole ? '' : '; name the tree the patches are for with --base'}`;
      findings.push({ kind: 'not-measured', severity: 'warning', patch: subject, path: after.path, name, message, change: null, pairs: [] });
    }
  }
  return findings;
}

function judgeChange(patch: string, change: StructChange, anyBumped: boolean): GateFinding {
  const { path, name, changes, before, after, bumped } = change;
  const what = changes.map(({ text }) => text).join('; ');
  const base = { patch, path, name, change };
  const subject = changes.every(({ kind }) => kind === 'value') ? name : `struct ${name}`;
  if (changes.every(({ kind }) => kind === 'renamed'))
    return { ...base, kind: 'renamed', severity: 'info', message: `${subject}: ${what}; the bytes are the same, and no version needs to change`, pairs: [] };
  const marks = (list: typeof before): string => list.map((mark) => `${mark.name} ${mark.value}`).join(', ');
  if (bumped)
    return {
      ...base,
      kind: 'bumped',
      severity: 'info',
      message: `${subject}: ${what}; the version changed with it: ${marks(before)} became ${marks(after)}`,
      pairs: pairsOf(change, true),
    };
  if (changes.every(({ kind }) => kind === 'gone')) {
    const message = `${subject}: ${what}; fine if nothing else in the header holds one any more`;
    return { ...base, kind: 'gone', severity: 'warning', message, pairs: [] };
  }
  if (before.length === 0) {
    const message = `${subject}: ${what}; its header has no version of its own, so ${anyBumped ? 'the version bumped elsewhere in the patch must be the one that covers it' : 'the string that covers it (KHO_FDT_COMPATIBLE for what KHO itself hands over) must change, and none does'}`;
    return { ...base, kind: 'no-version', severity: anyBumped ? 'warning' : 'error', message, pairs: anyBumped ? [] : pairsOf(change, false) };
  }
  return {
    ...base,
    kind: 'not-bumped',
    severity: 'error',
    message: `${subject}: ${what}; changed, but ${marks(after)} is not bumped`,
    pairs: pairsOf(change, false),
  };
}

/** Releases on the other side, and what happens between them and a kernel with the patch. */
function pairsOf(change: StructChange, bumped: boolean): readonly BrokenPair[] {
  const strings = change.before.map(({ value }) => value.replaceAll('"', ''));
  const spoken: readonly Contract[] = strings.flatMap(contractsOf).filter((contract) => contract.releases.length > 0);
  const covered =
    spoken.length > 0
      ? spoken
      : contracts.filter((contract) => contract.releases.length > 0 && contract.structs.some((struct) => struct.name === change.name) && strings.length === 0);
  const speaking = releases.filter((release) => covered.some((contract) => contract.releases.includes(release)));
  const newest = releases.at(-1);
  return speaking.flatMap((release): readonly BrokenPair[] => {
    const layer = covered[0]?.layer ?? layerOfString(strings[0] ?? '');
    if (!bumped) {
      const text = 'the string is accepted and the layout is not the same: what was written is read wrongly, and nothing says so';
      return (['from-release', 'to-release'] as const).map((direction) => ({ release, direction, outcome: 'corrupts', errno: null, text }));
    }
    // The receiver's own rules for a version it does not know: the release's, or those of the newest release for the patched kernel.
    return (['from-release', 'to-release'] as const).flatMap((direction) => {
      const receiver = direction === 'to-release' ? release : newest;
      const outcome = receiver === undefined ? null : refusal(layer, receiver);
      if (outcome === null) return [];
      const [from, to] = direction === 'to-release' ? [change.after, change.before] : [change.before, change.after];
      const text = outcome.text
        .replaceAll('{from}', from[0]?.value.replaceAll('"', '') ?? 'the new version')
        .replaceAll('{to}', to[0]?.value.replaceAll('"', '') ?? 'another');
      return [{ release, direction, outcome: outcome.kind, errno: outcome.errno, text }];
    });
  });
}

/** What a release does about a version of a layer that it does not know. */
function refusal(layer: string, release: Release): Outcome | null {
  const role = infoOf(layer)?.role;
  const refused: Readonly<Record<string, FactName>> = {
    kho: 'version/kho',
    'kho-vmalloc': 'version/kho',
    block: 'version/kho',
    luo: 'version/luo',
    'luo-session': 'version/luo-session',
    'luo-flb': 'version/luo-flb',
    memblock: 'version/memblock',
    'kexec-metadata': 'version/kexec-metadata',
  };
  const fact = refused[layer] ?? (role === 'handler' ? 'version/handler' : role === 'flb' ? 'flb/unclaimed' : 'subtree/unclaimed');
  const outcome = outcomeOf(fact, release);
  return outcome === null && role !== 'luo' && role !== 'luo-node' ? outcomeOf('subtree/unclaimed', release) : outcome;
}

/** Does anything in it break a pair without a version that says so? */
export const gateFails = ({ findings }: GateResult): boolean => findings.some(({ severity }) => severity === 'error');

interface LayoutChange {
  /** `renamed` alone leaves the bytes as they were; `filled`: padding got a meaning, or lost it; `gone`: the structure itself */
  readonly kind: ShapeChange['kind'] | 'value' | 'gone';
  readonly text: string;
}

interface StructChange {
  readonly path: string;
  /** of the structure, or of the number */
  readonly name: string;
  readonly changes: readonly LayoutChange[];
  /** versions before, and after */
  readonly before: readonly VersionMark[];
  readonly after: readonly VersionMark[];
  readonly bumped: boolean;
}

const place = (field: ShapeField): string =>
  field.bitOffset % 8 === 0 && field.bits % 8 === 0 ? `offset ${field.bitOffset / 8}` : `offset ${Math.floor(field.bitOffset / 8)}, bit ${field.bitOffset % 8}`;

/** Empty where the same bytes mean the same and every name stayed. */
const measuredChanges = (before: Measured, after: Measured): readonly LayoutChange[] =>
  layoutChanges(before, after, true).map((change) => ({ kind: change.kind, text: textOf(change, before, after) }));

function textOf(change: ShapeChange, before: Measured, after: Measured): string {
  switch (change.kind) {
    case 'size':
      return `has ${after.size} bytes, had ${before.size}`;
    case 'type':
      return `${fieldName(change.after)} is ${change.after.type}, was ${change.before.type}`;
    case 'swapped':
      return `${fieldName(change.before)} and ${fieldName(change.other)} changed places (${place(change.before)} and ${place(change.other)})`;
    case 'resized':
      return `${fieldName(change.before)} has ${sizeText(change.after)}, had ${sizeText(change.before)}`;
    case 'moved': {
      const resized = change.before.bits === change.after.bits ? '' : `, and has ${sizeText(change.after)}, had ${sizeText(change.before)}`;
      return `${fieldName(change.before)} is at ${place(change.after)}, was at ${place(change.before)}${resized}`;
    }
    case 'filled':
      return `${fieldName(change.before)} at ${place(change.before)} is ${isPadding(change.before) ? fieldName(change.after) : 'padding'} now`;
    case 'renamed':
      return `${fieldName(change.before)} is called ${fieldName(change.after)}`;
    case 'removed':
      return `${fieldName(change.before)} at ${place(change.before)} is gone`;
    case 'added':
      return `${fieldName(change.after)} at ${place(change.after)} is new`;
  }
}

/** Characters of a line. */
const LINE = 80;

/** Every structure and number of a header that changed. Comments, order of declarations and new structures are no change. */
function compareHeaders(before: Header, after: Header): readonly StructChange[] {
  const found: StructChange[] = [];
  const add = (name: string, changes: readonly LayoutChange[]): void => {
    const [old, now] = [versionsFor(before, name), versionsFor(after, name)];
    // Each change repeats the versions of its header.
    spendOnHeaders(
      after.path,
      [before, after].reduce((sum, { strings, numbers }) => sum + strings.size + numbers.size, 0),
    );
    spendOnHeaders(after.path, Math.ceil([...old, ...now].reduce((sum, mark) => sum + mark.name.length + mark.value.length, 0) / LINE));
    const value = new Map(old.map((mark) => [mark.name, mark.value]));
    const bumped = now.some((mark) => value.get(mark.name) !== mark.value) && old.length > 0;
    found.push({ path: after.path, name, changes, before: old, after: now, bumped });
  };
  const unmeasured = new Set(after.unmeasured.map(({ name }) => name));
  for (const [name, old] of before.structs) {
    const now = after.structs.get(name);
    if (now === undefined) {
      if (after.whole && !unmeasured.has(name)) add(name, [{ kind: 'gone', text: 'is declared no more' }]);
      continue;
    }
    const changes = measuredChanges(old, now);
    if (changes.length > 0) add(name, changes);
  }
  const marks = new Set([...versionsOf(before), ...versionsOf(after)].map(({ name }) => name));
  for (const [name, old] of before.numbers) {
    const now = after.numbers.get(name);
    if (now !== undefined && now !== old && !marks.has(name)) add(name, [{ kind: 'value', text: `is 0x${now.toString(16)}, was 0x${old.toString(16)}` }]);
  }
  for (const [name, old] of before.strings) {
    const now = after.strings.get(name);
    if (now !== undefined && now !== old && !marks.has(name)) add(name, [{ kind: 'value', text: `is ${JSON.stringify(now)}, was ${JSON.stringify(old)}` }]);
  }
  return found;
}
