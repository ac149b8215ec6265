/**
 * A snapshot as a tree: the payload that exit_reason names, the data, ring and registers after it, kvm_run's own fields. Addresses are
 * offsets into the snapshot: it has no others.
 */
import type { Struct } from '../../abi/layout.js';
import { kvmCoalescedMmio, kvmCoalescedMmioRing, kvmRun, kvmRunParts } from '../../abi/kvm/run.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { Node } from '../tree/node.js';
import { fieldNodes } from '../tree/reading.js';
import { type TreeNode, walk } from '../tree/tree.js';
import { counted, hex, hexBytes } from '../tree/words.js';
import { exitTitle } from './explain.js';
import type { KvmSnapshot } from './snapshot-model.js';
import type { PartialValues } from './areas.js';

export function kvmTree(snapshot: KvmSnapshot): TreeNode {
  const { arch, bytes, header, payload, syncRegs, findings } = snapshot;
  const root = new Node('kvm_run', 'kvm_run', { type: 'struct kvm_run', address: 0, bits: bytes.length * 8, meaning: exitTitle(snapshot) });
  if (payload !== null) addPayload(root, snapshot, payload);
  addAreas(root, snapshot);
  const regs = kvmRunParts[arch].syncRegs;
  if (syncRegs !== null && regs !== null) {
    const at = offsetOf(kvmRun[arch], 's');
    const below = placed(root, 's', at, sizeOf(regs), 'synchronised registers');
    addFields(placed(below, 'regs', at, sizeOf(regs), regs.meaning, at), regs, syncRegs, at);
  }
  addFields(root, kvmRun[arch], header, 0);
  walk(root, (node) => {
    const odd = findings.find(({ path, severity }) => path === node.path && severity !== 'info');
    if (odd !== undefined && node instanceof Node) node.mark('suspicious', odd.message);
    return undefined;
  });
  return root;
}

/** A group at `offset` of the snapshot, below one that starts at `start`. */
const placed = (parent: Node, name: string, offset: number, size: number, description: string, start = 0): Node =>
  parent.group(name, { type: 'group', address: offset, bitOffset: (offset - start) * 8, bits: size * 8, description });

/** The fields that `values` has; those whose bytes the snapshot lacks say so. */
function addFields(parent: Node, struct: Struct, values: PartialValues, offset: number): void {
  for (const node of fieldNodes(struct, values, offset, parent.path)) {
    if (node.type !== 'gap' && !(node.name in values)) continue;
    if (values[node.name] === null) node.mark('missing-page', 'not in the snapshot');
    else if (/^(port|data_offset)$/.test(node.name) && (typeof node.value === 'number' || typeof node.value === 'bigint')) node.meaning = hex(node.value);
    parent.add(node);
  }
}

function addPayload(root: Node, { bytes }: KvmSnapshot, { struct, offset, values, variant, emulation }: NonNullable<KvmSnapshot['payload']>): void {
  const exit = placed(root, 'exit', offset, Math.min(sizeOf(struct), bytes.length - offset), struct.meaning);
  const own = Object.fromEntries(Object.entries(values).filter(([name]) => name !== variant?.choice.field));
  addFields(exit, struct, own, offset);
  const { ndata } = values;
  const data = exit.part('data');
  if (typeof ndata === 'number')
    for (const [index, word] of (data?.children() ?? []).entries()) if (word instanceof Node && index >= ndata) word.meaning = 'past ndata: does not hold';
  if (emulation !== null) {
    const form = placed(exit, 'emulation_failure', offset, sizeOf(emulation.struct), emulation.struct.meaning, offset);
    addFields(form, emulation.struct, emulation.values, offset);
    for (const name of emulation.hasInstruction ? [] : ['insn_size', 'insn_bytes']) {
      const node = form.part(name);
      if (node instanceof Node) node.meaning = 'does not hold: flags do not announce it';
    }
  }
  if (variant !== null) {
    const parent = variant.choice.anonymous ? exit : placed(exit, variant.choice.field, variant.offset, sizeOf(variant.struct), 'union', offset);
    const form = placed(parent, variant.name, variant.offset, sizeOf(variant.struct), variant.struct.meaning, parent === exit ? offset : variant.offset);
    addFields(form, variant.struct, variant.values, variant.offset);
  }
}

function addAreas(root: Node, { ioData, ring }: KvmSnapshot): void {
  if (ioData !== null) {
    const { offset, bytes: held } = ioData;
    const place = { address: offset, bitOffset: offset * 8, bits: held.length * 8 };
    root.group('data', { ...place, type: `u8[${held.length}]`, value: hexBytes(held), description: 'data of the port access' });
  }
  if (ring === null) return;
  const entriesAt = offsetOf(kvmCoalescedMmioRing, 'coalesced_mmio');
  const each = sizeOf(kvmCoalescedMmio);
  const below = placed(root, 'coalesced_mmio_ring', ring.offset, entriesAt + ring.capacity * each, 'coalesced writes that wait');
  below.meaning = `first ${ring.first}, last ${ring.last}, ${ring.pending === null ? 'invalid' : ring.pending.length === 0 ? 'empty' : `${ring.pending.length} waiting`}`;
  for (const [index, entry] of (ring.pending ?? []).entries()) {
    const slot = (ring.first + index) % ring.capacity;
    const at = ring.offset + entriesAt + slot * each;
    const node = placed(below, `[${slot}]`, at, each, 'a write', ring.offset);
    addFields(node, kvmCoalescedMmio, entry, at);
    node.meaning = `${hexBytes(entry.data.subarray(0, Math.min(entry.len, entry.data.length)))} to ${entry.pio === 1 ? 'port ' : ''}${hex(entry.phys_addr)}, ${counted(entry.len, 'byte')}`;
  }
}
