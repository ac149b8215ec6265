/**
 * The commands that every view knows by the same names, so that nobody has to think of where they are: a view says how it carries each
 * out, or why it cannot. A command that a view forgets is a type error.
 */
import type { CommandRow } from './keys.js';

export const SHARED = {
  goto: { args: '0x<address>', help: 'go to an address' },
  whatis: { args: '0x<address>', help: 'what is at an address' },
  path: { args: '<path>', help: 'go to the node or field with this path' },
  session: { args: '<name>', help: 'go to a session' },
  token: { args: '<session> 0x<token>', help: 'go to a file' },
  set: { args: '<path> = <value>', help: 'store a value into a decoded field' },
} as const satisfies Readonly<Record<string, Omit<CommandRow, 'name'>>>;

type SharedName = keyof typeof SHARED;

interface Shared<S> {
  readonly run: (state: S, argument: string) => S;
  readonly complete?: (state: S, typed: string) => readonly string[];
  /** its words where the common ones say too little */
  readonly help?: string;
}

/** A text says why the view has no such thing. */
export type SharedCommands<S> = Readonly<Record<SharedName, Shared<S> | string>>;

export const SHARED_NAMES: readonly SharedName[] = ['goto', 'whatis', 'path', 'session', 'token', 'set'];
