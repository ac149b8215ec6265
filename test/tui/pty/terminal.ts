import pty from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { scratch } from '../../scratch.js';

const PATIENCE_MS = 60_000;

interface Exit {
  readonly exitCode: number;
  readonly signal: number | undefined;
}

export class PseudoTerminal {
  readonly #terminal: xterm.Terminal;
  readonly #process: pty.IPty;
  /** everything the program wrote */
  output = '';
  exit: Exit | null = null;

  constructor(command: readonly [string, ...string[]], options: { columns?: number; rows?: number; env?: Record<string, string> } = {}) {
    const cols = options.columns ?? 80;
    const rows = options.rows ?? 24;
    const [file, ...args] = command;
    this.#terminal = new xterm.Terminal({ cols, rows, allowProposedApi: true });
    const env: Record<string, string> = {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      TERM: 'xterm-256color',
      // each terminal keeps what it keeps to itself
      XDG_STATE_HOME: scratch(),
      ...options.env,
    };
    this.#process = pty.spawn(file, args, { name: env.TERM ?? 'xterm-256color', cols, rows, env });
    this.#process.onData((data) => {
      this.output += data;
      this.#terminal.write(data);
    });
    // the emulator reads what is written a while later: the end is told when the screen has all of it
    this.#process.onExit(({ exitCode, signal }) => {
      this.#terminal.write('', () => {
        this.exit = { exitCode, signal };
      });
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Is the alternate screen shown? */
  get alternate(): boolean {
    return this.#terminal.buffer.active.type === 'alternate';
  }

  get rows(): string[] {
    const buffer = this.#terminal.buffer.active;
    return Array.from({ length: this.#terminal.rows }, (_, row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? '');
  }

  get text(): string {
    return this.rows.join('\n');
  }

  /** Does any cell of the screen have a colour or an attribute? */
  get styled(): boolean {
    const buffer = this.#terminal.buffer.active;
    for (let row = 0; row < this.#terminal.rows; row++) {
      const line = buffer.getLine(buffer.viewportY + row);
      for (let column = 0; column < this.#terminal.cols; column++) {
        const cell = line?.getCell(column);
        if (cell !== undefined && (!cell.isFgDefault() || !cell.isBgDefault() || cell.isBold() !== 0 || cell.isInverse() !== 0)) return true;
      }
    }
    return false;
  }

  write(data: string): void {
    this.#process.write(data);
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows);
    this.#process.resize(columns, rows);
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(this.#process.pid, signal);
  }

  /** Waits until the screen (or the process) is as wanted. @throws with the screen as it is, if it never is */
  async until(what: string, wanted: (terminal: this) => boolean, patience = PATIENCE_MS): Promise<void> {
    const end = performance.now() + patience;
    while (!wanted(this)) {
      if (performance.now() > end) throw new Error(`waited for ${what}; the screen shows:\n${this.text}\nexit: ${JSON.stringify(this.exit)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Waits until the screen shows this text. */
  shows(text: string): Promise<void> {
    return this.until(JSON.stringify(text), () => this.text.includes(text));
  }

  /** Ends the program if a test left it running. */
  dispose(): void {
    if (this.exit === null) this.#process.kill('SIGKILL');
  }
}
