/** What can be copied of a step: its text, its JSON, the bytes it is about, a command line that shows it. */
import { stepToJson } from '../../engine/client.js';
import { escapeText } from '../../report/escape.js';
import { hex, hexBytes } from '../../tree/words.js';
import { shellWord } from '../model/match.js';
import { effect } from '../model/view.js';
import type { DebuggerPane } from './layout.js';
import type { Debugger } from './state.js';
import { stepText } from './step-lines.js';
import { tell } from './travel.js';

export const COPIES = ['step', 'address', 'bytes', 'json', 'command'] as const;
export type Copy = (typeof COPIES)[number];

const MOST_BYTES = 65_536;

function textOf({ client, present, selection }: Debugger, what: Copy): string {
  const { step } = present;
  switch (what) {
    case 'step':
      return step === null ? '' : `${step.step} ${step.actor} ${stepText(step)}`;
    case 'address':
      return selection === null ? '' : hex(selection.address);
    case 'bytes': {
      if (selection === null) return '';
      const bytes = new Uint8Array(Math.min(Math.ceil(selection.bits / 8), MOST_BYTES));
      return hexBytes(bytes.subarray(0, present.memory.readInto(selection.address, bytes.length, bytes)));
    }
    case 'json':
      return step === null ? '' : JSON.stringify(stepToJson(step));
    case 'command': {
      const file = shellWord(client.scenario.file);
      if (client.fromDump) return `luo-inspect step ${file}`;
      return present.position === 0 ? `luo-inspect sim ${file}` : `luo-inspect sim ${file} --until ${present.position}`;
    }
  }
}

export function copy(state: Debugger, what: Copy): Debugger {
  const text = textOf(state, what);
  if (text === '') return tell(state, what === 'step' || what === 'json' ? 'no step here' : `no ${what} here`);
  return effect<Debugger, DebuggerPane>(tell(state, `copied ${escapeText(text)}`), { kind: 'copy', text });
}
