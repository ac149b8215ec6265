/** What the decompressors of this folder throw where a stream holds more than they may unpack. */
export const tooLarge = (limit: number): RangeError => new RangeError(`more than ${limit} bytes`);
