/** Snappy's raw format, as kdump pages are compressed with it. Source: google/snappy, format_description.txt. */

/** `input` decompressed, or null where it is damaged or does not decompress to `size` bytes. */
export function snappyDecompress(input: Uint8Array, size: number): Uint8Array | null {
  const out = new Uint8Array(size);
  let ip = 0;
  let op = 0;
  const bytes = (count: number): number => {
    let value = 0;
    for (let index = 0; index < count; index++) value += (input[ip++] ?? 0) * 2 ** (8 * index);
    return value;
  };
  let claimed = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = input[ip++];
    if (byte === undefined || shift > 28) return null;
    claimed += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (claimed !== size) return null;
  while (ip < input.length) {
    const tag = input[ip++] ?? 0;
    const kind = tag & 3;
    let length = (tag >> 2) + 1;
    if (kind === 0) {
      if (length > 60) length = bytes(length - 60) + 1;
      if (ip + length > input.length || op + length > size) return null;
      out.set(input.subarray(ip, ip + length), op);
      ip += length;
      op += length;
      continue;
    }
    let distance: number;
    if (kind === 1) {
      length = ((tag >> 2) & 7) + 4;
      distance = ((tag >> 5) << 8) + bytes(1);
    } else distance = bytes(kind === 2 ? 2 : 4);
    if (ip > input.length || distance === 0 || distance > op || op + length > size) return null;
    // Byte by byte: a copy may reach into what it writes.
    for (let left = length; left > 0; left--) {
      out[op] = out[op - distance] ?? 0;
      op++;
    }
  }
  return op === size ? out : null;
}
