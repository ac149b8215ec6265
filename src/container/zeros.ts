/** Is a piece of memory all zeros? For writers, which leave such pieces out as holes of the file. */
export function isZero(bytes: Uint8Array): boolean {
  if (bytes[0] !== undefined && bytes[0] !== 0) return false;
  if (bytes.byteOffset % 8 !== 0) return bytes.every((byte) => byte === 0);
  const words = bytes.length >>> 3;
  const view = new BigUint64Array(bytes.buffer, bytes.byteOffset, words);
  for (let index = 0; index < words; index++) if (view[index] !== 0n) return false;
  for (let index = words * 8; index < bytes.length; index++) if (bytes[index] !== 0) return false;
  return true;
}
