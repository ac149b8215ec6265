/**
 * The contents of .gz, .xz and .zst files, recognised by their first bytes. gzip is Node's own; xz is xz-embedded and
 * zstd the reference decoder, both in WebAssembly and loaded when first needed. All check the streams' checksums.
 */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UserError } from '../codec/user-error.js';
import { type ByteSource, readAt } from './byte-source.js';
import { payloadKindOf } from '../compress/payload.js';
import { unxz } from '../compress/xz.js';
import { xzStreams } from './xz-streams.js';
import { zstdDecoder } from '../compress/zstd.js';

type Compression = 'gzip' | 'xz' | 'zstd';

/** Which compression these first bytes of a file are, or null. */
export function compressionOf(head: Uint8Array): Compression | null {
  const kind = payloadKindOf(head);
  // A skippable frame before the first: how seekable and parallel zstd files start.
  if (((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return 'zstd';
  return kind === 'lz4' ? null : kind;
}

/** What xz-embedded's codes (enum xz_ret) say; 8, XZ_BUF_ERROR, is the end of the input inside the stream. */
const xzReasons: Readonly<Record<string, string>> = {
  2: 'its kind of check is not known here: unpack it with `xz -d`',
  3: 'its dictionary does not fit into memory: unpack it with `xz -d`',
  4: 'its dictionary is too large: unpack it with `xz -d`',
  5: 'a wrong header',
  6: 'it uses a filter not known here: unpack it with `xz -d`',
  7: 'wrong data or a wrong checksum',
};

const PIECE = 128 * 1024;

/**
 * The decompressed bytes of `source`, piece by piece.
 * @throws UserError where the stream is corrupt or cut short; it names the place in the compressed file
 */
export async function* decompress(source: ByteSource, kind: Compression): AsyncGenerator<Uint8Array> {
  let consumed = 0;
  const pieces = function* (end = source.size): Generator<Uint8Array> {
    while (consumed < end) {
      // The last bytes come one by one: the zstd decoder then has handed out all it held before the stream ends.
      const rest = end - consumed;
      const piece = readAt(source, consumed, rest > 2 ? Math.min(PIECE, rest - 2) : 1);
      if (piece.length === 0) return;
      consumed += piece.length;
      yield piece;
    }
  };
  try {
    if (kind === 'gzip') yield* gunzip(pieces());
    else if (kind === 'xz')
      for (const { start, end } of xzStreams(source)) {
        consumed = start;
        yield* unxz(pieces(end));
      }
    else yield* (await zstdDecoder()).stream(pieces());
  } catch (error) {
    if (error instanceof UserError) throw error;
    const text = error instanceof Error ? error.message : String(error);
    const test = `test it with \`${kind} -t\`, and copy the dump again`;
    // The zstd decoder does not tell the two apart.
    if (/incomplete stream/i.test(text))
      throw new UserError(`${source.name}: the zstd stream is cut short or corrupt: incomplete where the file ends, at offset ${source.size}; ${test}`);
    if (/unexpected end of file|error code 8$/i.test(text))
      throw new UserError(`${source.name}: the ${kind} stream is cut short: the file ends at offset ${source.size}, inside it; ${test}`);
    const code = /error code (\d)$/.exec(text)?.[1];
    const reason = code === undefined ? text : (xzReasons[code] ?? text);
    throw new UserError(`${source.name}: the ${kind} stream is corrupt, at or before offset ${consumed} (${reason}); ${test}`);
  }
}

async function* gunzip(input: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const transform = createGunzip({ chunkSize: 256 * 1024 });
  // Errors of either side reach the loop below, because pipeline destroys the transform with them.
  pipeline(Readable.from(input), transform, () => {});
  for await (const chunk of transform) if (chunk instanceof Uint8Array) yield chunk;
}
