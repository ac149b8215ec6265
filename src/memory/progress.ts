/** How far long work has come: told by whoever goes through a dump, shown by the command where somebody watches. */

/** @param what in words, the same for the whole of a piece of work @param done @param total bytes; null where nobody knows the total */
type ProgressListener = (what: string, done: number, total: number | null) => void;

let listener: ProgressListener | null = null;

/** Of the command that runs; null: nobody watches. */
export function listenToProgress(to: ProgressListener | null): void {
  listener = to;
}

/** Cheap where nobody watches: to be called for every mebibyte or so. */
export function progress(what: string, done: number, total: number | null): void {
  listener?.(what, done, total);
}
