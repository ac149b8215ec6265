/** Progress on a terminal: bytes, rate and time left, for whatever takes longer than a second. Never where standard error is no terminal. */
import { writeSync } from 'node:fs';
import { listenToProgress } from '../memory/progress.js';
import { formatBytes } from '../tree/words.js';

/** Milliseconds before anything is shown, and between two lines. */
const PATIENCE = 1000;
const INTERVAL = 200;
const STANDARD_ERROR = 2;
const CLEAR = '\r\u001b[K';

/** One line of it. @param seconds since the work began */
export function progressLine(what: string, done: number, total: number | null, seconds: number): string {
  const rate = done / Math.max(seconds, 0.001);
  const of = total === null ? '' : ` of ${formatBytes(total)}`;
  const left = total === null || rate === 0 ? '' : `, ${Math.ceil(Math.max(0, total - done) / rate)} s left`;
  return `${what}: ${formatBytes(Math.round(done))}${of}, ${formatBytes(Math.round(rate))}/s${left}`;
}

/** Shows progress from now on, where somebody can see it. @returns what ends it and clears the line */
export function showProgress(): () => void {
  if (process.stderr.isTTY !== true) return () => undefined;
  let current = '';
  let start = 0;
  let shown = 0;
  let visible = false;
  const clear = (): void => {
    if (visible) writeSync(STANDARD_ERROR, CLEAR);
    visible = false;
  };
  listenToProgress((what, done, total) => {
    const now = performance.now();
    if (what !== current) {
      clear();
      current = what;
      start = now;
    }
    if (total !== null && done >= total) {
      clear();
      return;
    }
    if (now - start < PATIENCE || now - shown < INTERVAL) return;
    shown = now;
    visible = true;
    writeSync(STANDARD_ERROR, `${CLEAR}${progressLine(what, done, total, (now - start) / 1000).slice(0, (process.stderr.columns ?? 80) - 1)}`);
  });
  return () => {
    listenToProgress(null);
    clear();
  };
}
