/**
 * The first frame, before a dump is decoded: which file, and what is being done. Keys typed meanwhile are not echoed; they are kept for
 * the view that follows, but for Esc, q and Ctrl-C, which give the opening up. Knows neither Ink nor React, so that it stands at once.
 */
import { AlternateScreen, type TerminalStreams } from './alternate-screen.js';
import { isPlainTerminal, toPlain } from './glyphs.js';

const ESC = '\u001b';

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
  #started = performance.now();

  /** @param title escaped: the file as the user named it */
  constructor(title: string, color: boolean, streams: TerminalStreams) {
    this.#title = title;
    this.#color = color;
    this.streams = streams;
    this.screen = new AlternateScreen(streams, { redraw: () => this.#draw(), end: () => this.#give() });
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
    this.#stage = text;
    this.#draw();
    // twice: what the terminal has sent is read in one turn of the loop, and dealt with in the next
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#cancelled) throw new OpeningCancelled(`${this.#title}: not opened`);
  };

  /** The view may begin; the alternate screen stays. @returns what was typed meanwhile, for the view to take */
  finish(): Buffer {
    this.streams.stdin.off('readable', this.#onReadable);
    return Buffer.concat(this.#typed);
  }

  /** Gives the terminal back. */
  leave(): void {
    this.streams.stdin.off('readable', this.#onReadable);
    this.screen.close();
    // nobody reads it any more: it must not keep the process
    this.streams.stdin.unref();
  }

  // not 'data': a stream that flowed and was paused would not start again for whoever listens next
  readonly #onReadable = (): void => {
    for (let data: unknown = this.streams.stdin.read(); data !== null; data = this.streams.stdin.read()) {
      const text = String(data);
      // a lone Esc; arrows and other keys begin with one as well
      if (text === ESC || text === 'q' || text.includes('\u0003')) this.#give();
      else this.#typed.push(Buffer.from(text));
    }
  };

  #give(): void {
    this.#cancelled = true;
    this.#stage = 'giving up';
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
    if (this.#stage !== '') out += at(3 + Math.min(this.#done.length, Math.max(0, rows - 6)), '', `  ${this.#stage} …`);
    this.streams.stdout.write(out + at(rows, dim, ' Esc gives up'));
  }
}
