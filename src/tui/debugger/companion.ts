/** A real kernel beside the engine's run (`luo-inspect live --step`): as the debugger drives it. */

/** What a step came to on both sides. */
interface CarriedOut {
  /** 0-based place in the program */
  readonly action: number;
  /** the real kernel's answer: 0, an errno's name, or why it was not asked */
  readonly real: string;
  /** the engine's */
  readonly engine: string;
  readonly differs: boolean;
}

/** The real kernel, as the debugger drives it. */
export interface Companion {
  /** the step to be carried out next, in words; null at the end of the program */
  next(): string | null;
  /** Carries it out. A kexec that works does not come back. */
  perform(): CarriedOut;
}
