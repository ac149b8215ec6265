/** What can be copied of a step: its text, its JSON, the bytes it is about, a command line that shows it. */
import { stepToJson } from '../../engine/client.js';
import { hex, hexBytes } from '../../tree/words.js';
import { shellWord } from '../../report/escape.js';
import { copiesOf } from '../model/view.js';
import type { Debugger } from './state.js';
import { stepText } from './step-lines.js';

const COPIES = ['step', 'address', 'bytes', 'json', 'command'] as const;
type Copy = (typeof COPIES)[number];

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

export const DEBUGGER_COPIES = copiesOf<Debugger, Copy>({
  kinds: COPIES,
  text: textOf,
  about: ['timeline', 'memory'],
  keys: [
    { keys: ['y'], what: ['step'], help: 'copy the step as text; in a list the row (through the terminal, OSC 52)' },
    { keys: ['Y'], what: ['address'], help: 'copy the address that the memory pane marks' },
  ],
});
