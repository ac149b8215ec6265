/**
 * Draws a screen with Ink: rows of spans in boxes of fixed size. Everything it shows was decided before. Children are given
 * by position, not by key: row 3 is row 3, whatever it shows.
 */
import { Box, Text } from 'ink';
import { type ReactNode, createElement } from 'react';
import type { DrawnBand, Screen, Size } from '../model/screen.js';
import type { Line, Span } from '../model/text.js';
import { THEME } from './theme.js';

/** Neighbours of one style as one span: Ink's cost is per span. */
function joined(spans: Line): Line {
  const out: Span[] = [];
  for (const part of spans) {
    const last = out.at(-1);
    if (last !== undefined && last.style === part.style) out[out.length - 1] = { text: last.text + part.text, style: part.style };
    else if (part.text !== '') out.push(part);
  }
  return out;
}

function row(spans: Line): ReactNode {
  const parts = joined(spans).map(({ text, style }) => createElement(Text, THEME[style], text));
  // an empty Text has no height
  return createElement(Text, { wrap: 'truncate-end' }, ...(parts.length === 0 ? [' '] : parts));
}

function rows(lines: readonly Line[], width: number, height: number): ReactNode {
  const box = { flexDirection: 'column', width, height, flexShrink: 0 } as const;
  return createElement(Box, box, ...lines.slice(0, height).map(row));
}

function band({ height, columns }: DrawnBand): ReactNode {
  const separator = Array.from({ length: height }, (): Line => [{ text: '│', style: 'dim' }]);
  const parts = columns.flatMap((column, index) => [...(index === 0 ? [] : [rows(separator, 1, height)]), rows(column.rows, column.width, height)]);
  return createElement(Box, { height, flexShrink: 0 }, ...parts);
}

export function ScreenView({ screen, size }: { readonly screen: Screen; readonly size: Size }): ReactNode {
  const box = { flexDirection: 'column', width: size.columns, height: size.rows } as const;
  return createElement(Box, box, rows([screen.header], size.columns, 1), ...screen.bands.map(band), rows([screen.footer], size.columns, 1));
}
