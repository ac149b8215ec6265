/**
 * The first frame, before a dump is decoded: which file, and what is being done. Keys typed meanwhile are not echoed; they are kept for
 * the view that follows, but for Esc, q and Ctrl-C, which give the opening up. Loads neither Ink nor React, so that it is shown at once.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { AlternateScreen, type TerminalStreams } from './alternate-screen.js';
import { isPlainTerminal, toPlain } from './glyphs.js';

const ESC = '\u001b';

/** Between two looks at the keys. */
const CHECK_MS = 50;

/** The user did not want to wait. */
export class OpeningCancelled extends Error {
  override readonly name = 'OpeningCancelled';
}

export class Loading {
  readonly screen: AlternateScreen;
  readonly streams: TerminalStreams;
  readonly #title: string;
  readonly #color: boolean;
  #typed: Buffer[] = [];
  #stage = '';
  #done: string[] = [];
  #cancelled = false;
  /** the terminal once more, to be asked for keys while nothing else runs; null where it cannot be */
  #keys: number | null = null;
  #asked = 0;
  #give: () => void = () => undefined;
  /** fails once the user has given it up, also while a stage waits for something */
  readonly cancelled: Promise<never>;
  #started = performance.now();
  /** whole seconds of the stage that the screen says */
  #seconds = 0;

  /** @param title escaped: the file as the user named it */
  constructor(title: string, color: boolean, streams: TerminalStreams) {
    this.#title = title;
    this.#color = color;
    this.streams = streams;
    this.screen = new AlternateScreen(streams, { redraw: () => this.#draw(), end: () => this.#cancel() });
    this.cancelled = new Promise<never>((_, reject) => {
      this.#give = () => reject(this.#refusal());
    });
    // who never races against it is not to be told of it
    this.cancelled.catch(() => undefined);
    try {
      this.#keys = openSync('/dev/tty', constants.O_RDONLY | constants.O_NONBLOCK);
    } catch {
      // keys are then taken between the stages
    }
    streams.stdin.setRawMode(true);
    streams.stdin.on('readable', this.#onReadable);
    this.screen.open();
    this.#draw();
  }

  /**
   * Says what is done next, and lets keys be read.
   * @throws OpeningCancelled once the user has given it up
   */
  readonly stage = async (text: string): Promise<void> => {
    if (this.#stage !== '') this.#done.push(`${this.#stage} ${((performance.now() - this.#started) / 1000).toFixed(1)} s`);
    this.#started = performance.now();
    this.#seconds = 0;
    this.#stage = text;
    this.#draw();
    // twice: what the terminal has sent is read in one turn of the loop, and dealt with in the next
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#cancelled) throw this.#refusal();
  };

  /**
   * For who works long without a pause: looks whether a key was pressed, a few times a second.
   * @param stage how far it is; what was said before where nothing is given
   * @throws OpeningCancelled once the user has given it up
   */
  readonly check = (stage?: string): void => {
    const now = performance.now();
    if (now - this.#asked < CHECK_MS) return;
    this.#asked = now;
    if (stage !== undefined) this.#stage = stage;
    // what takes long says for how long: it is seen to go on
    const seconds = Math.floor((now - this.#started) / 1000);
    if (stage !== undefined || seconds !== this.#seconds) this.#draw();
    this.#seconds = seconds;
    if (this.#keys === null) return;
    const buffer = Buffer.alloc(256);
    try {
      const got = readSync(this.#keys, buffer);
      if (got > 0) this.#take(buffer.toString('utf8', 0, got));
    } catch {
      // no key is waiting
    }
    if (this.#cancelled) throw this.#refusal();
  };

  #refusal(): OpeningCancelled {
    return new OpeningCancelled(`${this.#title}: not opened`);
  }

  /** From now on the screen is the view's. */
  #end(): void {
    this.streams.stdin.off('readable', this.#onReadable);
    this.#asked = Number.POSITIVE_INFINITY;
    if (this.#keys !== null) closeSync(this.#keys);
    this.#keys = null;
  }

  /** The view may begin; the alternate screen stays. @returns what was typed meanwhile, for the view to take */
  finish(): Buffer {
    this.#end();
    return Buffer.concat(this.#typed);
  }

  /** Gives the terminal back. */
  leave(): void {
    this.#end();
    this.screen.close();
    // nobody reads it any more: it must not keep the process
    this.streams.stdin.unref();
  }

  // not 'data': a stream that flowed and was paused would not start again for whoever listens next
  readonly #onReadable = (): void => {
    for (let data: unknown = this.streams.stdin.read(); data !== null; data = this.streams.stdin.read()) {
      this.#take(String(data));
    }
  };

  #take(text: string): void {
    // a lone Esc; arrows and other keys begin with one as well
    if (text === ESC || text === 'q' || text.includes('\u0003')) this.#cancel();
    else this.#typed.push(Buffer.from(text));
  }

  #cancel(): void {
    this.#cancelled = true;
    this.#stage = 'giving up';
    this.#give();
  }

  #draw(): void {
    const { columns = 80, rows = 24 } = this.streams.stdout;
    const width = Math.max(1, columns);
    const bold = this.#color ? `${ESC}[1m` : '';
    const dim = this.#color ? `${ESC}[2m` : '';
    const plain = this.#color ? `${ESC}[0m` : '';
    const glyphs = isPlainTerminal(process.env) ? toPlain : (text: string): string => text;
    const at = (row: number, style: string, text: string): string => `${ESC}[${row};1H${ESC}[2K${style}${glyphs([...text].slice(0, width).join(''))}${plain}`;
    let out = at(1, bold, ` ${this.#title}`);
    for (const [index, done] of this.#done.slice(-Math.max(0, rows - 6)).entries()) out += at(3 + index, dim, `  ${done}`);
    const seconds = Math.floor((performance.now() - this.#started) / 1000);
    if (this.#stage !== '') out += at(3 + Math.min(this.#done.length, Math.max(0, rows - 6)), '', `  ${this.#stage} …${seconds === 0 ? '' : ` ${seconds} s`}`);
    this.streams.stdout.write(out + at(rows, dim, ' Esc gives up'));
  }
}
