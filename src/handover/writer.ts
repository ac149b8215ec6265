/** Who wrote a handover: its kexec-metadata alone, read before the rest, so that roles can be told. */
import { khoKexecMetadata } from '../../abi/kexec-metadata/v1.js';
import { u64 } from '../../abi/layout.js';
import { decodeStruct, decodeValue } from '../codec/decode.js';
import { fdtProperty } from '../codec/fdt.js';
import { sizeOf } from '../codec/layout-table.js';
import { type PhysicalMemory, physicalAddress, readBytes } from '../memory/memory.js';
import type { Candidate } from './find.js';
import type { Writer } from './roles.js';

/** Nulls where there is no kexec-metadata of a version that is known. */
export function peekWriter(memory: PhysicalMemory, candidate: Candidate): Writer {
  const node = candidate.fdt?.root?.children.find((subtree) => subtree.name === 'kexec-metadata');
  const property = node === undefined ? null : fdtProperty(node, 'preserved-data');
  const address = property?.value.length === 8 ? physicalAddress(decodeValue(u64('address'), property.value)) : null;
  const read = address === null ? null : readBytes(memory, address, sizeOf(khoKexecMetadata));
  if (read === null || !read.ok) return { release: null, kexecCount: null };
  const values = decodeStruct(khoKexecMetadata, read.bytes);
  return values.version === 1 ? { release: values.previous_release.text, kexecCount: values.kexec_count } : { release: null, kexecCount: null };
}
