/**
 * LUO's root in memory, in the form the release speaks: struct luo_ser (7.2 on) or an FDT (up to 7.1). Writing it at boot, and
 * reading the one that was handed over. Source: abi/luo; kernel/liveupdate/luo_core.c.
 */
import type { Struct } from '../../../abi/layout.js';
import { integerOf, textOf } from '../../codec/leaf.js';
import type { KernelSpec } from '../kernel/release.js';
import type { FdtNodeLayout } from '../../../abi/contract.js';
import { luoFlbNode, luoFlbV1 } from '../../../abi/luo/flb-v1.js';
import { luoSessionNode, luoSessionV2 } from '../../../abi/luo/session-v2.js';
import { luoV1 } from '../../../abi/luo/v1.js';
import { luoSer } from '../../../abi/luo/v5.js';
import type { EncodableStruct } from '../../codec/encode.js';
import { type FdtNode, type FdtNodeSource, buildFdt, fdtInteger, fdtProperties, fdtProperty, fdtStrings } from '../../codec/fdt.js';
import { sizeOf } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import { type Subtree, readFdt } from '../kho/incoming.js';
import type { Machine, Steps } from '../machine.js';
import { errorText } from './file-set.js';
import { luoFeatureHeader } from '../../../abi/feature-words/v1.js';

export const LUO_SUBTREE = 'LUO';

/** What the incoming root says. */
interface IncomingRoot {
  readonly number: bigint;
  /** physical: session blocks or area; 0 for none */
  readonly sessions: number;
  /** physical: FLB page; 0 for none */
  readonly flbs: number;
}

/** Writes struct luo_ser, as `spec` has it. */
export function writeStructRoot(machine: Machine, spec: KernelSpec, address: number, number: bigint, flbs: number): void {
  const struct = structRoot(spec);
  const version = 'compatible' in struct.fields ? { compatible: spec.luoCompatible } : featureWords(struct);
  machine.writeStruct(struct, address, { ...version, liveupdate_num: number, flbs_pa: flbs });
}

/** struct luo_ser of a kernel. */
export const structRoot = (spec: KernelSpec): Struct => spec.luoSer ?? luoSer;

/** Stores where the sessions are; 0 before the reboot call has succeeded. */
export function storeSessions(machine: Machine, spec: KernelSpec, root: number, head: number): void {
  machine.writeField(structRoot(spec), root, 'sessions_pa', head);
}

/** The bytes of the LUO FDT. @param flbs null: a release without FLBs, and so without their node */
export function fdtRoot(machine: Machine, number: bigint, sessions: number, flbs: number | null): Uint8Array {
  const options = { pageSize: machine.pageSize };
  const child = (layout: FdtNodeLayout, compatible: string, pointer: string, address: number): FdtNodeSource => ({
    name: layout.name,
    properties: fdtProperties(layout, { compatible, [pointer]: address }, options),
    children: [],
  });
  return buildFdt({
    name: '',
    properties: fdtProperties(luoV1.fdt, { compatible: luoV1.compatible, 'liveupdate-number': number }, options),
    children: [
      child(luoSessionNode, luoSessionV2.compatible, 'luo-session-header', sessions),
      ...(flbs === null ? [] : [child(luoFlbNode, luoFlbV1.compatible, 'luo-flb-header', flbs)]),
    ],
  });
}

/** Reads struct luo_ser as luo_early_startup does. @returns it, or a negative errno after which the kernel panics */
export function* readStructRoot(machine: Machine, spec: KernelSpec, blob: Subtree): Steps<IncomingRoot | number> {
  const struct = structRoot(spec);
  if (blob.size < sizeOf(struct)) {
    yield machine.printk(`luo: LUO state is too small (${blob.size} < ${sizeOf(struct)})`, 'next-kernel');
    return negative('EINVAL');
  }
  const ser = machine.readStruct(struct, blob.address);
  const number = (name: string): bigint => integerOf(struct, ser, name, machine.pageSize) ?? 0n;
  const unknown = unknownFeatures(struct, ser);
  if (unknown !== 0n) {
    yield machine.printk(`luo: LUO state requires features 0x${unknown.toString(16)} that are not known`, 'next-kernel');
    return negative('EINVAL');
  }
  if ('compatible' in struct.fields && textOf(struct, ser, 'compatible', machine.pageSize)?.text !== spec.luoCompatible) {
    yield machine.printk(`luo: LUO state is incompatible with '${spec.luoCompatible}'`, 'next-kernel');
    return negative('EINVAL');
  }
  return { number: number('liveupdate_num'), sessions: Number(number('sessions_pa')), flbs: Number(number('flbs_pa')) };
}

