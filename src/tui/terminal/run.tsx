/** Runs a program on the terminal: Ink draws its screens and reads its keys, until it quits. The only module that mounts Ink. */
import { render, useInput } from 'ink';
import { type ReactNode, useSyncExternalStore } from 'react';
import type { Effect, Program } from '../model/program.js';
import type { Size } from '../model/screen.js';
import { AlternateScreen, type TerminalStreams } from './alternate-screen.js';
import { copySequence } from './clipboard.js';
import { isPlainTerminal, toPlain } from './glyphs.js';
import { keysOf } from './ink-keys.js';
import { Painter } from './painter.js';
import { ScreenView } from './screen-view.js';
import { Store } from './store.js';

const sizeOf = (stdout: NodeJS.WriteStream): Size => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });

/**
 * Shows `program` until it quits.
 * @throws what went wrong inside, after the terminal was restored
 */
export async function runProgram<S>(program: Program<S>, streams: TerminalStreams = process): Promise<void> {
  const { stdin, stdout } = streams;
  const painter = new Painter((data) => stdout.write(data));
  let finish: (end: { readonly signal?: NodeJS.Signals; readonly error?: unknown }) => void = () => undefined;
  const ended = new Promise<{ readonly signal?: NodeJS.Signals; readonly error?: unknown }>((resolve) => {
    finish = resolve;
  });
  const store = new Store(program, sizeOf(stdout));
  const screen = new AlternateScreen(streams, {
    redraw: () => {
      painter.forget();
      store.resize(sizeOf(stdout));
    },
    end: finish,
  });
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
        const sequence = copySequence(effect.text, process.env);
        if (sequence !== null) stdout.write(sequence);
      }
    }
  };
  const onKeys = (keys: readonly string[]): void => {
    for (const key of keys) for (const effect of store.key(key)) perform(effect);
  };
  const onResize = (): void => {
    painter.forget();
    store.resize(sizeOf(stdout));
  };
  const onEnd = (): void => finish({});

  screen.open();
  stdout.on('resize', onResize);
  stdin.on('end', onEnd);
  let live = true;
  const plain = isPlainTerminal(process.env);
  const frames = frameStream(stdout, (frame) => {
    if (live) painter.paint(plain ? toPlain(frame) : frame);
  });
  // in debug mode Ink hands over each frame whole, which is what the painter takes
  const ink = render(<Root program={program} store={store} onKeys={onKeys} />, { stdout: frames, stdin, debug: true, exitOnCtrlC: false, patchConsole: false });
  ink.waitUntilExit().then(
    () => finish({}),
    (error: unknown) => finish({ error }),
  );
  const end = await ended;
  live = false;
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
}

function Root<S>({
  program,
  store,
  onKeys,
}: {
  readonly program: Program<S>;
  readonly store: Store<S>;
  readonly onKeys: (keys: readonly string[]) => void;
}): ReactNode {
  const { state, size } = useSyncExternalStore(store.subscribe, store.snapshot);
  useInput((input, key) => onKeys(keysOf(input, key)));
  return <ScreenView screen={program.screen(state)} size={size} />;
}

/** `stdout` for Ink: frames go to `paint`; cursor sequences and resize events stay with us. */
function frameStream(stdout: NodeJS.WriteStream, paint: (frame: string) => void): NodeJS.WriteStream {
  const write = (data: unknown, ...rest: unknown[]): boolean => {
    const done = rest.find((value): value is () => void => typeof value === 'function');
    if (data === '' && done !== undefined) return stdout.write('', done);
    if (typeof data === 'string' && data !== '' && !data.startsWith('\u001b[?')) paint(data);
    done?.();
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
