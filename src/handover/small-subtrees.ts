/** The subtrees that are small: reserve_mem regions, kexec metadata, and the kernel's own KHO test. Sources: the contracts in abi/. */
import { kexecMetadataV1, khoKexecMetadata } from '../../abi/kexec-metadata/v1.js';
import { RESERVE_MEM_COMPATIBLE, memblockV1 } from '../../abi/memblock/v1.js';
import { fdtHeader } from '../../abi/fdt/header.js';
import type { FdtNodeLayout, Layer } from '../../abi/contract.js';
import { u64 } from '../../abi/layout.js';
import { decodeValue } from '../codec/decode.js';
import { type Fdt, fdtProperty, fdtStrings, hasFdtMagic, parseFdt } from '../codec/fdt.js';
import { sizeOf } from '../codec/layout-table.js';
import { type Context, contractsNamed, nonsense } from './context.js';
import { addFdt } from './fdt-node.js';
import { type Blob, child } from './luo-root.js';
import { counted, formatBytes, hex } from '../tree/words.js';
import type { Node } from '../tree/node.js';
import { addRestOfPage } from '../tree/gaps.js';
import { structFromBytes } from '../tree/reading.js';

export interface ReserveMem {
  readonly name: string;
  /** physical */
  readonly start: bigint;
  /** bytes */
  readonly size: bigint;
  readonly node: Node;
}

export interface KexecMetadata {
  readonly version: number;
  readonly previousRelease: string;
  readonly kexecCount: number;
  readonly node: Node;
}

/** Is one of the strings a version of that layer? */
const speaks = (context: Context, strings: readonly string[], layer: Layer): boolean =>
  strings.some((text) => contractsNamed(context, text).some((contract) => contract.layer === layer));

/** Regions of reserve_mem=. Null where the blob is missing or holds something else. */
export function readMemblock(context: Context, blob: Blob, parent: Node): readonly ReserveMem[] | null {
  if (blob.bytes === null) return null;
  const node = parent.group('memblock', { address: blob.address, bits: blob.bytes.length * 8, description: memblockV1.fdt.meaning });
  const fdt = subtreeFdt(context, blob, node, memblockV1.fdt);
  if (fdt?.root === null || fdt === null) return null;
  const compatible = fdtStrings(fdtProperty(fdt.root, 'compatible'));
  const root = child(node, '/') ?? node;
  if (!speaks(context, compatible, 'memblock')) {
    nonsense(context, 'memblock', child(root, 'compatible') ?? root, `compatible is ${JSON.stringify(compatible.join(';'))}, not ${memblockV1.compatible}`);
    return null;
  }
  const regions: ReserveMem[] = [];
  for (const region of fdt.root.children) {
    const regionNode = child(root, region.name) ?? root;
    const start = fdtProperty(region, 'start')?.value;
    const size = fdtProperty(region, 'size')?.value;
    const version = fdtStrings(fdtProperty(region, 'compatible'));
    if (!speaks(context, version, 'reserve-mem')) {
      context.observations.add(
        'memblock',
        child(regionNode, 'compatible') ?? regionNode,
        `compatible of region ${JSON.stringify(region.name)} is ${JSON.stringify(version.join(';'))}, not ${RESERVE_MEM_COMPATIBLE}`,
      );
    }
    if (start?.length !== 8 || size?.length !== 8) {
      context.observations.add('memblock', regionNode, `region ${JSON.stringify(region.name)} has no start or size of 8 bytes`);
      continue;
    }
    const found = { name: region.name, start: decodeValue(u64('start'), start), size: decodeValue(u64('size'), size), node: regionNode };
    regionNode.meaning = `${formatBytes(found.size)} at ${hex(found.start)}`;
    regions.push(found);
  }
  node.meaning = counted(regions.length, 'region');
  return regions;
}

/** Which kernel jumped. Null where the blob is missing, too small or of another version. */
export function readKexecMetadata(context: Context, blob: Blob, parent: Node): KexecMetadata | null {
  if (blob.bytes === null) return null;
  const node = parent.group('kexec-metadata', { address: blob.address, bits: blob.bytes.length * 8, description: 'what the previous kernel says of itself' });
  const struct = context.contracts.struct(khoKexecMetadata);
  const size = sizeOf(struct);
  if (blob.bytes.length < size) {
    nonsense(context, 'kexec-metadata', node, `the blob has ${blob.bytes.length} bytes, struct ${struct.name} has ${size}`);
    return null;
  }
  const reading = structFromBytes(struct, blob.bytes.subarray(0, size), blob.address, context.memory.pageSize, {
    path: `${node.path}/${khoKexecMetadata.name}`,
    name: khoKexecMetadata.name,
  });
  node.add(reading.node);
  if (blob.address !== null) addRestOfPage(context.memory, reading.node, blob.address, size);
  if (reading.values === null) return null;
  const [version, kexecCount] = [Number(reading.integer('version') ?? 0n), Number(reading.integer('kexec_count') ?? 0n)];
  const release = reading.text('previous_release');
  const name = `kexec-metadata ${version}`;
  const successor = version === 1 ? null : context.contracts.successor(kexecMetadataV1, name);
  // A kernel whose types are as described, and which speaks known versions of all else, has written 1: the number is damaged.
  const isDamaged = context.foreign.size === 0 && successor?.measured?.differences.length === 0 && successor.measured.missing.length === 0;
  const own = isDamaged ? null : successor;
  if (own !== null) context.foreign.set(name, { compatible: name, contract: own });
  if (release === null || (version !== 1 && own === null)) {
    nonsense(context, 'kexec-metadata', reading.field('version'), `version is ${version}; ${kexecMetadataV1.releases.join(', ')} speak version 1`);
    return null;
  }
  if (!release.terminated) nonsense(context, 'kexec-metadata', reading.field('previous_release'), 'previous_release has no NUL');
  node.meaning = `${release.text}, kexec ${kexecCount}`;
  return { version, previousRelease: release.text, kexecCount, node };
}

/** An FDT subtree that nothing else reads (the KHO test, an unknown user): shown as it is. */
export function readOtherFdt(context: Context, blob: Blob, parent: Node, name: string, layout: FdtNodeLayout | null): Fdt | null {
  if (blob.bytes === null || !hasFdtMagic(blob.bytes)) return null;
  return subtreeFdt(context, blob, parent.group(name, { address: blob.address, bits: blob.bytes.length * 8 }), layout);
}

function subtreeFdt(context: Context, blob: Blob, node: Node, layout: FdtNodeLayout | null): Fdt | null {
  if (blob.bytes === null || blob.bytes.length < sizeOf(fdtHeader)) {
    nonsense(context, 'memblock', node, `${blob.bytes?.length ?? 0} bytes are not an FDT`);
    return null;
  }
  const fdt = parseFdt(blob.bytes);
  for (const problem of fdt.problems) {
    nonsense(context, 'fdt-invalid', node, `${node.name}: ${problem.text}`, blob.address === null ? null : blob.address + problem.blamed);
  }
  addFdt(node, fdt, blob.address, layout, context.memory.pageSize);
  return fdt;
}
