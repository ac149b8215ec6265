/** How long a kernel had been up when it was dumped. Sources: kernel/time/timekeeping.c, include/linux/timekeeper_internal.h, 6.16 to 7.3. */
import { optional } from './fault.js';
import type { Kernel } from './kernel.js';

/** Where the core timekeeper stands: an array since 6.17, one variable before. */
const TIMEKEEPERS: readonly { readonly symbol: string; readonly type: string; readonly path: string }[] = [
  { symbol: 'timekeeper_data', type: 'struct tk_data', path: 'timekeeper.ktime_sec' },
  { symbol: 'tk_core', type: 'struct tk_data', path: 'timekeeper.ktime_sec' },
];

/** Whole seconds of CLOCK_MONOTONIC at its last update; null where it can't be read. */
export function uptimeSeconds(kernel: Kernel): number | null {
  for (const { symbol, type, path } of TIMEKEEPERS) {
    const seconds = optional(() => kernel.variable(symbol, type).get(path).number());
    if (seconds !== null && seconds >= 0) return seconds;
  }
  return null;
}
