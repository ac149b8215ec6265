/** The kernel's own test of KHO (CONFIG_TEST_KEXEC_HANDOVER): folios listed inline (up to 6.17) or in a vmalloc area. Source: lib/test_kho.c, 6.17 to 7.3. */
import { khoVmalloc } from '../../abi/kho/vmalloc.js';
import { khoTestV1A } from '../../abi/kho-test/v1-a.js';
import { khoTestV1B } from '../../abi/kho-test/v1-b.js';
import { u32 } from '../../abi/layout.js';
import { decodeStruct, decodeValue } from '../codec/decode.js';
import { fdtProperty } from '../codec/fdt.js';
import { sizeOf } from '../codec/layout-table.js';
import type { Context } from './context.js';
import { type Blob, child } from './luo-root.js';
import { Node } from './node.js';
import { readOtherFdt } from './small-subtrees.js';
import { readVmalloc } from './vmalloc.js';

/** Adds the test's tree; the format is told by the length of folios_info. */
export function readKhoTest(context: Context, blob: Blob, parent: Node): void {
  const fdt = readOtherFdt(context, blob, parent, 'kho_test', khoTestV1B.fdt);
  const data = fdt?.root?.children.find((node) => node.name === 'data');
  const info = data === undefined ? null : fdtProperty(data, 'folios_info');
  const count = data === undefined ? null : fdtProperty(data, 'nr_folios');
  const node = child(parent, 'kho_test');
  if (node === null || info === null || count?.value.length !== 4) return;
  const folios = decodeValue(u32('nr_folios'), count.value);
  if (info.value.length !== sizeOf(khoVmalloc)) {
    node.meaning = `${folios} folios, listed inline (${khoTestV1A.id})`;
    return;
  }
  node.meaning = `${folios} folios (${khoTestV1B.id})`;
  const area = new Node(`${node.path}/folios_info`, 'folios_info', {
    type: `struct ${khoVmalloc.name}`,
    address: blob.address === null ? null : blob.address + info.offset,
    bits: sizeOf(khoVmalloc) * 8,
    description: khoVmalloc.meaning,
    layout: { struct: khoVmalloc, field: null },
  });
  node.add(area);
  readVmalloc(context, decodeStruct(khoVmalloc, info.value), area);
}
