/**
 * What all views have in common: which pane has the focus, the zoom, the help, the prompt, the message in the footer. A key
 * goes through here first; what is left is the view's own. Pure.
 */
import { type CommandHelp, type CommonAction, type KeyTable, bindingOf, footerLine, helpLines } from './keys.js';
import type { Effect } from './program.js';
import { type Prompt, openPrompt, promptLine, remember, typeInto } from './prompt.js';
import { type Band, type PaneBox, type PaneContent, type Screen, type Size, bar, compose, isTooSmall, tooSmall } from './screen.js';
import { type Motion, rowsOf, scrollText } from './scroll.js';
import { type Line, clip, line, span, spread } from './text.js';

export interface Shell<P extends string = string> {
  readonly size: Size;
  readonly focus: P;
  readonly zoom: boolean;
  /** first row of the help shown; null while it is closed */
  readonly helpTop: number | null;
  readonly prompt: Prompt | null;
  /** a message in the footer until the next key */
  readonly toast: string | null;
  /** what was typed before, by the prompt's sign */
  readonly histories: Readonly<Record<string, readonly string[]>>;
}

export interface ShellSpec<P extends string = string, A extends string = string> {
  /** in the order of their numbers */
  readonly panes: readonly P[];
  readonly table: KeyTable<A | CommonAction>;
  readonly commands: readonly CommandHelp[];
}

export const openShell = <P extends string>(size: Size, focus: P): Shell<P> => ({
  size,
  focus,
  zoom: false,
  helpTop: null,
  prompt: null,
  toast: null,
  histories: {},
});

export type ShellResult<P extends string, A extends string> =
  /** the key is dealt with; panes may have changed their sizes */
  | { readonly kind: 'done'; readonly shell: Shell<P>; readonly effects: readonly Effect[] }
  /** something was typed: `sign` is `/`, `:` or the view's own */
  | { readonly kind: 'entered'; readonly shell: Shell<P>; readonly sign: string; readonly text: string }
  /** the view's own */
  | { readonly kind: 'action'; readonly shell: Shell<P>; readonly action: A | CommonAction };

/** One key, by the name the key table uses. */
export function shellKey<P extends string, A extends string>(before: Shell<P>, key: string, spec: ShellSpec<P, A>): ShellResult<P, A> {
  const shell: Shell<P> = { ...before, toast: null };
  const done = (next: Shell<P>, ...effects: Effect[]): ShellResult<P, A> => ({ kind: 'done', shell: next, effects });
  const action = bindingOf(spec.table, key, shell.focus)?.action ?? null;
  if (action === 'quit') return done(shell, { kind: 'quit' });
  if (shell.prompt !== null) return typing(shell, shell.prompt, key);
  switch (action) {
    case null:
      return done(shell);
    case 'suspend':
      return done(shell, { kind: 'suspend' });
    case 'redraw':
      return done(shell, { kind: 'redraw' });
    case 'help':
      return done({ ...shell, helpTop: shell.helpTop === null ? 0 : null });
  }
  if (shell.helpTop !== null) return done(inHelp(shell, shell.helpTop, action, spec));
  switch (action) {
    case 'nextPane':
      return done(cycle(shell, spec.panes, 1));
    case 'previousPane':
      return done(cycle(shell, spec.panes, -1));
    case 'zoom':
      return done({ ...shell, zoom: !shell.zoom });
    case 'close':
      return shell.zoom ? done({ ...shell, zoom: false }) : done(shell, { kind: 'quit' });
    case 'search':
      return done(ask(shell, '/'));
    case 'command':
      return done(ask(shell, ':'));
  }
  const number = /^pane([1-9])$/.exec(action)?.[1];
  if (number === undefined) return { kind: 'action', shell, action };
  return done({ ...shell, focus: spec.panes[Number(number) - 1] ?? shell.focus });
}

/** Opens a prompt. */
export const ask = <P extends string>(shell: Shell<P>, sign: string, text = ''): Shell<P> => ({
  ...shell,
  prompt: openPrompt(sign, shell.histories[sign] ?? [], text),
});

