/** Where a debugger stops: an operation, a callback, an errno, a session, a token, a write to an address, a console line, an actor's next step. */
import { type ErrnoName, isErrnoName } from '../../../abi/errno.js';
import { UserError } from '../../codec/user-error.js';
import { ACTORS, type Actor, type Step } from '../trace/step.js';

export type Breakpoint =
  | { readonly kind: 'op'; readonly op: string }
  | { readonly kind: 'errno'; readonly errno: ErrnoName | null }
  | { readonly kind: 'session'; readonly name: string }
  | { readonly kind: 'token'; readonly token: bigint }
  | { readonly kind: 'write' | 'read'; readonly address: number; readonly length: number }
  | { readonly kind: 'moment'; readonly moment: string }
  /** all of them at one step */
  | { readonly kind: 'all'; readonly of: readonly Breakpoint[] }
  | { readonly kind: 'log'; readonly text: string }
  | { readonly kind: 'actor'; readonly actor: Actor };

/** Does `step` stop a run that has this breakpoint? Calls are stopped at when they are entered; errnos where they are returned. */
export function stopsAt(breakpoint: Breakpoint, step: Step): boolean {
  switch (breakpoint.kind) {
    case 'op':
      return step.phase !== 'exit' && (step.op === breakpoint.op || step.op.endsWith(`.${breakpoint.op}`));
    case 'errno':
      return step.errno !== null && (breakpoint.errno === null || step.errno === breakpoint.errno);
    case 'session':
      return step.phase !== 'exit' && (step.args.session === breakpoint.name || step.args.name === breakpoint.name);
    case 'token':
      return step.phase !== 'exit' && step.args.token === breakpoint.token;
    case 'write':
      return step.writes.some((write) => write.address < breakpoint.address + breakpoint.length && breakpoint.address < write.address + write.length);
    case 'read':
      return step.reads.some((read) => read.address < breakpoint.address + breakpoint.length && breakpoint.address < read.address + read.length);
    case 'moment':
      return step.op === `moment ${breakpoint.moment}`;
    case 'all':
      return breakpoint.of.every((one) => stopsAt(one, step));
    case 'log':
      return step.log.some((line) => line.includes(breakpoint.text));
    case 'actor':
      return step.actor === breakpoint.actor;
  }
}

const HELP =
  'op:PRESERVE_FD, op:memfd.freeze, errno:EINVAL, errno:any, session:vm-0, token:0x1, write:0x1000, write:0x1000+64, read:0x1000+8, moment:frozen, log:text, actor:luo, or several of them';

/** Kinds a user can type, each before its colon. */
export const BREAKPOINT_KINDS = ['op', 'errno', 'session', 'token', 'write', 'read', 'moment', 'log', 'actor'] as const;

/**
 * Reads what a user typed; without a kind it is an operation.
 * @throws UserError that lists the forms
 */
export function parseBreakpoint(text: string): Breakpoint {
  // several, all of which must hold: `op:memfd.freeze token:0x2`; a console text takes the rest of the line
  const parts = text.trim().split(/\s+(?=(?:op|errno|session|token|write|read|moment|log|actor):)|\s+(?:and|if)\s+/);
  if (parts.length > 1) return { kind: 'all', of: parts.map(parseOne) };
  return parseOne(text);
}

function parseOne(typed: string): Breakpoint {
  // as gdb writes it: token==0x2
  const text = typed.trim().replace(/^(op|errno|session|token|actor)\s*==?\s*/, '$1:');
  const colon = text.indexOf(':');
  const kind = colon === -1 ? 'op' : text.slice(0, colon);
  const value = text.slice(colon + 1).trim();
  const found = value === '' ? null : ofKind(kind, value);
  if (found === null) throw new UserError(`not a breakpoint: ${JSON.stringify(text)}; try ${HELP}`);
  return found;
}

function ofKind(kind: string, value: string): Breakpoint | null {
  switch (kind) {
    case 'op':
      return { kind, op: value };
    case 'errno':
      if (value === 'any') return { kind, errno: null };
      return isErrnoName(value) ? { kind, errno: value } : null;
    case 'session':
      return { kind, name: value };
    case 'token':
      return /^(0x[0-9a-f]+|\d+)$/i.test(value) ? { kind, token: BigInt(value) } : null;
    case 'moment':
      return ['preserved', 'frozen', 'early', 'booted'].includes(value) ? { kind, moment: value } : null;
    case 'write':
    case 'read': {
      const parts = /^(0x[0-9a-f]+|\d+)(?:\+(0x[0-9a-f]+|\d+))?$/i.exec(value);
      return parts === null ? null : { kind, address: Number(parts[1]), length: Number(parts[2] ?? '1') };
    }
    case 'log':
      return { kind, text: value };
    case 'actor': {
      const actor = ACTORS.find((one) => one === value);
      return actor === undefined ? null : { kind, actor };
    }
    default:
      return null;
  }
}

/** The text that parseBreakpoint reads back. */
export function breakpointText(breakpoint: Breakpoint): string {
  switch (breakpoint.kind) {
    case 'op':
      return `op:${breakpoint.op}`;
    case 'errno':
      return `errno:${breakpoint.errno ?? 'any'}`;
    case 'session':
      return `session:${breakpoint.name}`;
    case 'token':
      return `token:0x${breakpoint.token.toString(16)}`;
    case 'all':
      return breakpoint.of.map(breakpointText).join(' ');
    case 'moment':
      return `moment:${breakpoint.moment}`;
    case 'write':
    case 'read':
      return `${breakpoint.kind}:0x${breakpoint.address.toString(16)}${breakpoint.length === 1 ? '' : `+${breakpoint.length}`}`;
    case 'log':
      return `log:${breakpoint.text}`;
    case 'actor':
      return `actor:${breakpoint.actor}`;
  }
}
