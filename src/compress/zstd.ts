/** zstd through the reference decoder in WebAssembly, with guards for what its wrapper leaves open. For .zst files and kdump pages. */

export interface ZstdDecoder {
  /** The contents of a whole stream. @throws Error where it is corrupt or cut short */
  stream(input: Iterable<Uint8Array>): Generator<Uint8Array>;
  /** One frame of `size` bytes, or null where it holds anything else. */
  frame(bytes: Uint8Array, size: number): Uint8Array | null;
}

/** Calls in a row that yield nothing while input is left: the decoder reports an error by standing still. */
const STALLED = 64;

let decoder: ZstdDecoder | null = null;

/** The decoder, loaded once. */
export async function zstdDecoder(): Promise<ZstdDecoder> {
  if (decoder !== null) return decoder;
  const { ZSTDDecoder } = await import('zstddec/stream');
  const wasm = new ZSTDDecoder();
  await wasm.init();
  decoder = {
    *stream(input) {
      let empty = 0;
      const watched = function* (): Generator<Uint8Array> {
        for (const piece of input) {
          empty = 0;
          yield piece;
        }
      };
      for (const chunk of wasm.decodeStreaming(watched())) {
        if (chunk.length > 0) {
          empty = 0;
          yield chunk;
        } else if (++empty >= STALLED) throw new Error('a block, a checksum or a window larger than 128 MiB was refused');
      }
    },
    frame(bytes, size) {
      const out = wasm.decode(bytes, size);
      return out.length === size ? out : null;
    },
  };
  return decoder;
}
