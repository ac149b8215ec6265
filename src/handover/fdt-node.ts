/** A devicetree as nodes of the decoded tree: properties decoded by the contract where it names them, raw where it does not. */
import type { FdtNodeLayout } from '../../abi/contract.js';
import type { FieldType } from '../../abi/layout.js';
import { fdtHeader } from '../../abi/fdt/header.js';
import type { Fdt, FdtNode, FdtProperty } from '../codec/fdt.js';
import { typeSize } from '../codec/layout-table.js';
import { escapeForWhy, hexBytes } from '../tree/words.js';
import { Node } from '../tree/node.js';
import { structFromBytes, valueNode } from '../tree/reading.js';
import { pathPart, uniquePart } from '../tree/tree.js';

/** The whole blob below `parent`: header, then nodes. `address`: physical, of its first byte, or null. */
export function addFdt(parent: Node, fdt: Fdt, address: number | null, layout: FdtNodeLayout | null, pageSize: number): Node {
  const headerReading = structFromBytes(fdtHeader, fdt.bytes, address, pageSize, { path: `${parent.path}/fdt_header`, name: 'fdt_header' });
  parent.add(headerReading.node);
  const root =
    fdt.root === null ? parent.group('/', { type: 'fdt node' }) : parent.add(fdtTreeNode(fdt.root, `${parent.path}/fdt`, '/', address, layout, pageSize));
  const { header } = fdt;
  const block = (name: string, offset: number, length: number, description: string): void => {
    if (offset > fdt.bytes.length || length <= 0) return;
    parent.add(
      new Node(`${parent.path}/${pathPart(name)}`, name, {
        type: 'fdt block',
        address: address === null ? null : address + offset,
        bitOffset: offset * 8,
        bits: length * 8,
        description,
      }),
    );
  };
  block(
    'reservations',
    header.off_mem_rsvmap,
    Math.min(header.off_dt_struct, fdt.bytes.length) - header.off_mem_rsvmap,
    'memory reservation block; KHO leaves it empty',
  );
  block('strings', header.off_dt_strings, Math.min(header.size_dt_strings, fdt.bytes.length - header.off_dt_strings), 'names of the properties');
  return root;
}

function fdtTreeNode(node: FdtNode, path: string, name: string, base: number | null, layout: FdtNodeLayout | null, pageSize: number): Node {
  const made = new Node(path, name, {
    type: 'fdt node',
    address: base === null ? null : base + node.offset,
    bitOffset: node.offset * 8,
    bits: (node.end - node.offset) * 8,
    description: layout?.meaning ?? '',
  });
  for (const property of node.properties) made.add(propertyNode(property, path, base, layout?.properties[property.name]?.type ?? null, pageSize));
  const names = new Map<string, number>();
  for (const child of node.children) {
    const childLayout =
      layout?.children.find((candidate) => candidate.name === child.name) ?? layout?.children.find((candidate) => candidate.name === '*') ?? null;
    made.add(fdtTreeNode(child, `${path}/${uniquePart(names, child.name)}`, child.name, base, childLayout, pageSize));
  }
  return made;
}

function propertyNode(property: FdtProperty, path: string, base: number | null, type: FieldType | null, pageSize: number): Node {
  const at = base === null ? null : base + property.offset;
  const own = `${path}/${pathPart(property.name)}`;
  if (type !== null && type.kind !== 'cstring' && property.value.length === typeSize(type, pageSize)) {
    return valueNode(own, property.name, type, property.value, at, property.offset * 8, pageSize);
  }
  const text = type?.kind === 'cstring' || type === null ? printable(property.value) : null;
  const node = new Node(own, property.name, {
    type: text === null ? `${property.value.length} bytes` : 'string',
    address: at,
    bitOffset: property.offset * 8,
    bits: property.value.length * 8,
    value: text ?? hexBytes(property.value.subarray(0, 64)),
    description: type?.meaning ?? '',
    fieldType: type,
  });
  if (type !== null && type.kind !== 'cstring') node.mark('invalid', `${property.value.length} bytes, ${typeSize(type, pageSize)} expected`);
  else if (type?.kind === 'cstring' && text === null) node.mark('invalid', `no NUL-terminated text: ${escapeForWhy(property.value)}`);
  return node;
}

/** NUL-terminated printable text, or null. */
function printable(value: Uint8Array): string | null {
  if (value.length === 0 || value[value.length - 1] !== 0) return null;
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(value.subarray(0, -1));
  return /^[\x20-\x7e]*(\0[\x20-\x7e]+)*$/.test(text) ? text.replaceAll('\0', ';') : null;
}
