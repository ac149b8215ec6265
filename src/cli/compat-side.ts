/** What `abi check` and `abi diff` are given: a release, a kernel's file, or a dump; told by its form, then by its content. */
import { existsSync } from 'node:fs';
import { looksLikeRelease, releaseSide } from '../compat/release-side.js';
import type { Side } from '../compat/side.js';
import type { BtfOption } from './dump-contracts.js';

/** @throws UserError where it is none of them, or can't be read */
export async function openSide(text: string, role: 'from' | 'to', layouts: BtfOption = {}): Promise<Side> {
  if (looksLikeRelease(text) && !existsSync(text)) return releaseSide(text);
  const { fileSide } = await import('./compat-file.js');
  const { fileOrSample } = await import('./samples.js');
  return fileSide(fileOrSample(text), role, layouts);
}
