/** How `sim` and `step` tell a run to a person: the agent's operations with what each answered, the console, and how it ended. */
import { styleText } from 'node:util';
import { type EngineClient, type Mismatch, type RunEnd, type Step, shownArg } from '../engine/client.js';
import { escapeText } from '../report/escape.js';

interface TextStyle {
  readonly color: boolean;
  /** every step of the engine, not the agent's alone */
  readonly verbose: boolean;
  /** say whether what was answered is what a scenario expects; a dump expects nothing */
  readonly judged: boolean;
}

type Tone = 'red' | 'green' | 'dim' | 'bold' | 'yellow';

const paint = (style: TextStyle, tone: Tone, text: string): string => (style.color ? styleText(tone, text, { validateStream: false }) : text);

/** The expectations that were not met, by the step they are told at. */
export const failedAt = ({ mismatches }: EngineClient): ReadonlyMap<number, Mismatch> => new Map(mismatches.toReversed().map((one) => [one.step, one]));

/** The lines of one step, as the run gets there; none for most steps unless `verbose`. */
export function* stepLines(client: EngineClient, step: Step, failed: ReadonlyMap<number, Mismatch>, style: TextStyle): Iterable<string> {
  if (step.op === 'jump' || /^machine_kexec/.test(step.op)) yield paint(style, 'bold', `---- kernel ${step.kernel} ----`);
  if (isAction(client, step)) yield actionLine(client, step, failed, style);
  else if (style.verbose && step.log.length === 0) yield traceLine(step, style);
  for (const line of step.log) yield `${numbered(step, style)}${paint(style, 'dim', `| ${escapeText(line)}`)}`;
}

/** Is this the agent's own step, that says what an operation answered? */
function isAction(client: EngineClient, step: Step): boolean {
  return step.actor === 'agent' && step.action !== null && client.program[step.action]?.do === step.op;
}

const numbered = (step: Step, style: TextStyle): string =>
  style.verbose ? `${String(step.step).padStart(6)} ${'  '.repeat(Math.min(step.depth, 12))}` : '     ';

function actionLine(client: EngineClient, step: Step, failed: ReadonlyMap<number, Mismatch>, style: TextStyle): string {
  const wrong = failed.get(step.step);
  const planned = step.action === null ? undefined : client.program[step.action]?.position.line;
  const mark = style.judged
    ? wrong === undefined
      ? paint(style, 'green', 'ok  ')
      : paint(style, 'red', 'FAIL')
    : step.errno === null
      ? '    '
      : paint(style, 'yellow', 'no  ');
  const place = planned === undefined || planned <= 1 ? '' : paint(style, 'dim', `:${planned} `);
  const tail = wrong === undefined ? '' : paint(style, 'red', `  expected ${escapeText(wrong.expected)}, got ${escapeText(wrong.got)}`);
  return `${mark} ${place}${paint(style, 'bold', step.op)}${args(step)} = ${answer(step)}${tail}`;
}

function traceLine(step: Step, style: TextStyle): string {
  const arrow = step.phase === 'enter' ? '> ' : step.phase === 'exit' ? '< ' : '  ';
  const result = step.phase === 'exit' || (step.result ?? 0) !== 0 ? ` = ${answer(step)}` : '';
  return `${numbered(step, style)}${paint(style, 'dim', step.actor.padEnd(11))}${arrow}${step.op}${args(step)}${result}`;
}

const answer = (step: Step): string => (step.result === null ? 'unknown' : (step.errno ?? String(step.result)));

/** Arguments longer than this are cut: a line is for reading. */
const MOST = 60;

function args(step: Step): string {
  const parts = Object.entries(step.args).flatMap(([key, value]) => {
    const shown = shownArg(key, value);
    if (shown === null || shown === '' || (typeof shown === 'boolean' && !shown)) return [];
    const text = escapeText(String(shown));
    return [`${key}=${text.length > MOST ? `${text.slice(0, MOST)}…` : text}`];
  });
  return parts.length === 0 ? '' : ` ${parts.join(' ')}`;
}

/** The last line: how the run ended, and whether that is what was expected. */
export function endLine(client: EngineClient, end: RunEnd | null, style: TextStyle): string {
  const steps = `${client.length} steps`;
  if (end === null) return `stopped at step ${client.position}`;
  const how =
    end.ending === 'finished'
      ? 'finished'
      : end.ending === 'unknown'
        ? `stopped: ${escapeText(end.reason ?? '')}`
        : `ended in a ${end.ending}${why(end)}${left(client, end)}`;
  if (!style.judged) return `${how} after ${steps}`;
  const expected =
    end.mismatches.length > 0
      ? `${end.mismatches.length} expectation${end.mismatches.length === 1 ? '' : 's'} failed`
      : `the scenario says end: ${client.scenario.end}`;
  return `${how} after ${steps}; ${end.expectationsMet ? paint(style, 'green', 'every expectation met') : paint(style, 'red', expected)}`;
}

const why = (end: RunEnd): string => (end.reason === null ? '' : ` (${escapeText(end.reason)})`);

/** Steps that nobody is left to carry out. */
function left(client: EngineClient, end: RunEnd): string {
  const left = client.program.length - 1 - end.action;
  return end.ending !== 'panic' || left <= 0 ? '' : `, with ${left} more step${left === 1 ? '' : 's'} of the scenario not carried out`;
}
