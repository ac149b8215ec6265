/** What a running kernel's own objects tell of sessions and files, beside what was serialised; `src/objects` finds it. */

/** `handed-over`: serialised, no object yet. `lost` is said on evidence alone. */
export type Phase = 'preserved' | 'frozen' | 'handed-over' | 'deserialised' | 'retrieved' | 'retrieve-failed' | 'lost';

/** `open`: outgoing, listed. `waiting`: incoming, not retrieved. `closed`: listed, and no descriptor refers to it. `finished` is said on evidence alone. */
export type SessionState = 'open' | 'waiting' | 'retrieved' | 'closed' | 'finished';

/** Where what is shown of LUO was read. */
export type LuoSource = 'serialised' | 'kernel-objects' | 'both';

/** A descriptor of a process. */
export interface Holder {
  readonly pid: number;
  readonly comm: string;
  readonly fd: number;
}

export interface FileLife {
  readonly phase: Phase;
  /** the kernel's own: 0 not tried, 1 done, a negative errno; null where no object exists */
  readonly retrieveStatus: number | null;
  /** `vmlinux`, or the module whose handler it is; null where that can't be told */
  readonly module: string | null;
  /** the symbol of the handler's operations; null where no symbol tells */
  readonly operations: string | null;
  /** a memfd's own; null where it has none */
  readonly name: string | null;
  /** who has the file open, beside LUO; null where processes can't be read */
  readonly openBy: readonly Holder[] | null;
}

export interface SessionLife {
  readonly state: SessionState;
  readonly openBy: readonly Holder[] | null;
}

/** Of a file that was serialised, where no object tells more. */
export const phaseOfRole = (role: string): Phase => (role === 'outgoing' ? 'frozen' : 'handed-over');
export const stateOfRole = (role: string): SessionState => (role === 'outgoing' ? 'open' : 'waiting');
