/** Who wrote a handover: its kexec-metadata alone, read before the rest, so that roles can be told. */
import { khoKexecMetadata } from '../../abi/kexec-metadata/v1.js';
import { u64 } from '../../abi/layout.js';
import { decodeStruct, decodeValue, toCString } from '../codec/decode.js';
import { type FdtNode, fdtProperty, hasFdtMagic } from '../codec/fdt.js';
import { sizeOf } from '../codec/layout-table.js';
import { type PhysicalMemory, physicalAddress, readBytes } from '../memory/memory.js';
import type { Candidate } from './find.js';
import type { Writer } from './roles.js';

/** Its kexec-metadata, whether its map was finalised, and how many of its blobs hold something else by now. Nulls where there is no kexec-metadata of a version that is known. */
export function peekWriter(memory: PhysicalMemory, candidate: Candidate): Writer {
  const root = candidate.fdt?.root ?? null;
  const map = root === null ? null : wide(root, 'preserved-memory-map');
  const blobs = root?.children.map((node) => blobState(memory, node)) ?? [];
  const state = {
    isRoot: root !== null && map !== null,
    finalised: map === null ? null : map !== 0n,
    intactBlobs: blobs.filter((blob) => blob === 'intact').length,
    reusedBlobs: blobs.filter((blob) => blob === 'reused').length,
  };
  const node = root?.children.find((subtree) => subtree.name === 'kexec-metadata');
  const pointer = node === undefined ? null : wide(node, 'preserved-data');
  const address = pointer === null ? null : physicalAddress(pointer);
  const read = address === null ? null : readBytes(memory, address, sizeOf(khoKexecMetadata));
  if (read === null || !read.ok) return { release: null, kexecCount: null, ...state };
  const values = decodeStruct(khoKexecMetadata, read.bytes);
  return values.version === 1
    ? { release: values.previous_release.text, kexecCount: values.kexec_count, ...state }
    : { release: null, kexecCount: null, ...state };
}

function wide(node: FdtNode, name: string): bigint | null {
  const property = fdtProperty(node, name);
  return property?.value.length === 8 ? decodeValue(u64(name), property.value) : null;
}

/** Enough for a version string, an FDT's magic or a version number. */
const START_OF_BLOB = 16;

/** Does a subtree's blob start as its users write it? `unknown` where it is not in the dump, or nobody known writes it. */
function blobState(memory: PhysicalMemory, node: FdtNode): 'intact' | 'reused' | 'unknown' {
  const pointer = wide(node, 'preserved-data') ?? wide(node, 'fdt');
  const address = pointer === null ? null : physicalAddress(pointer);
  if (address === null) return 'unknown';
  const read = readBytes(memory, address, START_OF_BLOB);
  if (!read.ok) return 'unknown';
  if (hasFdtMagic(read.bytes)) return 'intact';
  if (node.name === 'LUO') return /^([\w.-]+;)*luo-v\d/.test(toCString(read.bytes).text) ? 'intact' : 'reused';
  if (node.name === 'kexec-metadata') return read.bytes[0] === 1 && read.bytes[1] === 0 && read.bytes[2] === 0 && read.bytes[3] === 0 ? 'intact' : 'reused';
  return node.name === 'memblock' || node.name === 'kho_test' ? 'reused' : 'unknown';
}
