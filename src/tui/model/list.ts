/** The rows of a list with a cursor, as a pane shows them. Pure. */
import type { PaneBox } from './screen.js';
import type { Scroll } from './scroll.js';
import { type Line, clip, fill, restyle, span } from './text.js';

/** @param always is the cursor seen while another pane has the focus? */
export function listRows<T>(
  rows: readonly T[],
  scroll: Scroll,
  box: PaneBox,
  focused: boolean,
  spansOf: (row: T, index: number) => Line,
  always = false,
): Line[] {
  return rows.slice(scroll.top, scroll.top + box.height).map((row, offset): Line => {
    const index = scroll.top + offset;
    const selected = index === scroll.cursor && (focused || always);
    const spans: Line = [span(selected ? '›' : ' ', 'focus'), ...spansOf(row, index)];
    return selected ? restyle(fill(spans, box.width), focused ? 'cursor' : 'selected') : clip(spans, box.width);
  });
}
