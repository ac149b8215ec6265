/** The root FDT's shapes: `fdt` holds one u64 up to 7.0, `preserved-data` one from 7.1, with `blob-size` beside it from kho-v3. */
import type { FdtNodeLayout } from '../contract.js';
import { cstring, phys, u64 } from '../layout.js';

const blobPointer = { type: phys('where the blob is'), required: true };

/** @param record how a subtree is recorded: `fdt` (kho-v1), `preserved-data` (kho-v2), `blob-size` (kho-v3 and later: both properties) */
export function khoRootFdt(record: 'fdt' | 'preserved-data' | 'blob-size'): FdtNodeLayout {
  const properties =
    record === 'fdt'
      ? { fdt: blobPointer }
      : record === 'preserved-data'
        ? { 'preserved-data': blobPointer }
        : { 'preserved-data': blobPointer, 'blob-size': { type: u64('size of the blob', { role: 'bytes' }), required: true } };
  return {
    name: '/',
    meaning: 'KHO root: where everything else is found',
    properties: {
      compatible: { type: cstring(7, 'version of KHO'), required: true },
      'preserved-memory-map': { type: phys('preserved memory map; 0 = nothing is preserved'), required: true },
    },
    children: [{ name: '*', meaning: 'a subtree: one user of KHO', properties, children: [] }],
  };
}
