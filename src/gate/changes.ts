/** What differs between a header before and after: layouts field by field (swaps included), numbers, and whether a version says so. */
import { type Header, type VersionMark, versionsFor, versionsOf } from './header.js';
import type { Measured, MeasuredField } from './layout.js';

export interface LayoutChange {
  /** `renamed` alone leaves the bytes as they were; `filled`: padding got a meaning, or lost it; `gone`: the structure itself */
  readonly kind: 'size' | 'swapped' | 'moved' | 'resized' | 'type' | 'removed' | 'added' | 'renamed' | 'filled' | 'value' | 'gone';
  readonly text: string;
}

export interface StructChange {
  readonly path: string;
  /** of the structure, or of the number */
  readonly name: string;
  readonly changes: readonly LayoutChange[];
  /** versions before, and after */
  readonly before: readonly VersionMark[];
  readonly after: readonly VersionMark[];
  readonly bumped: boolean;
}

const place = (field: MeasuredField): string =>
  field.bitOffset % 8 === 0 && field.bits % 8 === 0 ? `offset ${field.bitOffset / 8}` : `offset ${Math.floor(field.bitOffset / 8)}, bit ${field.bitOffset % 8}`;
const size = ({ bits }: MeasuredField): string => (bits % 8 === 0 ? `${bits / 8} bytes` : `${bits} bits`);
const sameSpot = (a: MeasuredField, b: MeasuredField): boolean => a.bitOffset === b.bitOffset && a.bits === b.bits;

/** Names of bytes that mean nothing yet. */
const isPadding = (name: string): boolean => /^_*(pad(ding)?|reserved|rsvd|unused)_?\d*$/i.test(name);

/** Empty where the same bytes mean the same and every name stayed. */
export function compareMeasured(before: Measured, after: Measured): readonly LayoutChange[] {
  const found: LayoutChange[] = [];
  if (before.size !== after.size) found.push({ kind: 'size', text: `has ${after.size} bytes, had ${before.size}` });
  const was = new Map(before.leaves.map((field) => [field.path, field]));
  const is = new Map(after.leaves.map((field) => [field.path, field]));
  const told = new Set<string>();
  for (const [path, old] of was) {
    const now = is.get(path);
    if (now === undefined || told.has(path)) continue;
    if (sameSpot(old, now)) {
      if (old.type !== now.type) found.push({ kind: 'type', text: `${path} is ${now.type}, was ${old.type}` });
      continue;
    }
    const other = [...was.values()].find((field) => field.path !== path && sameSpot(field, now));
    const there = other === undefined ? undefined : is.get(other.path);
    if (other !== undefined && there !== undefined && sameSpot(there, old)) {
      told.add(other.path);
      found.push({ kind: 'swapped', text: `${path} and ${other.path} changed places (${place(old)} and ${place(other)})` });
    } else if (old.bitOffset === now.bitOffset) found.push({ kind: 'resized', text: `${path} has ${size(now)}, had ${size(old)}` });
    else
      found.push({
        kind: 'moved',
        text: `${path} is at ${place(now)}, was at ${place(old)}${old.bits === now.bits ? '' : `, and has ${size(now)}, had ${size(old)}`}`,
      });
  }
  const gone = [...was.values()].filter(({ path }) => !is.has(path));
  const fresh = [...is.values()].filter(({ path }) => !was.has(path));
  for (const old of gone) {
    const renamed = fresh.find((field) => sameSpot(field, old) && field.type === old.type);
    if (renamed !== undefined && isPadding(old.name) !== isPadding(renamed.name))
      found.push({
        kind: 'filled',
        text: isPadding(old.name) ? `${old.path} at ${place(old)} is ${renamed.path} now` : `${old.path} at ${place(old)} is padding now`,
      });
    else if (renamed !== undefined) found.push({ kind: 'renamed', text: `${old.path} is called ${renamed.path}` });
    else found.push({ kind: 'removed', text: `${old.path} at ${place(old)} is gone` });
  }
  for (const now of fresh) {
    if (gone.some((old) => sameSpot(now, old) && now.type === old.type)) continue;
    found.push({ kind: 'added', text: `${now.path} at ${place(now)} is new` });
  }
  return found;
}

/** Every structure and number of a header that changed. Comments, order of declarations and new structures are no change. */
export function compareHeaders(before: Header, after: Header): readonly StructChange[] {
  const found: StructChange[] = [];
  const add = (name: string, changes: readonly LayoutChange[]): void => {
    const [old, now] = [versionsFor(before, name), versionsFor(after, name)];
    const value = new Map(old.map((mark) => [mark.name, mark.value]));
    const bumped = now.some((mark) => value.get(mark.name) !== mark.value) && old.length > 0;
    found.push({ path: after.path, name, changes, before: old, after: now, bumped });
  };
  for (const [name, old] of before.structs) {
    const now = after.structs.get(name);
    if (now === undefined) {
      if (after.whole && !after.unmeasured.some((one) => one.name === name)) add(name, [{ kind: 'gone', text: 'is declared no more' }]);
      continue;
    }
    const changes = compareMeasured(old, now);
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
