/** What the parts of LUO share: the kernel they are in. */
import type { Descriptors, OpenFile } from '../fs/open-file.js';
import type { FileHandler, FileOpArgs } from '../handler.js';
import type { Kho } from '../kho/kho.js';
import type { KernelSpec } from '../kernel/release.js';
import type { PageAllocator } from '../kernel/pages.js';
import type { Machine, Steps } from '../machine.js';
import type { FlbRegistry } from './flb.js';
import type { HandlerCallback } from '../scenario/types.js';
import { errnoOf, type StepArgs } from '../trace/step.js';

export interface LuoContext {
  readonly machine: Machine;
  readonly spec: KernelSpec;
  readonly pages: PageAllocator;
  readonly kho: Kho;
  /** of the process that calls */
  readonly fds: Descriptors;
  /** in the order of registration; the first that can preserve a file is used */
  readonly handlers: FileHandler[];
  readonly flbs: FlbRegistry;
  /** luo_preserved_files: identity of each file that some session holds */
  readonly preserved: Map<object, OpenFile>;
}

/** The name as a log line shows it: bytes as UTF-8. */
export const nameText = (name: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(name);

/** Where a kernel's state is shown. */
export const statePath = (machine: Machine): string => `kernel ${machine.kernel}`;

/** A handler's callbacks as LUO calls them: each a call of its own in the trace, and answered by a fault where one says so. */

/** `%pe` of the kernel: the errno's name with a minus. */
export const errorText = (error: number): string => `-${errnoOf(error) ?? -error}`;

/** Runs a handler's callback as a call of its own, or answers for it where a fault says so; 0 for one that answers nothing. */
export const callback = (machine: Machine, handler: FileHandler, name: HandlerCallback, args: FileOpArgs, run: Steps<unknown>): Steps<number> => {
  const told = (): StepArgs => ({ token: args.token, data: args.serializedData });
  return machine.call('handler', `${handler.name}.${name}`, told(), answerOf(machine, handler, name, run), told);
};

function* answerOf(machine: Machine, handler: FileHandler, name: HandlerCallback, run: Steps<unknown>): Steps<number> {
  const injected = machine.faults.callback([handler.name, handler.compatible], name);
  const result = injected === 0 ? yield* run : injected;
  return typeof result === 'number' ? result : 0;
}

/** A callback that answers yes or no; a fault makes it say no. */
export function* question(machine: Machine, handler: FileHandler, name: 'can_preserve' | 'can_finish', token: bigint, ask: () => boolean): Steps<boolean> {
  yield machine.enter('handler', `${handler.name}.${name}`, { token });
  const answer = machine.faults.callback([handler.name, handler.compatible], name) === 0 && ask();
  yield machine.exit(0, { answer });
  return answer;
}
