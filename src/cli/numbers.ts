/** Numbers a user gives on the command line. */
import { InvalidArgumentError } from 'commander';

/** An offset, address or count: decimal or 0x…, at most 2^53 - 1. @throws InvalidArgumentError */
export function parseNumber(text: string): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('a number is needed, in decimal or 0x…');
  return value;
}

/** @throws InvalidArgumentError */
export function parseCount(text: string): number {
  const value = parseNumber(text);
  if (value < 1) throw new InvalidArgumentError('at least 1 is needed');
  return value;
}

/** A page size in bytes: 4096, 16384, 65536, also 4K, 16KiB. @throws InvalidArgumentError */
export function parsePageSize(text: string): number {
  const match = /^(\d+)(k|ki|kib)?$/i.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) * (match[2] === undefined ? 1 : 1024);
  if (value !== 4096 && value !== 16384 && value !== 65536) throw new InvalidArgumentError('4096, 16384 or 65536 is needed');
  return value;
}
