/**
 * As much of a ReadableStream as one reader that takes piece by piece needs, and as xz-decompress is built on: Node's own takes longer to load
 * than a small dump to unpack.
 */
interface Controller<T> {
  enqueue(value: T): void;
  close(): void;
}

interface Source<T> {
  start?(controller: Controller<T>): unknown;
  /** asked where nothing is left */
  pull(controller: Controller<T>): unknown;
}

interface Reader<T> {
  read(): Promise<{ readonly done: false; readonly value: T } | { readonly done: true; readonly value?: undefined }>;
}

export class ReadableStream<T> {
  readonly #source: Source<T>;
  readonly #waiting: T[] = [];
  readonly #controller: Controller<T>;
  #started: Promise<unknown> | null = null;
  #isClosed = false;

  constructor(source: Source<T>) {
    this.#source = source;
    this.#controller = {
      enqueue: (value) => this.#waiting.push(value),
      close: () => {
        this.#isClosed = true;
      },
    };
  }

  getReader(): Reader<T> {
    return {
      read: async () => {
        this.#started ??= Promise.resolve(this.#source.start?.(this.#controller));
        await this.#started;
        while (this.#waiting.length === 0 && !this.#isClosed) await this.#source.pull(this.#controller);
        const value = this.#waiting.shift();
        return value === undefined ? { done: true } : { done: false, value };
      },
    };
  }
}
