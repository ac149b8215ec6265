/** How each style looks: the 16 colours every terminal has, readable on dark and light ones. No meaning by colour alone. */
import type { TextProps } from 'ink';
import type { Style } from '../model/text.js';

export type Look = Pick<TextProps, 'color' | 'backgroundColor' | 'bold' | 'dimColor' | 'inverse' | 'underline'>;

export const THEME: Readonly<Record<Style, Look>> = {
  plain: {},
  dim: { dimColor: true },
  bar: { inverse: true },
  title: { bold: true },
  focus: { bold: true, color: 'cyan' },
  cursor: { inverse: true, bold: true },
  label: { bold: true },
  name: {},
  type: { color: 'magenta' },
  address: { color: 'cyan' },
  value: { color: 'green' },
  error: { color: 'red', bold: true },
  warning: { color: 'yellow', bold: true },
  info: { color: 'cyan' },
  good: { color: 'green' },
  match: { color: 'black', backgroundColor: 'yellow' },
  selected: { inverse: true },
  changed: { color: 'yellow', bold: true },
  zero: { dimColor: true },
  ascii: { color: 'green' },
  key: { bold: true },
};
