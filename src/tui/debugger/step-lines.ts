/** What a step of the run says: in one line, and in full with everything it changed. Pure. */
import { ACTORS, type Actor, type EngineClient, type FieldChange, type Step, shownArg } from '../../engine/client.js';
import { escapeText } from '../../report/escape.js';
import { type Line, type Span, type Style, clip, line, lineWidth, padTo, span, wrap } from '../model/text.js';

/** What a restoring call gives, as an argument of its step: null where the kernel gets NULL. */
const GIVEN: ReadonlySet<string> = new Set(['order', 'pages']);

/** Did a call of the kernel give NULL, which has no errno? */
const gaveNull = (step: Step): boolean =>
  step.op.startsWith('kho_restore') && Object.entries(step.args).some(([key, value]) => GIVEN.has(key) && value === null);

/** Did the step go wrong: with an errno, with NULL, or so that nobody can know? */
export const wentWrong = (step: Step): boolean => step.errno !== null || step.result === null || gaveNull(step);

/** An argument as it is shown: addresses in hex, "none" for what there is not. */
export function argText(key: string, value: Step['args'][string]): string {
  const shown = shownArg(key, value);
  if (shown === null) return 'none';
  if (typeof shown === 'number' && HEX_KEYS.has(key)) return `0x${shown.toString(16)}`;
  return escapeText(String(shown));
}

const HEX_KEYS: ReadonlySet<string> = new Set(['gpa', 'hva', 'port', 'pfn', 'phys_addr', 'rip', 'memory']);

/** `name=vm-0 token=0x1` */
export const argsText = (step: Step): string =>
  Object.entries(step.args)
    .filter(([key, value]) => !(GIVEN.has(key) && value === null && gaveNull(step)))
    .map(([key, value]) => `${key}=${argText(key, value)}`)
    .join(' ');

/** `→ EINVAL`, `→ 0` where a call or ioctl ends; '' where a result says nothing. */
export function resultText(step: Step): string {
  if (step.result === null) return '→ unknown';
  if (step.errno !== null) return `→ ${step.errno}`;
  if (gaveNull(step)) return '→ NULL';
  return step.phase === 'exit' ? `→ ${step.result}` : '';
}

/** What the step is, without its actor. */
export function stepText(step: Step): string {
  if (step.op === 'printk') return `“${escapeText(step.log.join(' '))}”`;
  const sign = step.phase === 'enter' ? '▸ ' : step.phase === 'exit' ? '◂ ' : '';
  return [`${sign}${escapeText(step.op)}`, resultText(step), argsText(step)].filter((part) => part !== '').join(' ');
}

/** Letters of actors whose own first letter is taken. */
const LETTERS: Readonly<Record<string, string>> = { kho: 'o', 'next-kernel': 'n' };
const letterOf = (actor: Actor): string => LETTERS[actor] ?? actor.slice(0, 1);

/** The actors by name, their letters in capitals. */
const LEGEND = ACTORS.map((actor) => actor.replace('-kernel', '').replace(letterOf(actor), (letter) => letter.toUpperCase())).join(' ');

/** Columns from which on each actor has a lane of its own to write in. */
const WIDE_LANES = 96;

/** The heading of the lanes. */
export function laneHeading(width: number, digits: number): Line {
  const margin = ' '.repeat(digits + 3);
  if (width < WIDE_LANES) return [span(margin), span(ACTORS.map(letterOf).join(''), 'label'), span(`  ${LEGEND}`, 'dim')];
  const lane = laneWidth(width, digits);
  return [span(margin), ...ACTORS.map((actor) => span(padTo(actor, lane), 'label'))];
}

const laneWidth = (width: number, digits: number): number => Math.floor((width - digits - 3) / ACTORS.length);

/** A step in its actor's lane. */
export function laneRow(
  step: Step,
  signs: { readonly cursor: boolean; readonly current: boolean; readonly match: boolean; readonly future: boolean },
  width: number,
  digits: number,
): Line {
  const number = String(step.step).padStart(digits);
  const style: Style = wentWrong(step) ? 'error' : signs.match ? 'match' : signs.current ? 'title' : signs.future ? 'dim' : 'plain';
  const head: Span[] = [span(signs.cursor ? '›' : ' ', 'focus'), span(signs.current ? '▶' : ' ', 'focus'), span(number, 'address'), span(' ')];
  const own = ACTORS.indexOf(step.actor);
  if (width < WIDE_LANES) {
    const lanes = ACTORS.map((_, index) => span(index === own ? '●' : '·', index === own ? 'title' : 'dim'));
    return clip([...head, ...lanes, span(` ${' '.repeat(Math.min(step.depth, 6))}${stepText(step)}`, style)], width);
  }
  const lane = laneWidth(width, digits);
  const before = ACTORS.slice(0, own).map(() => span(`│${' '.repeat(lane - 1)}`, 'dim'));
  // the text may run over the lanes at its right, which are empty
  return clip([...head, ...before, span('●', 'title'), span(` ${stepText(step)}`, style)], width);
}