const FDT_ERR_NOTFOUND = -1;

/** Reads the LUO FDT as luo_early_startup does. @param hasFlbs this release looks for their node @param announce prints the live update number as soon as it is known. */
export function* readFdtRoot(machine: Machine, blob: Subtree, hasFlbs: boolean, announce: (number: bigint) => Steps<void>): Steps<IncomingRoot | number> {
  const { root } = readFdt(machine, blob.address);
  const mismatch = root === null ? -9 : incompatible(root, luoV1.compatible);
  if (root === null || mismatch !== 0) {
    yield machine.printk(`luo: FDT '${LUO_SUBTREE}' is incompatible with '${luoV1.compatible}' [${mismatch}]`, 'next-kernel');
    return negative('EINVAL');
  }
  const number = fdtInteger(root, luoV1.fdt, 'liveupdate-number');
  if (number === null) {
    yield machine.printk("luo: Unable to get live update number 'liveupdate-number' [0]", 'next-kernel');
    return negative('EINVAL');
  }
  yield* announce(number);
  const sessions = yield* pointerOf(machine, root, luoSessionNode, luoSessionV2.compatible, 'luo-session-header', 'session');
  if (typeof sessions === 'number' && sessions < 0) return sessions;
  const flbs = hasFlbs ? yield* pointerOf(machine, root, luoFlbNode, luoFlbV1.compatible, 'luo-flb-header', 'FLB') : 0;
  if (flbs < 0) return flbs;
  return { number, sessions, flbs };
}

function* pointerOf(machine: Machine, root: FdtNode, layout: FdtNodeLayout, compatible: string, property: string, what: string): Steps<number> {
  const node = root.children.find((child) => child.name === layout.name);
  if (node === undefined) {
    yield machine.printk(`luo: Unable to get ${what} node: [${layout.name}]`, 'next-kernel');
    return negative(what === 'FLB' ? 'ENOENT' : 'EINVAL');
  }
  const mismatch = incompatible(node, compatible);
  if (mismatch !== 0) {
    yield machine.printk(`luo: ${what} node is incompatible [${layout.name}]`, 'next-kernel');
    return negative('EINVAL');
  }
  const pointer = fdtInteger(node, layout, property);
  if (pointer === null) {
    yield machine.printk(`luo: Unable to get ${what} header '${property}' ${errorText(negative('EINVAL'))}`, 'next-kernel');
    return negative('EINVAL');
  }
  return Number(pointer);
}

const incompatible = (node: FdtNode, compatible: string): number => {
  const strings = fdtStrings(fdtProperty(node, 'compatible'));
  return strings.includes(compatible) ? 0 : strings.length === 0 ? FDT_ERR_NOTFOUND : 1;
};

/** Every feature that a structure's header names; null where it starts with no feature words. */
function featuresOf(struct: Struct): bigint | null {
  const { features } = struct.fields;
  if (features?.kind !== 'nested' || features.struct.name !== luoFeatureHeader) return null;
  const { supp } = features.struct.fields;
  const names = supp?.kind === 'int' ? Object.keys(supp.flagNames ?? {}) : [];
  return names.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);
}

/** The header of a structure as a kernel that knows all of them writes it; nothing where it has none. */
export function featureWords(struct: Struct): EncodableStruct<Struct> {
  const all = featuresOf(struct);
  return all === null ? {} : { features: { supp: all, req: all, active: all } };
}

/** Features that the writer requires and this kernel does not know; 0 where there are no feature words. */
export function unknownFeatures(struct: Struct, values: Readonly<Record<string, unknown>>): bigint {
  const known = featuresOf(struct);
  return known === null ? 0n : (integerOf(struct, values, 'features.req') ?? 0n) & ~known;
}
