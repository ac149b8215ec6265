/**
 * How each style looks, as SGR parameters. Five themes: `dark` and `light` use the 256-colour palette where plain colours
 * would be unreadable, `16` the colours every terminal has, `mono` attributes alone, `none` not even those. No meaning by colour alone.
 */
import type { Style } from '../model/text.js';

/** SGR parameters of each style that is not plain text. */
export type Theme = Readonly<Partial<Record<Style, string>>>;

export const THEME_NAMES = ['dark', 'light', '16', 'mono', 'none'] as const;
export type ThemeName = (typeof THEME_NAMES)[number];

export const isThemeName = (text: string): text is ThemeName => THEME_NAMES.some((name) => name === text);

const MONO: Theme = {
  dim: '2',
  bar: '7',
  title: '1',
  focus: '1',
  cursor: '7;1',
  label: '1',
  error: '1',
  warning: '1',
  match: '7',
  selected: '7',
  neighbour: '4',
  changed: '1',
  zero: '2',
  key: '1',
};

const SIXTEEN: Theme = {
  ...MONO,
  focus: '1;36',
  type: '35',
  address: '36',
  value: '32',
  error: '1;31',
  warning: '1;35',
  info: '36',
  good: '32',
  match: '30;43',
  changed: '1;35',
  ascii: '32',
};

const DARK: Theme = {
  ...MONO,
  dim: '38;5;244',
  focus: '1;38;5;81',
  type: '38;5;176',
  address: '38;5;80',
  value: '38;5;114',
  error: '1;38;5;203',
  warning: '1;38;5;221',
  info: '38;5;80',
  good: '38;5;114',
  match: '30;48;5;221',
  changed: '1;38;5;221',
  zero: '38;5;243',
  ascii: '38;5;114',
};

/** On white: nothing lighter than a mid grey, warnings in brown rather than yellow. */
const LIGHT: Theme = {
  ...MONO,
  dim: '38;5;242',
  focus: '1;38;5;25',
  type: '38;5;90',
  address: '38;5;24',
  value: '38;5;22',
  error: '1;38;5;124',
  warning: '1;38;5;94',
  info: '38;5;24',
  good: '38;5;22',
  match: '30;48;5;220',
  changed: '1;38;5;94',
  zero: '38;5;243',
  ascii: '38;5;22',
};

export const THEMES: Readonly<Record<ThemeName, Theme>> = { dark: DARK, light: LIGHT, '16': SIXTEEN, mono: MONO, none: {} };

/**
 * The theme a terminal starts with: what the user named, else by the background that COLORFGBG tells (0 to 6 and 8 are dark), else the
 * 16 colours that its owner has chosen, unless it says that it has more.
 */
export function themeFor(env: Readonly<Record<string, string | undefined>>, color: boolean, wanted: string | null = null): ThemeName {
  if (!color) return 'none';
  const named = wanted ?? env.LUO_INSPECT_THEME ?? '';
  if (isThemeName(named)) return named;
  const background = /;(\d+)$/.exec(env.COLORFGBG ?? '')?.[1];
  if (background === '7' || background === '15') return 'light';
  const many = /256|truecolor|direct/.test(env.TERM ?? '') || env.COLORTERM !== undefined;
  return many && background !== undefined ? 'dark' : '16';
}