/** Everything about a step. `address`: physical, of the bytes that a row is about. */
export interface StepLine {
  readonly spans: Line;
  readonly address: number | null;
  readonly length: number;
}

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.subarray(0, 16))
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1 ') + (bytes.length > 16 ? ' …' : '');

/** Writes listed one by one. */
const MOST_WRITES = 200;

/** @param writes what the step changed in memory, field by field @param because why it went wrong, as far as that is known */
export function stepLines(
  step: Step | null,
  stateChanges: readonly string[],
  writes: readonly FieldChange[],
  width: number,
  because: readonly string[] = [],
): StepLine[] {
  if (step === null) return [plain(line('before the machine is switched on', 'dim'))];
  const out: StepLine[] = [
    plain([span(escapeText(step.op), 'title'), span(`  ${step.actor}, ${step.phase === 'event' ? 'one step' : step.phase}, kernel ${step.kernel}`, 'dim')]),
  ];
  for (const row of because.flatMap((text) => wrap(text, width, 2))) out.push(plain(line(row, 'warning')));
  for (const [key, value] of Object.entries(step.args))
    if (!(GIVEN.has(key) && value === null && gaveNull(step))) out.push(plain([span(`${key} `, 'label'), span(argText(key, value), 'value')]));
  const result = resultText(step);
  if (result !== '') out.push(plain(line(result, wentWrong(step) ? 'error' : 'good')));
  if (step.injected !== null) for (const row of wrap(`injected: ${escapeText(step.injected)}`, width, 2)) out.push(plain(line(row, 'warning')));
  for (const text of step.log) for (const row of wrap(`“${escapeText(text)}”`, width, 1)) out.push(plain(line(row)));
  for (const text of stateChanges) {
    for (const [index, row] of wrap(text, Math.max(8, width - 3), 2).entries()) out.push(plain([span(index === 0 ? '* ' : '  ', 'changed'), span(row)]));
  }
  for (const write of writes.slice(0, MOST_WRITES)) {
    const what =
      write.struct === null ? `${write.length} byte${write.length === 1 ? '' : 's'}` : `${write.struct}${write.field === null ? '' : `.${write.field}`}`;
    const at = { address: write.address, length: write.length };
    const before = write.beforeText === null ? hexOf(write.before) : escapeText(write.beforeText);
    const after = write.afterText === null ? hexOf(write.after) : escapeText(write.afterText);
    out.push({ spans: [span('* ', 'changed'), span(what, 'name'), span(` 0x${write.address.toString(16)}`, 'address')], ...at });
    const was: Line = [span('    ', 'dim'), span(before, 'dim')];
    const is: Line = [span('→ ', 'dim'), span(after, 'changed')];
    // what it is now is not to be cut off by what it was
    if (lineWidth(was) + 1 + lineWidth(is) <= width) out.push({ spans: [...was, span(' '), ...is], ...at });
    else out.push({ spans: was, ...at }, { spans: [span('  '), ...is], ...at });
  }
  for (const { address, length } of step.reads)
    out.push({
      spans: [span('  read ', 'dim'), span(`0x${address.toString(16)}`, 'address'), span(` ${length} byte${length === 1 ? '' : 's'}`, 'dim')],
      address,
      length,
    });
  if (writes.length > MOST_WRITES) out.push(plain(line(`… and ${writes.length - MOST_WRITES} more changes`, 'dim')));
  return out;
}

const plain = (spans: Line): StepLine => ({ spans, address: null, length: 0 });

/** Arguments that speak for themselves. */
const NAMELESS: ReadonlySet<string> = new Set(['session', 'fd', 'token', 'name', 'device', 'kind', 'target', 'mode', 'state']);

/** A step of the scenario in one line: its verb and what it is given. */
export function programText(step: EngineClient['program'][number]): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(step)) {
    if (key === 'do' || key === 'index' || key === 'as') continue;
    const text = programValue(key, value);
    if (text !== '') parts.push(NAMELESS.has(key) ? text : `${key}=${text}`);
  }
  const name = 'as' in step && step.as !== null ? `as ${escapeText(step.as)}` : '';
  const expected = step.expect.errno === null ? '' : `expects ${step.expect.errno}`;
  return [step.do, ...parts, name, expected].filter((part) => part !== '').join(' ');
}

/** Values a reader wants in a line; structures are left to the scenario's file. */
function programValue(key: string, value: unknown): string {
  if (typeof value === 'string') return value === '' ? '' : escapeText(value);
  if (typeof value === 'bigint') return value === 0n && key !== 'token' ? '' : `0x${value.toString(16)}`;
  if (typeof value === 'number') return value === 0 ? '' : HEX_KEYS.has(key) ? `0x${value.toString(16)}` : String(value);
  if (value instanceof Uint8Array) return value.length === 0 ? '' : key === 'name' ? escapeText(new TextDecoder().decode(value)) : hexOf(value);
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.length === 0 ? '' : escapeText(value.join('|'));
  return value === true ? 'yes' : '';
}
