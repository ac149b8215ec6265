/** kvm_vm_luo_v1 of linux-mm, which adds the VM's memory attributes. Source: a copy in linux-mm, 2026. */
import { contract } from '../contract.js';
import { khoVmalloc } from '../kho/vmalloc.js';
import { nested, struct, u64 } from '../layout.js';
import { kvmVmType } from './v1.js';

const source = 'include/linux/kho/abi/kvm.h, a copy in linux-mm, 2026';

const kvmMemAttrSer = struct({
  name: 'kvm_mem_attr_ser',
  meaning: 'Attributes of one guest page',
  source,
  btfName: null,
  fields: { gfn: u64('guest page frame', { role: 'opaque' }), attributes: u64('KVM_MEMORY_ATTRIBUTE_*', { role: 'flags', flagNames: { 3: 'PRIVATE' } }) },
});

const kvmLuoSerAttributes = struct({
  name: 'kvm_luo_ser',
  meaning: 'A preserved VM and its memory attributes',
  source,
  btfName: null,
  fields: {
    type: kvmVmType,
    nr_mem_attrs: u64('entries of the list', { role: 'count' }),
    mem_attrs: nested(khoVmalloc, 'area of kvm_mem_attr_ser[nr_mem_attrs]', { of: kvmMemAttrSer, count: 'nr_mem_attrs' }),
  },
});

export const kvmVmV1Attributes = contract({
  layer: 'kvm-vm',
  id: 'kvm_vm_luo_v1-attributes',
  compatible: 'kvm_vm_luo_v1',
  format: 'struct',
  structs: [kvmLuoSerAttributes, kvmMemAttrSer],
  status: 'rfc',
  date: '2026',
  source,
  discriminates: 'Bytes 8-15 are a count, 0 for no list, and bytes 16-31 describe a vmalloc area.',
  notes: ['No release speaks it.'],
});
