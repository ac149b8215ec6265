/** What differs between a header before and after: layouts field by field (swaps included), numbers, and whether a version says so. */
import { fieldName, isPadding, layoutChanges, type LayoutChange as ShapeChange, type ShapeField, sizeText } from '../compat/shape.js';
import { type Header, type VersionMark, versionsFor, versionsOf } from './header.js';
import type { Measured } from './layout.js';

interface LayoutChange {
  /** `renamed` alone leaves the bytes as they were; `filled`: padding got a meaning, or lost it; `gone`: the structure itself */
  readonly kind: ShapeChange['kind'] | 'value' | 'gone';
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
