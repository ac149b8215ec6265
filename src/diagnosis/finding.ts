/** What a rule says: the shape of findings in every output. Kinds of reaction are those of the JSON interface. */
import type { ReactionKind } from '../../abi/behaviour/behaviour.js';

export type { ReactionKind };

export type Severity = 'error' | 'warning' | 'info';

/** What the next kernel does about it. */
export interface Reaction {
  readonly kind: ReactionKind;
  /** the kernel's name, where user space sees one */
  readonly errno: string | null;
  readonly text: string;
}

export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  /** physical address of the field or structure */
  readonly at: number | null;
  /** path of the tree node */
  readonly path: string | null;
  readonly reaction: Reaction | null;
}
