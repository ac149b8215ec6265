/** A kernel's configuration: `/proc/config.gz`, a `.config`, or what CONFIG_IKCONFIG put into an image. */
import { gunzipSync } from 'node:zlib';
import type { HostTree } from './host-tree.js';

export type KernelConfig = ReadonlyMap<string, string>;

/** A configuration has about 300 KiB of text. */
const MOST_TEXT = 16 << 20;

/** The configuration of the tree's kernel, or null where it has none, or none that can be read. */
export function configOf(tree: HostTree): KernelConfig | null {
  for (const path of ['proc/config.gz', 'proc/config', 'config']) {
    const bytes = tree.read(path);
    const parsed = typeof bytes === 'string' ? null : parseConfig(bytes);
    if (parsed !== null) return parsed;
  }
  return null;
}

/** @param bytes text, or text compressed with gzip. @returns null where it is no configuration */
function parseConfig(bytes: Uint8Array): KernelConfig | null {
  const text = textOf(bytes);
  if (text === null) return null;
  const config = new Map<string, string>();
  for (const match of text.matchAll(/^(?:(CONFIG_\w+)=(.*)|# (CONFIG_\w+) is not set)$/gm)) {
    const [, name, value, unset] = match;
    if (name !== undefined) config.set(name, (value ?? '').replace(/^"(.*)"$/, '$1'));
    else if (unset !== undefined) config.set(unset, 'n');
  }
  return config.size === 0 ? null : config;
}

function textOf(bytes: Uint8Array): string | null {
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    return new TextDecoder().decode(packed ? gunzipSync(bytes, { maxOutputLength: MOST_TEXT }) : bytes);
  } catch {
    return null;
  }
}

/** Built in or a module. An option that a configuration does not name is off, or of another release. */
export const isSet = (config: KernelConfig, option: string): boolean => config.get(option) === 'y' || config.get(option) === 'm';
