/** A cursor in a list that is longer than its pane. Pure; every list, tree and text pane moves by it. */

export interface Scroll {
  /** index of the row under the cursor */
  readonly cursor: number;
  /** index of the first row shown */
  readonly top: number;
}

export const START: Scroll = { cursor: 0, top: 0 };

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(value, high));

/** `scroll` inside a list of `count` rows, with its cursor among the `height` rows shown. */
export function keepInView(scroll: Scroll, count: number, height: number): Scroll {
  const cursor = clamp(scroll.cursor, 0, Math.max(0, count - 1));
  const rows = Math.max(1, height);
  let top = clamp(scroll.top, 0, Math.max(0, count - rows));
  if (cursor < top) top = cursor;
  if (cursor >= top + rows) top = cursor - rows + 1;
  return { cursor, top };
}

/** Moves the cursor; `by` rows, negative upwards. */
export const moveBy = (scroll: Scroll, by: number, count: number, height: number): Scroll =>
  keepInView({ cursor: scroll.cursor + by, top: scroll.top }, count, height);

/** Puts the cursor on `cursor`; a jump out of sight puts it a third down the pane, so that the rows before it are seen. */
export function jumpTo(scroll: Scroll, cursor: number, count: number, height: number): Scroll {
  const seen = cursor >= scroll.top && cursor < scroll.top + height;
  return keepInView({ cursor, top: seen ? scroll.top : cursor - Math.floor(height / 3) }, count, height);
}

/** Scrolls a text that has no cursor: `cursor` follows `top`. */
export function scrollText(top: number, by: number, count: number, height: number): number {
  return clamp(top + by, 0, Math.max(0, count - Math.max(1, height)));
}

export type Motion = 'up' | 'down' | 'pageUp' | 'pageDown' | 'halfUp' | 'halfDown' | 'first' | 'last';

/** How many rows a motion goes, `Infinity` to an end. */
export function rowsOf(motion: Motion, height: number): number {
  switch (motion) {
    case 'up':
      return -1;
    case 'down':
      return 1;
    case 'pageUp':
      return -Math.max(1, height - 1);
    case 'pageDown':
      return Math.max(1, height - 1);
    case 'halfUp':
      return -Math.max(1, Math.floor(height / 2));
    case 'halfDown':
      return Math.max(1, Math.floor(height / 2));
    case 'first':
      return Number.NEGATIVE_INFINITY;
    case 'last':
      return Number.POSITIVE_INFINITY;
  }
}

/** `position` of `count` for a pane's title, empty where everything fits. */
export const positionOf = (cursor: number, count: number): string => (count === 0 ? '' : `${cursor + 1}/${count}`);
