/**
 * The terminal as it was before, on every way out: the alternate screen is entered once, and left by one function that may
 * be called from anywhere, any number of times.
 */
const ESC = '\u001b';
// with it the terminal marks what is pasted
const ENTER = `${ESC}[?1049h${ESC}[?25l${ESC}[?2004h${ESC}[H${ESC}[2J`;
const LEAVE = `${ESC}[0m${ESC}[?2004l${ESC}[?1049l${ESC}[?25h`;
/** Presses, releases and the wheel, with coordinates beyond 223 (SGR). */
const MOUSE_ON = `${ESC}[?1000h${ESC}[?1006h`;
const MOUSE_OFF = `${ESC}[?1006l${ESC}[?1000l`;

export interface TerminalStreams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
}

interface ScreenEvents {
  /** The screen was lost (the process was stopped and continued): draw it anew. */
  readonly redraw: () => void;
  /** The process is to end: by a signal, or by an error nobody caught. */
  readonly end: (reason: { readonly signal: NodeJS.Signals } | { readonly error: unknown }) => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export class AlternateScreen {
  readonly #streams: TerminalStreams;
  #events: ScreenEvents;
  readonly #undo: (() => void)[] = [];
  #inside = false;
  #closed = false;
  #mouse = false;

  constructor(streams: TerminalStreams, events: ScreenEvents) {
    this.#streams = streams;
    this.#events = events;
  }

  /** Who is told from now on. */
  set events(events: ScreenEvents) {
    this.#events = events;
  }

  /** Enters the alternate screen and starts to watch for every way out; nothing happens where it is open already. */
  open(): void {
    if (this.#inside) return;
    const on = (event: string, listener: (...values: unknown[]) => void): void => {
      process.on(event, listener);
      this.#undo.push(() => process.off(event, listener));
    };
    on('exit', () => this.leave());
    for (const signal of SIGNALS) on(signal, () => this.#events.end({ signal }));
    on('uncaughtException', (error) => this.#events.end({ error }));
    on('SIGCONT', () => this.#resume());
    this.#watchStop();
    // a terminal that is gone must not turn the way out into a crash
    const ignore = (): void => undefined;
    this.#streams.stdout.on('error', ignore);
    this.#undo.push(() => this.#streams.stdout.off('error', ignore));
    this.#enter();
  }

  #enter(): void {
    if (this.#inside || this.#closed) return;
    this.#inside = true;
    this.#streams.stdout.write(ENTER + (this.#mouse ? MOUSE_ON : ''));
  }

  /** Does the terminal report the mouse? Off until somebody wants it; given back on every way out. */
  set mouse(on: boolean) {
    if (on === this.#mouse) return;
    this.#mouse = on;
    if (this.#inside) this.#streams.stdout.write(on ? MOUSE_ON : MOUSE_OFF);
  }

  /** Gives the terminal back: screen, cursor, line mode. */
  leave(): void {
    if (!this.#inside) return;
    this.#inside = false;
    try {
      this.#streams.stdout.write((this.#mouse ? MOUSE_OFF : '') + LEAVE);
      if (this.#streams.stdin.isTTY) this.#streams.stdin.setRawMode(false);
    } catch {
      // the terminal is gone: nothing is left to restore
    }
  }

  /** Leaves for good. */
  close(): void {
    this.leave();
    this.#closed = true;
    for (const undo of this.#undo.splice(0)) undo();
  }

  /** Stops this job as Ctrl-Z does in a shell: the whole process group, so that a wrapper such as npx stops too. */
  suspend(): void {
    this.#stop(0);
  }

  readonly #onStop = (): void => this.#stop(process.pid);

  #watchStop(): void {
    process.on('SIGTSTP', this.#onStop);
    this.#undo.push(() => process.off('SIGTSTP', this.#onStop));
  }

  #stop(target: number): void {
    this.leave();
    process.off('SIGTSTP', this.#onStop);
    process.kill(target, 'SIGTSTP');
    // a process group without a shell above it is not stopped: then go on at once
    setImmediate(() => this.#resume());
  }

  #resume(): void {
    if (this.#inside || this.#closed) return;
    process.on('SIGTSTP', this.#onStop);
    this.#enter();
    if (this.#streams.stdin.isTTY) this.#streams.stdin.setRawMode(true);
    this.#events.redraw();
  }
}
