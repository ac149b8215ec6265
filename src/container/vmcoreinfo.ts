/** VMCOREINFO in dump files: how large it can be, and how it is written. Its text is read by src/codec. */
export { pageSizeOf, parseVmcoreinfo } from '../codec/vmcoreinfo.js';

/** Kernels write a page or a few; anything larger is damage. */
export const VMCOREINFO_LIMIT = 1024 * 1024;

/** The text of a VMCOREINFO note. */
export const formatVmcoreinfo = (lines: ReadonlyMap<string, string>): Uint8Array =>
  new TextEncoder().encode([...lines].map(([key, value]) => `${key}=${value}\n`).join(''));
