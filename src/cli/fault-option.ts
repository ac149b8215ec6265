/** `--fault`: a fault added to a scenario on the command line, and a fault of a scenario written so. */
import { UserError } from '../codec/user-error.js';
import { parseScenario } from '../engine/scenario/parse.js';
import type { Fault, Scenario } from '../engine/scenario/types.js';

/**
 * @param text `<point>#<nth>:<errno>` (`alloc#3:ENOMEM`, `memfd.freeze#4:EINVAL`; #1 and the errno may be left out), or a fault as a scenario
 * has it: `{ at: flip, … }`
 * @throws UserError where it is neither
 */
export function faultOf(text: string): Fault {
  const short = /^([\w.<>-]+)(?:#(\d{1,9}))?(?::(E[A-Z0-9]+))?$/.exec(text.trim());
  const yaml = short === null ? text : `{ at: ${JSON.stringify(short[1])}, nth: ${short[2] ?? 1}${short[3] === undefined ? '' : `, errno: ${short[3]}`} }`;
  if (short === null && !/^\{.*\}$/s.test(text.trim()))
    throw new UserError(`--fault ${JSON.stringify(text)} is no fault; write alloc#3:ENOMEM, or as in a scenario: "{ at: flip, … }"`);
  const { faults } = parseScenario(
    `schema: luo-inspect.scenario/1\ntitle: a fault\nfaults:\n  - ${yaml.replace(/\n/g, ' ')}\nsteps:\n  - { do: open, as: luo }\n`,
    '--fault',
  );
  const [fault] = faults;
  if (fault === undefined) throw new UserError(`--fault ${JSON.stringify(text)} is no fault`);
  return fault;
}

/** The scenario with faults added. */
export const withFaults = (scenario: Scenario, texts: readonly string[]): Scenario =>
  texts.length === 0 ? scenario : { ...scenario, faults: [...scenario.faults, ...texts.map(faultOf)] };

/** What `--fault` takes for a fault. */
export function faultArgument(fault: Fault): string {
  const parts: string[] = [`at: ${JSON.stringify(fault.at)}`, `nth: ${fault.nth}`];
  switch (fault.kind) {
    case 'flip': {
      if (fault.step === null) parts.push(`moment: ${fault.moment}`, `jump: ${fault.jump}`);
      else parts.push(`step: ${fault.step}`);
      parts.push('struct' in fault.where ? `struct: ${fault.where.struct}, field: ${fault.where.field}` : `address: 0x${fault.where.address.toString(16)}`);
      const { change } = fault;
      parts.push(
        'bit' in change
          ? `bit: ${change.bit}`
          : 'value' in change
            ? `value: 0x${change.value.toString(16)}`
            : `data: { hex: "${Buffer.from(change.bytes).toString('hex')}" }`,
      );
      break;
    }
    case 'kernel':
      if (fault.release !== null) parts.push(`release: "${fault.release}"`);
      if (fault.kho !== null) parts.push(`kho: ${fault.kho}`);
      if (fault.liveupdate !== null) parts.push(`liveupdate: ${fault.liveupdate}`);
      break;
    case 'lock':
      parts.push(`device: ${fault.device}`);
      break;
    case 'kho.forget':
      return `${fault.at}#${fault.nth}`;
    default: {
      const more =
        'device' in fault && fault.device !== null
          ? `, device: ${fault.device}`
          : 'flb' in fault && fault.flb !== null
            ? `, flb: ${JSON.stringify(fault.flb)}`
            : '';
      return more === '' ? `${fault.at}#${fault.nth}:${fault.errno}` : `{ ${parts.join(', ')}, errno: ${fault.errno}${more} }`;
    }
  }
  return `{ ${parts.join(', ')} }`;
}
