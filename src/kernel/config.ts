/** The configuration that a kernel carries (CONFIG_IKCONFIG): a gzip stream between two marks. Source: kernel/configs.c, 7.3. */
import { gunzipSync } from 'node:zlib';
import { KernelFault } from './fault.js';
import type { Kernel } from './kernel.js';

const MAX_COMPRESSED = 1 << 20;
const MAX_TEXT = 16 << 20;

/** CONFIG_ names with their values; those that are not set are left out. Null where the kernel carries none, or it can't be read. */
export function kernelConfig(kernel: Kernel): ReadonlyMap<string, string> | null {
  const start = kernel.symbols.find('kernel_config_data')[0]?.address;
  const end = kernel.symbols.find('kernel_config_data_end')[0]?.address;
  if (start === undefined || end === undefined || end <= start || end - start > BigInt(MAX_COMPRESSED)) return null;
  try {
    const text = gunzipSync(kernel.virtual.read(start, Number(end - start)), { maxOutputLength: MAX_TEXT }).toString('latin1');
    return new Map([...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
  } catch (error) {
    // A page that is missing, or bytes that are no gzip stream: then there is no configuration to be told.
    if (error instanceof KernelFault || (error instanceof Error && 'code' in error)) return null;
    throw error;
  }
}