export const say = <P extends string>(shell: Shell<P>, toast: string): Shell<P> => ({ ...shell, toast });

function typing<P extends string, A extends string>(shell: Shell<P>, prompt: Prompt, key: string): ShellResult<P, A> {
  const result = typeInto(prompt, key);
  switch (result.kind) {
    case 'typing':
      return { kind: 'done', shell: { ...shell, prompt: result.prompt }, effects: [] };
    case 'cancelled':
      return { kind: 'done', shell: { ...shell, prompt: null }, effects: [] };
    case 'entered': {
      const { sign } = prompt;
      const histories = { ...shell.histories, [sign]: remember(shell.histories[sign] ?? [], result.text) };
      return { kind: 'entered', shell: { ...shell, prompt: null, histories }, sign, text: result.text };
    }
  }
}

function cycle<P extends string>(shell: Shell<P>, panes: readonly P[], by: number): Shell<P> {
  const index = (panes.indexOf(shell.focus) + by + panes.length) % panes.length;
  return { ...shell, focus: panes[index] ?? shell.focus };
}

/** The motion an action stands for; null for every other action. */
export function motionOf(action: string): Motion | null {
  switch (action) {
    case 'up':
    case 'down':
    case 'pageUp':
    case 'pageDown':
    case 'halfUp':
    case 'halfDown':
    case 'first':
    case 'last':
      return action;
    default:
      return null;
  }
}

function inHelp<P extends string>(shell: Shell<P>, top: number, action: string, spec: ShellSpec<P>): Shell<P> {
  if (action === 'close' || action === 'escape') return { ...shell, helpTop: null };
  const motion = motionOf(action);
  if (motion === null) return shell;
  const height = shell.size.rows - 3;
  return { ...shell, helpTop: scrollText(top, rowsOf(motion, height), helpLines(spec.table, spec.commands, shell.size.columns).length, height) };
}

/** What a view adds to its frame. */
export interface FrameParts {
  readonly title: string;
  /** at the right of the header */
  readonly summary: Line;
  readonly bands: readonly Band[];
  readonly contentOf: (id: string, box: PaneBox) => PaneContent;
  /** shown instead of the key hints: a running search; null for none */
  readonly status: Line | null;
}

/** The whole screen of a view. */
export function frame<P extends string>(shell: Shell<P>, spec: ShellSpec<P>, parts: FrameParts): Screen {
  const { size } = shell;
  if (isTooSmall(size)) return tooSmall(size);
  const header = bar(spread([span(` ${parts.title}`, 'bar')], [...parts.summary, span(' ', 'bar')], size.columns, 'bar'), size.columns);
  const footer = footerOf(shell, spec, parts.status);
  if (shell.helpTop !== null) return { header, bands: helpBand(shell, shell.helpTop, spec), footer };
  return { header, bands: compose(parts.bands, spec.panes, shell.focus, parts.contentOf), footer };
}

function helpBand<P extends string>(shell: Shell<P>, top: number, spec: ShellSpec<P>): Screen['bands'] {
  const { columns, rows } = shell.size;
  const height = rows - 2;
  const lines = helpLines(spec.table, spec.commands, columns);
  const note = lines.length > height - 1 ? ` ${top + 1}–${Math.min(lines.length, top + height - 1)} of ${lines.length}, ↓ for more` : '';
  return [{ height, columns: [{ width: columns, rows: [[span('━ Keys', 'focus'), span(note, 'dim')], ...lines.slice(top, top + height - 1)] }] }];
}

function footerOf<P extends string>(shell: Shell<P>, spec: ShellSpec<P>, status: Line | null): Line {
  const { columns } = shell.size;
  if (shell.prompt !== null) return clip(promptLine(shell.prompt), columns);
  if (shell.toast !== null) return clip(line(` ${shell.toast}`, 'info'), columns);
  if (status !== null) return clip(status, columns);
  return clip([span(' '), ...footerLine(spec.table, shell.focus, columns - 1)], columns);
}
