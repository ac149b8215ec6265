/** Moving the engine's client through time, with all panes following. */
import type { EngineClient, Step } from '../../engine/client.js';
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import { asked, tell as tellIn } from '../model/view.js';
import { causeOf, symptomOf } from './cause.js';
import { SHARED } from './layout.js';
import { type Debugger, type OtherRun, arrive, lastWrite, settle } from './state.js';
import { stepText } from './step-lines.js';

export const tell = (state: Debugger, toast: string): Debugger => tellIn(state, toast);

/** Moves the client and lets all panes follow; says where the run ended. Where a jump came from is remembered. */
export function travelled(state: Debugger, go: () => Step | null, jump = false): Debugger {
  const { client } = state;
  const before = client.position;
  go();
  const arrived = arrive(jump && client.position !== before ? { ...state, past: [...state.past, before].slice(-100), future: [] } : state);
  if (client.position !== before) return arrived;
  if (before === 0) return tell(arrived, 'this is before the first step');
  return tell(arrived, client.end === null ? 'the run goes on: once more' : (client.end.reason ?? 'this is the last step of the run'));
}

/** `count` times, as far as it goes. */
export function repeated(state: Debugger, count: number | null, go: (client: EngineClient) => Step | null): Debugger {
  const { client } = state;
  return travelled(state, () => {
    let step: Step | null = null;
    for (let time = 0; time < Math.min(count ?? 1, 100_000); time++) {
      const before = client.position;
      step = go(client);
      if (client.position === before) break;
    }
    return step;
  });
}

/** Back (-1) or forward (1) in the list of jumps. */
export function travelJumps(state: Debugger, by: 1 | -1): Debugger {
  const from = by === -1 ? state.past : state.future;
  const there = from.at(-1);
  if (there === undefined) return tell(state, by === -1 ? 'no jump to go back from' : 'no jump to go forward to');
  const here = state.client.position;
  state.client.runTo(there);
  return arrive({
    ...state,
    past: by === -1 ? state.past.slice(0, -1) : [...state.past, here],
    future: by === -1 ? [...state.future, here] : state.future.slice(0, -1),
  });
}

/**
 * First to the step that went wrong first inside the failing call, then to the last write of the bytes it had read; from there to the
 * symptom again.
 */
export function toCause(state: Debugger): Debugger {
  const { client, index } = state;
  const here = client.position;
  const { cause } = state;
  if (cause !== null && here === cause.step && cause.read !== null) {
    const { read, writer } = cause;
    const selection = { address: read.address, firstBit: 0, bits: read.length * 8 };
    const there = travelled(state, () => client.runTo(writer ?? 1), true);
    const origin =
      writer === null
        ? `${hex(read.address)} came with ${client.fromDump ? 'the dump' : 'the machine'}: no step of this run wrote it`
        : `step ${writer} wrote ${hex(read.address)} last: ${escapeText(client.stepAt(writer)?.op ?? '')}`;
    // the bytes are what there is to see of a write that no step made
    const slot = writer === null && !SHARED.includes(there.shell.focus) ? 'memory' : there.slot;
    return tell(settle({ ...there, cause, selection, slot }), cause.mend === null ? origin : `${origin}; e mends it`);
  }
  const symptom = symptomOf(client, index);
  if (symptom === null) return tell(state, 'nothing went wrong: every expectation is met, and no call of the agent was refused');
  const found = cause?.symptom === symptom.step ? cause : causeOf(client, index, symptom);
  // after the writer the symptom itself is shown
  const to = cause !== null && cause.step === found.step && here === (cause.writer ?? 1) && cause.read !== null ? symptom.step : found.step;
  const there = travelled({ ...state, cause: found }, () => client.runTo(to), true);
  // the bytes it went wrong by are in the memory pane, ready for the second F; else those written last
  const { read } = found;
  const selection = read === null ? (lastWrite(client) ?? there.selection) : { address: read.address, firstBit: 0, bits: read.length * 8 };
  return tell(
    settle({ ...there, cause: found, selection }),
    found.because[0] ??
      (metAll(client) ? 'every expectation is met; this is the first call that was refused, as expected' : `step ${found.step} went wrong first`),
  );
}

const metAll = ({ fromDump, mismatches }: EngineClient): boolean => !fromDump && mismatches.length === 0;

/** Runs on until that step of the program is carried out, or to the end. */
export function runToAction(state: Debugger, action: number): Step | null {
  const { client } = state;
  let arrived = client.toAction(1);
  while (arrived !== null && (arrived.action ?? -1) < action && client.position < client.length + 1) {
    const before = client.position;
    arrived = client.toAction(1);
    if (client.position === before) break;
  }
  return arrived;
}

/** Steps of a run that are kept to hold another run against. */
const MOST_COMPARED = 100_000;

/** A run as it is now, in a line a step. */
function remembered(client: EngineClient): OtherRun {
  const { position } = client;
  client.runTo(MOST_COMPARED);
  client.runTo(position);
  const steps: string[] = [];
  const logs: string[] = [];
  for (let number = 1; number <= Math.min(client.length, MOST_COMPARED); number++) {
    const step = client.stepAt(number);
    if (step === null) break;
    steps.push(`${step.actor} ${stepText(step)}`);
    logs.push(...step.log);
  }
  return { end: client.end?.ending ?? 'not run to its end', steps, logs };
}

/** After memory was changed: the run starts over, goes on in the background, and is compared with what it was. */
export function changed(state: Debugger, change: () => Step | null): Debugger {
  const before = state.before ?? remembered(state.client);
  change();
  state.index.clear();
  const kept = state.client.edits.length === 0 ? null : before;
  return arrive({ ...state, before: kept, cause: null, headline: null, seeking: 'end' });
}

// A real kernel beside the run.

export const CARRY_OUT = 'carry out on this machine: ';

/** Asks before the next step is carried out: the line shows it, Enter carries it out, Escape leaves it. */
export function askToCarryOut(state: Debugger): Debugger {
  const { companion } = state;
  if (companion === null) return tell(state, 'no real kernel beside this run: `luo-inspect live <scenario> --step` opens one');
  const next = companion.next();
  return next === null ? tell(state, 'every step was carried out') : asked(state, CARRY_OUT, escapeText(next));
}

/** The answer to that question. Whatever else was written in the line is no step of the scenario. */
export function carryOut(state: Debugger, text: string): Debugger {
  const { companion } = state;
  const next = companion?.next() ?? null;
  if (companion === null || next === null || text !== escapeText(next)) return tell(state, 'not carried out: the step has to be confirmed as it is written');
  const { action, real, engine, differs } = companion.perform();
  const there = travelled(state, () => runToAction(state, action));
  return tell(there, `${next}: this kernel ${real}, the engine ${engine}${differs ? ': they differ' : ''}`);
}
