/** The version of this program, from its package.json. For --version and for outputs that name their maker. */
import { readFile } from 'node:fs/promises';
import { packageFile } from './package-file.js';

export async function ownVersion(): Promise<string> {
  const text: unknown = JSON.parse(await readFile(packageFile('package.json'), 'utf8'));
  return typeof text === 'object' && text !== null && 'version' in text ? String(text.version) : 'unknown';
}
