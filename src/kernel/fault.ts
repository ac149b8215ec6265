/** Why something of a kernel could not be read: one kind and one sentence, so that who asked can go on with the rest. */

/**
 * `unmapped`: the page tables have no such address. `absent`: the dump lacks the page. `no-symbol`, `no-type`, `no-member`: the
 * kernel's tables do not have that name. `implausible`: bytes that no kernel writes. `limit`: more reading than this walk may do.
 */
type FaultKind = 'unmapped' | 'absent' | 'no-symbol' | 'no-type' | 'no-member' | 'implausible' | 'limit';

export class KernelFault extends Error {
  readonly kind: FaultKind;
  /** physical address of the page that the dump lacks; null where that is not the reason */
  readonly page: number | null;

  constructor(kind: FaultKind, message: string, page: number | null = null) {
    // An outcome, no defect: a damaged dump gives millions, and the places they were thrown at cost more than all the rest.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'KernelFault';
    this.kind = kind;
    this.page = page;
  }
}

/** What `read` gives, or the fault that ended it; anything else that is thrown is a defect and goes on. */
export function attempt<T>(read: () => T): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: KernelFault } {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof KernelFault) return { ok: false, fault: error };
    throw error;
  }
}

/** The same where the reason does not matter. */
export function optional<T>(read: () => T): T | null {
  const result = attempt(read);
  return result.ok ? result.value : null;
}

export const hexOf = (value: bigint | number): string => `0x${value.toString(16)}`;
