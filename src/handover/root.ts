/** KHO's root FDT: its version, the contract it is read by, the preserved memory map it names. Source: kernel/liveupdate/kexec_handover.c, 6.16 to 7.3. */
import { NEWEST } from '../../abi/behaviour/facts.js';
import type { Contract } from '../../abi/contract.js';
import { u64 } from '../../abi/layout.js';
import { contractsOf } from '../../abi/registry.js';
import { decodeValue } from '../codec/decode.js';
import { type Fdt, type FdtNode, fdtProperty, fdtStrings } from '../codec/fdt.js';
import { physicalAddress } from '../memory/memory.js';
import { type Context, contractsNamed } from './context.js';
import { addFdt } from './fdt-node.js';
import type { Candidate } from './find.js';
import { child } from './luo-root.js';
import { hex } from '../tree/words.js';
import type { Node } from '../tree/node.js';
import { addRestOfPage } from '../tree/gaps.js';
import { readChunkMap } from './preserved/chunks.js';
import type { PreservedMap } from './preserved/preserved-map.js';
import { readRadixMap } from './preserved/radix.js';

/** The root's own properties: its version, and the contract it is read by. */
export function readRoot(context: Context, fdt: Fdt, candidate: Candidate, kho: Node): { compatible: string | null; contract: Contract | null } {
  const { observations, memory } = context;
  const at = (offset: number): number | null => (candidate.fdtAddress === null ? null : candidate.fdtAddress + offset);
  const strings = fdt.root === null ? [] : rootStrings(fdt.root, candidate.cutInCopy);
  const compatible = strings.find((text) => text.startsWith('kho-')) ?? strings[0] ?? null;
  const known = strings.flatMap((text) => text.split(';')).flatMap((text) => contractsNamed(context, text).filter((contract) => contract.layer === 'kho'));
  const contract = known[0] ?? nearest(fdt.root);
  const root = addFdt(kho, fdt, candidate.fdtAddress, contract?.fdt ?? null, memory.pageSize);
  if (candidate.fdtAddress !== null && fdt.header.totalsize < memory.pageSize) addRestOfPage(memory, kho, candidate.fdtAddress, fdt.header.totalsize);
  if (candidate.cutInCopy) {
    observations.add(
      'fdt-invalid',
      kho,
      `only ${fdt.bytes.length} of the root FDT's ${fdt.header.totalsize} bytes were copied: names and what follows are lost`,
      'absent',
      at(0),
    );
  }
  for (const problem of candidate.cutInCopy ? [] : fdt.problems)
    observations.add('fdt-invalid', kho, `the root FDT: ${problem.text} (libfdt ${problem.code})`, 'wrong', at(problem.blamed));
  if (fdt.header.totalsize > memory.pageSize)
    observations.add('fdt-oversized', kho, `totalsize is ${fdt.header.totalsize}, a KHO FDT has one page`, 'wrong', at(0));
  kho.meaning = compatible ?? 'no compatible string';
  if (fdt.root === null) return { compatible: null, contract: null };
  const node = child(root, 'compatible') ?? root;
  if (candidate.cutInCopy) return { compatible, contract };
  if (compatible === null) observations.add('kho-compatible', root, 'the root has no compatible string');
  else if (known.length === 0) {
    node.mark('unknown-version', `no contract known is called ${JSON.stringify(compatible)}`);
    const nearestText = contract === null ? '' : `; the rest is read as ${contract.id} has it`;
    observations.add('kho-unknown-version', node, `compatible is ${JSON.stringify(compatible)}, which no release up to ${NEWEST} knows${nearestText}`);
  }
  return { compatible, contract };
}

/** The version strings. In a copy that lost its names, the property is known by its value. */
function rootStrings(root: FdtNode, cutInCopy: boolean): readonly string[] {
  const named = fdtStrings(fdtProperty(root, 'compatible'));
  if (named.length > 0 || !cutInCopy) return named;
  return (
    root.properties
      .filter((property) => property.name.startsWith('?'))
      .map(fdtStrings)
      .find(([text]) => text?.startsWith('kho-v')) ?? []
  );
}

/** For a version nobody knows: the contract whose property names it uses. */
function nearest(root: FdtNode | null): Contract | null {
  const properties = new Set(root?.children.flatMap((node) => node.properties.map((property) => property.name)));
  const id = properties.has('blob-size') ? 'kho-v4' : properties.has('preserved-data') ? 'kho-v2' : properties.has('fdt') ? 'kho-v1' : null;
  return id === null ? null : (contractsOf(id)[0] ?? null);
}

/** The preserved memory map; null where it can't be read, with an observation that says why. */
export function readMap(context: Context, fdt: Fdt, candidate: Candidate, contract: Contract | null, kho: Node): PreservedMap | null {
  const { memory, observations, limits } = context;
  if (fdt.root === null) return null;
  const node = kho.group('preserved', { description: 'which pages the next kernel must leave alone' });
  const root = child(kho, '/') ?? kho;
  const property = fdtProperty(fdt.root, 'preserved-memory-map');
  const propertyNode = child(root, 'preserved-memory-map') ?? root;
  if (property === null || property.value.length !== 8) {
    const text = property === null ? 'the root has no preserved-memory-map' : `preserved-memory-map has ${property.value.length} bytes, not 8`;
    if (!candidate.cutInCopy) observations.add('kho-property', propertyNode, text);
    return null;
  }
  const value = decodeValue(u64('preserved-memory-map'), property.value);
  const address = physicalAddress(value);
  if (value === 0n) {
    observations.add('map-none', propertyNode, 'preserved-memory-map is 0: nothing is preserved, or it has not been finalised', 'note');
    return null;
  }
  if (address === null || address % memory.pageSize !== 0 || (candidate.foundBy !== 'debugfs' && memory.stateOf(address) === 'out-of-range')) {
    // Once the next kernel has booted its map is free memory, which a dump may leave out.
    const nature = context.released && address !== null && address % memory.pageSize === 0 ? 'absent' : 'wrong';
    observations.add('map-pointer', propertyNode, `preserved-memory-map is ${hex(value)}, no page of this machine`, nature);
    return null;
  }
  if (contract === null) return null;
  const chunks = contract.map !== undefined && contract.map !== 'radix';
  if (chunks && context.released) {
    // Nothing in a bitmap says that it is one.
    observations.add(
      'map-reused',
      propertyNode,
      `the map at ${hex(address)} was freed when the next kernel booted, and what is there now cannot be told from it`,
      'reused',
    );
    return null;
  }
  const map = chunks
    ? readChunkMap(memory, address, node, observations, limits.mapNodes)
    : readRadixMap(memory, address, node, observations, limits.mapNodes, contract.id === 'kho-v2' ? 'kho-v2' : 'fixed');
  const first = node.children()[0];
  if (first !== undefined) propertyNode.pointsTo(first);
  return map;
}
