/**
 * Runs a program on the terminal until it quits. Ink mounts the app and reads its keys; what a screen shows goes from its rows
 * straight to the painter. The only module that mounts Ink.
 */
import { writeFileSync } from 'node:fs';
import { render, useInput } from 'ink';
import { type ReactNode, useLayoutEffect } from 'react';
import { escapeText } from '../../report/escape.js';
import type { Effect, Program } from '../model/program.js';
import type { Size } from '../model/screen.js';
import { AlternateScreen, type TerminalStreams } from './alternate-screen.js';
import { cellsMaker } from './cells.js';
import { copied } from './clipboard.js';
import { isPlainTerminal, toPlain } from './glyphs.js';
import { keysOf, pasteTaker } from './ink-keys.js';
import type { Loading } from './loading.js';
import { Painter } from './painter.js';
import { Store } from './store.js';
import { readKept, writeKept } from './state-file.js';
import { THEMES, isThemeName, themeFor } from './theme.js';

/** How the user wants it. */
interface Wanted {
  readonly color: boolean;
  /** what the file is known by, for what is kept of it; null for nothing */
  readonly identity?: string | null;
}

/** Why a run is over. */
interface End {
  readonly signal?: NodeJS.Signals;
  readonly error?: unknown;
  readonly diff?: string;
  readonly open?: number;
}

/** How a program was left: for good, or for two dumps side by side; and the state to come back to. */
interface Left<S> {
  readonly diff: string | null;
  /** one of the things it lists */
  readonly open: number | null;
  readonly state: S;
}

const sizeOf = (stdout: NodeJS.WriteStream): Size => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });

/**
 * Shows `program` until it quits.
 * @param loading the screen that was shown before, which this one takes over
 * @throws what went wrong inside, after the terminal was restored
 */
export async function runProgram<S>(program: Program<S>, wanted: Wanted, loading: Loading | null = null): Promise<Left<S>> {
  const streams: TerminalStreams = loading?.streams ?? process;
  const { stdin, stdout } = streams;
  const identity = wanted.identity ?? null;
  const kept = identity === null ? null : readKept(identity);
  let chosen = kept?.theme ?? null;
  const theme = themeFor(process.env, wanted.color, chosen);
  const painter = new Painter((data) => stdout.write(data), THEMES[theme], isPlainTerminal(process.env) ? toPlain : (char) => char);
  let finish: (end: End) => void = () => undefined;
  const ended = new Promise<End>((resolve) => {
    finish = resolve;
  });
  const store = new Store(program, sizeOf(stdout), kept);
  const events = {
    redraw: () => {
      painter.forget();
      store.resize(sizeOf(stdout));
    },
    end: finish,
  };
  const screen = loading?.screen ?? new AlternateScreen(streams, events);
  screen.events = events;
  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case 'quit':
        finish({});
        break;
      case 'suspend':
        screen.suspend();
        break;
      case 'redraw':
        painter.forget();
        store.touch();
        break;
      case 'copy': {
        const { sequence, said } = copied(effect.text, process.env);
        if (sequence === null) store.tell(said);
        else stdout.write(sequence);
        break;
      }
      case 'theme':
        chosen = effect.name;
        if (isThemeName(effect.name)) painter.theme = THEMES[theme === 'none' ? 'none' : effect.name];
        store.touch();
        break;
      case 'mouse':
        screen.mouse = effect.on;
        break;
      case 'diff':
        finish({ diff: effect.path });
        break;
      case 'open':
        finish({ open: effect.index });
        break;
      case 'save':
        store.tell(savedText(effect.path, effect.text));
    }
  };
  const taken = pasteTaker();
  const onKeys = (keys: readonly string[]): void => {
    for (const key of keys.map(taken)) if (key !== null) for (const effect of store.key(key)) perform(effect);
  };
  const onResize = (): void => {
    painter.forget();
    store.resize(sizeOf(stdout));
  };
  const onEnd = (): void => finish({});

  screen.open();
  stdout.on('resize', onResize);
  stdin.on('end', onEnd);
  const cellsOf = cellsMaker();
  const draw = (): void => {
    const { state, size } = store.snapshot;
    painter.paint(cellsOf(program.screen(state), size));
  };
  const typed = loading?.finish() ?? Buffer.alloc(0);
  const ink = render(<App store={store} onInput={(input, key) => onKeys(keysOf(input, key))} draw={draw} />, {
    stdout: silent(stdout),
    stdin,
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
  });
  // as if it came now: Ink listens only once it is mounted
  if (typed.length > 0) setImmediate(() => stdin.unshift(typed));
  ink.waitUntilExit().then(
    () => finish({}),
    (error: unknown) => finish({ error }),
  );
  const end = await ended;
  const worth = store.kept;
  if (identity !== null && worth !== null) writeKept(identity, { ...worth, theme: chosen });
  store.close();
  stdout.off('resize', onResize);
  stdin.off('end', onEnd);
  try {
    ink.unmount();
  } finally {
    screen.close();
  }
  // with the handlers gone the signal does what it does to any program
  if (end.signal !== undefined) process.kill(process.pid, end.signal);
  if (end.error !== undefined) throw end.error;
  return { diff: end.diff ?? null, open: end.open ?? null, state: store.snapshot.state };
}

/** Writes a new file. @returns what came of it */
function savedText(path: string, text: string): string {
  try {
    writeFileSync(path, text, { flag: 'wx' });
    return `written: ${escapeText(path)}`;
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    return exists
      ? `${escapeText(path)} exists: nothing was written`
      : `${escapeText(path)} could not be written: ${error instanceof Error ? escapeText(error.message) : ''}`;
  }
}

interface AppProps<S> {
  readonly store: Store<S>;
  readonly onInput: Parameters<typeof useInput>[0];
  readonly draw: () => void;
}

/** Reads the keys, and draws whenever the store has a new frame. React and Ink have no part in a frame: what is on the screen goes to the painter. */
function App<S>({ store, onInput, draw }: AppProps<S>): ReactNode {
  useInput(onInput);
  useLayoutEffect(() => {
    draw();
    return store.subscribe(draw);
  }, [store, draw]);
  return null;
}

/** `stdout` for Ink, which has nothing to say there: neither its empty frames nor its cursor sequences reach the terminal. */
function silent(stdout: NodeJS.WriteStream): NodeJS.WriteStream {
  const write = (_data: unknown, ...rest: unknown[]): boolean => {
    rest.find((value): value is () => void => typeof value === 'function')?.();
    return true;
  };
  const quiet = (event: string, listener: () => void): NodeJS.WriteStream => (event === 'resize' ? stdout : stdout.on(event, listener));
  const own: Readonly<Record<string, unknown>> = { write, on: quiet };
  return new Proxy(stdout, {
    get(target, key) {
      if (typeof key === 'string' && Object.hasOwn(own, key)) return own[key];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
