/** A KHO root FDT as a file of its own: what /sys/kernel/debug/kho/{in,out}/fdt holds, copied alone. No memory comes with it. */
import { fdtHeader } from '../../abi/fdt/header.js';
import { fdtProperty, fdtStrings, fdtTotalSize, parseFdt } from '../codec/fdt.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import { bufferMemory } from '../memory/buffer-memory.js';
import { type ByteSource, readAt } from './byte-source.js';
import type { DumpContents } from './opened-dump.js';

/** KHO gives its FDT a page; an FDT much larger than the largest page is not KHO's. */
const LARGEST = 1024 * 1024;

/** @throws UserError where the FDT is cut short or not KHO's */
export function openKhoFdt(source: ByteSource): DumpContents {
  const { name, size } = source;
  const bytes = readAt(source, 0, LARGEST);
  const total = fdtTotalSize(bytes);
  if (total === null) throw new UserError(`${name}: FDT cut short: ${size} bytes, its header alone has ${sizeOf(fdtHeader)}; copy the file again`);
  if (total > size)
    throw new UserError(
      `${name}: FDT cut short: totalsize at offset ${offsetOf(fdtHeader, 'totalsize')} is ${total}, the file has ${size} bytes; copy it again (with its folder: the folder can be opened)`,
    );
  const { root, problems } = parseFdt(bytes.subarray(0, Math.max(total, sizeOf(fdtHeader))));
  const [compatible] = root === null ? [] : fdtStrings(fdtProperty(root, 'compatible'));
  if (compatible === undefined) {
    const [problem] = problems;
    throw new UserError(
      `${name}: an FDT whose root has no compatible string${problem === undefined ? '' : ` (offset ${problem.offset}: ${problem.text})`}; give the file \`fdt\` of a kho folder`,
    );
  }
  if (!compatible.startsWith('kho-'))
    throw new UserError(
      `${name}: an FDT, but not KHO's: its root is compatible with ${JSON.stringify(compatible)}, not kho-…; give the kho folder it is from, or read it with \`decode\``,
    );
  return {
    container: 'kho-fdt',
    bytes: size,
    arch: null,
    pageSizeFromDump: null,
    memory: { ...bufferMemory([]), stateOf: () => 'excluded' },
    vmcoreinfo: null,
    handoverFiles: [{ role: null, fdt: bytes.subarray(0, total), fdtAddress: null, scratch: null, subtrees: [], truncated: false }],
    evidence: [`KHO FDT: 0xd00dfeed at offset 0, root compatible ${JSON.stringify(compatible)}, ${total} bytes`],
  };
}
