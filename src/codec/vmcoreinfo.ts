/** VMCOREINFO's text: what a kernel says about itself for dump tools, KEY=VALUE lines. Source: Documentation/admin-guide/kdump/vmcoreinfo.rst, 7.3. */
import { PAGE_SIZES } from './layout-table.js';

/** The lines of a VMCOREINFO note or page; the first of a key holds. */
export function parseVmcoreinfo(bytes: Uint8Array): ReadonlyMap<string, string> {
  const lines = new Map<string, string>();
  const nul = bytes.indexOf(0);
  for (const line of new TextDecoder().decode(nul === -1 ? bytes : bytes.subarray(0, nul)).split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0 && !lines.has(line.slice(0, equals))) lines.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return lines;
}

/** PAGESIZE in bytes, or null where it is not given or no page has that size. */
export function pageSizeOf(lines: ReadonlyMap<string, string> | null): number | null {
  const value = Number(lines?.get('PAGESIZE'));
  return PAGE_SIZES.includes(value) ? value : null;
}
