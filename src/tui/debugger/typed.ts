/** What a user types in the debugger: commands, marks, edits, searches. */
import { parseBreakpoint } from '../../engine/client.js';
import { hex } from '../../tree/words.js';
import { physicalAddress } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import type { Step as ProgramStep } from '../model/program.js';
import { jumpTo } from '../model/scroll.js';
import { parseEdit } from './edit.js';
import { type Debugger, settle, timelineHeight } from './state.js';
import { stepText } from './step-lines.js';
import { tell, travelled } from './travel.js';

const MOMENTS = ['preserved', 'frozen', 'early', 'booted'] as const;

const only = (state: Debugger): ProgramStep<Debugger> => ({ state, effects: [] });

export function entered(state: Debugger, sign: string, text: string): ProgramStep<Debugger> {
  switch (sign) {
    case '/':
      return only(find({ ...state, query: text || null }, 1));
    case 'mark: ':
      return only(mark(state, text));
    case 'go to mark: ':
      return only(goToMark(state, text));
    case 'edit ':
      return only(edit(state, text));
    default:
      return command(state, text);
  }
}

function mark(state: Debugger, name: string): Debugger {
  const wanted = name.trim();
  if (wanted === '') return state;
  state.client.mark(wanted);
  return settle(tell(state, `step ${state.present.position} is ${escapeText(wanted)}`));
}

function goToMark(state: Debugger, name: string): Debugger {
  const step = state.client.marks.get(name.trim());
  return step === undefined ? tell(state, `no mark ${escapeText(name.trim())}`) : travelled(state, () => state.client.runTo(step), false);
}

function edit(state: Debugger, text: string): Debugger {
  const typed = parseEdit(text);
  if (typed === null) return tell(state, 'an edit is 0x<address> <bytes> or 0x<address>+<1, 2, 4 or 8> = <number>');
  const arrived = travelled(state, () => state.client.edit(typed.address, typed.bytes), true);
  return tell(arrived, `${typed.bytes.length} bytes stored at ${hex(typed.address)}; u takes it back`);
}

/** Steps of the trace that a search looks at. */
const SEARCH_STEPS = 200_000;

export function find(state: Debugger, by: 1 | -1): Debugger {
  const { client, query } = state;
  if (query === null) return tell(state, 'no search: / starts one');
  const wanted = query.toLowerCase();
  const from = state.timeline.cursor + 1;
  for (let count = 1; count <= Math.min(client.length, SEARCH_STEPS); count++) {
    const number = ((((from - 1 + by * count) % client.length) + client.length) % client.length) + 1;
    const step = client.stepAt(number);
    if (step === null || !`${step.actor} ${stepText(step)}`.toLowerCase().includes(wanted)) continue;
    return { ...state, timeline: jumpTo(state.timeline, number - 1, client.length, timelineHeight(state)) };
  }
  return tell(state, `no step with ${query} in the ${Math.min(client.length, SEARCH_STEPS)} looked at; Enter on a step goes there`);
}

function command(state: Debugger, text: string): ProgramStep<Debugger> {
  const [name = '', ...rest] = text.trim().split(/\s+/);
  const argument = rest.join(' ');
  const { client } = state;
  switch (name) {
    case '':
      return only(state);
    case 'q':
    case 'quit':
      return { state, effects: [{ kind: 'quit' }] };
    case 'help':
      return only({ ...state, shell: { ...state.shell, helpTop: 0 } });
    case 'run':
      return only(/^\d{1,9}$/.test(argument) ? travelled(state, () => client.runTo(Number(argument)), false) : tell(state, ':run takes the number of a step'));
    case 'until': {
      const moment = MOMENTS.find((one) => one === argument);
      if (moment === undefined) return only(tell(state, `:until takes ${MOMENTS.join(', ')}`));
      const position = client.position;
      const arrived = travelled(state, () => client.runToMoment(moment), false);
      return only(client.position === position ? tell(arrived, `the run passes no ${moment} after this step`) : arrived);
    }
    case 'break':
      return only(addBreakpoint(state, argument));
    case 'mark':
      return only(mark(state, argument));
    case 'goto': {
      const address = /^0x[0-9a-f]+$/i.test(argument) ? physicalAddress(BigInt(argument)) : null;
      if (address === null) return only(tell(state, ':goto takes a physical address, 0x…'));
      return only(settle({ ...state, selection: { address, firstBit: 0, bits: 8 }, shell: { ...state.shell, focus: 'memory' } }));
    }
    case 'edit':
      return only(edit(state, argument));
    default:
      return only(tell(state, `no command ${name}: ? lists them`));
  }
}

function addBreakpoint(state: Debugger, text: string): Debugger {
  try {
    state.client.addBreakpoint(parseBreakpoint(text));
  } catch (error) {
    return tell(state, error instanceof Error ? escapeText(error.message) : 'not a breakpoint');
  }
  return settle(tell(state, `breakpoint ${escapeText(text)}`));
}
