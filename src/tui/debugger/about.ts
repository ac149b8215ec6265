/** Pages of the debugger: what the kernel does at a step, and what is at an address of its memory. */
import { physicalAddress } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import { AddressIndex } from '../../address/address-index.js';
import { type Line, line, wrap } from '../model/text.js';
import { showText } from '../model/view.js';
import { decodedAtStep } from './inspect.js';
import { aboutOperation } from './operations.js';
import { type Debugger, settle } from './state.js';
import { tell } from './travel.js';

/** Release of the kernel that runs at the step. */
function releaseAt({ client, present }: Debugger): string | null {
  const release = client.stateAt(present.position).get(`kernel ${present.step?.kernel ?? 0}/release`);
  return typeof release === 'string' ? escapeText(release) : null;
}

/** What the kernel does at this step, what can refuse, and where that is written. */
export function more(state: Debugger): Debugger {
  const { step } = state.present;
  if (step === null) return tell(state, 'before the machine is switched on');
  const about = aboutOperation(step.op, releaseAt(state));
  const action = step.action === null ? null : (state.client.program[step.action] ?? null);
  return showText(state, `${escapeText(step.op)}, step ${step.step}`, (width) => [
    ...(about === null ? ['nothing is written down about this operation'] : about).flatMap((text) =>
      wrap(escapeText(text), width, 2).map((row): Line => line(row)),
    ),
    line(''),
    ...(action === null ? [] : [line(`Line ${action.position.line} of the scenario: ${action.do}`, 'dim')]),
    ...(state.source === null || action === null
      ? []
      : commentAt(state.source, action.position.line).flatMap((text) => wrap(escapeText(text), width, 2).map((row) => line(row, 'ascii')))),
    line(''),
    line('Lanes: who acts', 'title'),
    ...[
      'agent: user space, which calls',
      'luo: the Live Update Orchestrator',
      'handler: a file handler (memfd, vfio-pci) or an FLB',
      'kho: Kexec Handover, which preserves pages',
      'kernel: the rest of the kernel',
      'device: a device, or damage from outside',
      'next-kernel: the kernel that boots on the handover',
    ].map((text): Line => line(`  ${text}`)),
  ]);
}

/** Comments of a scenario on a line or just above it. */
function commentAt(source: string, number: number): string[] {
  const lines = source.split('\n');
  const own = /#.*$/.exec(lines[number - 1] ?? '')?.[0];
  const above: string[] = [];
  for (let at = number - 2; at >= 0 && /^\s*#/.test(lines[at] ?? ''); at--) above.unshift((lines[at] ?? '').trim());
  return own === undefined ? above : [...above, own];
}

/** `:whatis 0x…`: what is at a physical address of this step's memory. */
export function whatIs(state: Debugger, argument: string): Debugger {
  const address = /^0x[0-9a-f]+$/i.test(argument) ? physicalAddress(BigInt(argument)) : null;
  if (address === null) return tell(state, 'takes a physical address, 0x…');
  const report = decodedAtStep(state.client);
  const selected = settle({ ...state, selection: { address, firstBit: 0, bits: 8 } });
  if (report === null) return tell(selected, 'the memory of this step holds no handover');
  const index = new AddressIndex(report.decoded);
  const is = index.at(address);
  return tell(selected, `${hex(address)}: ${escapeText(is.what)}; ${index.telescope(address)}`);
}
