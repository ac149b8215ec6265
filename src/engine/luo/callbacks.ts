/** A handler's callbacks as LUO calls them: each a call of its own in the trace, and answered by a fault where one says so. */
import type { FileHandler, FileOpArgs } from '../handler.js';
import type { Machine, Steps } from '../machine.js';
import type { HandlerCallback } from '../scenario/types.js';
import { errnoOf } from '../trace/step.js';

/** `%pe` of the kernel: the errno's name with a minus. */
export const errorText = (error: number): string => `-${errnoOf(error) ?? -error}`;

/** Runs a handler's callback as a call of its own, or answers for it where a fault says so. */
export function* callback(machine: Machine, handler: FileHandler, name: HandlerCallback, args: FileOpArgs, run: () => Steps<number>): Steps<number> {
  yield machine.enter('handler', `${handler.name}.${name}`, { token: args.token, data: args.serializedData });
  const injected = machine.faults.callback([handler.name, handler.compatible], name);
  const result = injected !== 0 ? injected : yield* run();
  yield machine.exit(result, { token: args.token, data: args.serializedData });
  return result;
}

/** A callback that answers yes or no; a fault makes it say no. */
export function* question(machine: Machine, handler: FileHandler, name: 'can_preserve' | 'can_finish', token: bigint, ask: () => boolean): Steps<boolean> {
  yield machine.enter('handler', `${handler.name}.${name}`, { token });
  const answer = machine.faults.callback([handler.name, handler.compatible], name) === 0 && ask();
  yield machine.exit(0, { answer });
  return answer;
}

/** A callback that answers nothing. */
export function* nothing(run: Steps<void>): Steps<number> {
  yield* run;
  return 0;
}
