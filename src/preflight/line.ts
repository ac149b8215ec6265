/** One line of a preflight: what was asked, what was found, and whether it stops a live update. */

/** `cannot-tell` always comes with the reason why. */
export type LineState = 'fine' | 'blocks' | 'cannot-tell';

export interface PreflightLine {
  /** `kernel/config`, `device/0000:00:05.0/interrupts`: what it is about; unique in a preflight */
  readonly check: string;
  readonly state: LineState;
  /** subject and value, one sentence */
  readonly text: string;
  /** what to do about it; null where nothing is to be done */
  readonly remedy: string | null;
}

export const fine = (check: string, text: string): PreflightLine => ({ check, state: 'fine', text, remedy: null });
export const blocks = (check: string, text: string, remedy: string | null = null): PreflightLine => ({ check, state: 'blocks', text, remedy });
export const cannotTell = (check: string, text: string, remedy: string | null = null): PreflightLine => ({ check, state: 'cannot-tell', text, remedy });
