/** The faults a scenario injects: `at` says where, further keys say how. One table a kind of point, like the verbs. */
import type { ErrnoName } from '../../../abi/errno.js';
import type { Cursor } from './cursor.js';
import { type KeyTable, optional, readKeys, required, type ValuesOf, withDefault } from './keys.js';
import { HANDLER_CALLBACKS, type HandlerCallback, type SourcePosition } from './terms.js';
import { bool, bytes, errno, label, number, oneOf, text, u64 } from './values.js';

const atKey = required(text, 'the point');
const nthKey = withDefault(number(1, 1_000_000_000), 'the nth time the point is reached in the whole run', 1, '1');
const errnoKey = required(errno, 'what the call answers');

/** What every fault has. */
interface FaultBase {
  /** `at` as written */
  readonly at: string;
  /** the nth time this point is reached in the whole run, counted from 1 */
  readonly nth: number;
  readonly position: SourcePosition;
}

interface FaultSpec<F extends FaultBase> {
  /** how `at` is written; `<…>` stands for a name */
  readonly at: string;
  readonly summary: string;
  readonly keys: KeyTable;
  /** does this table read a fault at this point? */
  matches(at: string): boolean;
  build(cursor: Cursor, at: string): F;
}

function fault<const K extends KeyTable, F extends FaultBase>(
  at: string,
  summary: string,
  keys: K,
  make: (values: ValuesOf<K>, base: FaultBase, cursor: Cursor) => F,
  matches: (point: string) => boolean = (point) => point === at,
): FaultSpec<F> {
  const common = { at: atKey, nth: nthKey };
  return {
    at,
    summary,
    keys,
    matches,
    build(cursor, point) {
      const what = `a fault at ${point}`;
      const { nth } = readKeys(cursor, common, what, keys);
      return make(readKeys(cursor, keys, what, common), { at: point, nth, position: cursor.position }, cursor);
    },
  };
}

/** A fault that says what its keys do. */
const plain = <const A extends string, const K extends KeyTable>(at: A, summary: string, keys: K) =>
  fault(at, summary, keys, (values, base) => ({ kind: at, ...base, ...values }));

/** @param usual what the call answers unless the fault says otherwise */
const failing = <const A extends string>(at: A, summary: string, usual: ErrnoName) =>
  plain(at, summary, { errno: withDefault(errno, 'what it answers', usual, usual) });

const isCallback = (word: string): word is HandlerCallback => HANDLER_CALLBACKS.some((callback) => callback === word);

/** `memfd.freeze` split at its last dot: a compatible string may itself hold dots. */
function callbackPoint(at: string): { handler: string; callback: HandlerCallback } | null {
  const dot = at.lastIndexOf('.');
  const callback = at.slice(dot + 1).replaceAll('-', '_');
  return dot > 0 && isCallback(callback) ? { handler: at.slice(0, dot), callback } : null;
}

const deviceKey = optional(label, 'on this device alone');

const flipKeys = {
  moment: withDefault(oneOf(['frozen', 'early']), 'when: before or after the jump', 'frozen', 'frozen'),
  jump: withDefault(number(1, 1000), 'which jump', 1, '1'),
  step: optional(number(1, 1_000_000_000), 'after this step of the run, in place of `moment` and `jump`'),
  struct: optional(text, "the structure, by the kernel's name"),
  field: optional(text, 'its field'),
  address: optional(number(0, 2 ** 52), 'a physical address, in place of `struct` and `field`'),
  bit: optional(number(0, 2 ** 20), 'the bit to invert, from the lowest of the first byte'),
  value: optional(u64, 'the number to store, in host order'),
  data: optional(bytes, 'the bytes to store'),
};

/** Locks by the point that names them. */
const LOCKS: Readonly<Record<string, 'device' | 'bridge' | 'dev_set'>> = { 'lock.device': 'device', 'lock.bridge': 'bridge', 'lock.dev_set': 'dev_set' };

export const FAULTS = [
  fault(
    'flb.preserve',
    "an FLB's callback fails: `flb.preserve` or `flb.retrieve`",
    { flb: optional(text, 'of this FLB alone'), errno: errnoKey },
    (values, base) => ({ kind: 'flb' as const, ...base, ...values, callback: base.at === 'flb.retrieve' ? ('retrieve' as const) : ('preserve' as const) }),
    (at) => at === 'flb.preserve' || at === 'flb.retrieve',
  ),
  failing('alloc', 'the nth allocation of a kernel fails', 'ENOMEM'),
  failing('kho.preserve', 'the nth kho_preserve fails', 'ENOMEM'),
  failing('kho.restore', 'the nth kho_restore fails', 'EIO'),
  plain('kho.forget', 'the nth kho_preserve says 0 and preserves nothing', {}),
  fault(
    'lock.device',
    'somebody else holds a lock: `lock.device` or `lock.bridge`, which vfio-pci only tries to take, or `lock.dev_set`, for which it waits for ever',
    { device: required(label, 'the device') },
    (values, base) => ({ kind: 'lock' as const, ...base, ...values, lock: LOCKS[base.at] ?? 'device' }),
    (at) => Object.hasOwn(LOCKS, at),
  ),
  plain('pci.reset', 'the nth function reset fails', { device: deviceKey, errno: withDefault(errno, 'what it answers', 'ENOTTY', 'ENOTTY') }),
  plain('pci.load-saved-state', 'the nth pci_load_saved_state fails', {
    device: deviceKey,
    errno: withDefault(errno, 'what it answers', 'EINVAL', 'EINVAL'),
  }),
  plain(
    'pci.bridge-reset',
    'the bridge above a device comes up without bus numbers, as if it was reset during the kexec; kernels with the PCI core’s own preservation alone look',
    { device: deviceKey, errno: withDefault(errno, 'not shown', 'EIO', 'EIO') },
  ),
  failing('kexec.jump', 'the nth kexec is given up after its devices were shut down', 'EBUSY'),
  fault(
    'flip',
    'memory changes that no kernel made: a field of the nth structure of a name, or bytes at an address',
    flipKeys,
    ({ moment, jump, step, ...values }, base, cursor) => ({
      kind: 'flip' as const,
      ...base,
      ...{ moment, jump, step },
      where: flipWhere(values, cursor),
      change: flipChange(values, cursor),
    }),
  ),
  plain('kernel', 'the nth next kernel is another than the scenario lists', {
    release: optional(text, 'what it speaks'),
    kho: optional(bool, 'kho='),
    liveupdate: optional(bool, 'liveupdate='),
  }),
  fault(
    '<handler>.<callback>',
    `a file handler's callback fails: handler \`memfd\`, \`vfio-pci\` or a compatible string; callback ${HANDLER_CALLBACKS.map((name) => `\`${name}\``).join(', ')}`,
    { errno: optional(errno, 'what it answers; can_preserve and can_finish answer no') },
    (values, base, cursor) => {
      const point = callbackPoint(base.at);
      if (point === null) throw cursor.error(`${JSON.stringify(base.at)} is no point of a run`);
      const answersNo = point.callback === 'can_preserve' || point.callback === 'can_finish';
      if (values.errno === null && !answersNo) throw cursor.error(`a fault at ${base.at} needs an errno; write errno: EINVAL`);
      return { kind: 'callback' as const, ...base, ...point, errno: values.errno ?? 'EBUSY' };
    },
    (at) => callbackPoint(at) !== null,
  ),
] as const;

/** A fault that a scenario injects: what one of the tables reads. */
export type Fault = ReturnType<(typeof FAULTS)[number]['build']>;
export type FlipFault = Extract<Fault, { readonly kind: 'flip' }>;
export type PciFault = Extract<Fault, { readonly kind: `pci.${string}` }>;

type FlipValues = Pick<ValuesOf<typeof flipKeys>, 'struct' | 'field' | 'address' | 'bit' | 'value' | 'data'>;

/** The field of the nth structure of that name which the engine wrote (in the order of writing), or the bytes at a physical address. */
type FlipPlace = { readonly struct: string; readonly field: string } | { readonly address: number };
/** One bit inverted (counted from the first byte's lowest), a number stored in host order, or bytes stored. */
type FlipChange = { readonly bit: number } | { readonly value: bigint } | { readonly bytes: Uint8Array };

function flipWhere(values: FlipValues, cursor: Cursor): FlipPlace {
  if (values.address !== null && values.struct === null && values.field === null) return { address: values.address };
  if (values.address === null && values.struct !== null && values.field !== null) return { struct: values.struct, field: values.field };
  throw cursor.error('a flip needs struct and field, or an address; write struct: luo_ser, field: compatible');
}

function flipChange(values: FlipValues, cursor: Cursor): FlipChange {
  const given = [values.bit, values.value, values.data].filter((one) => one !== null).length;
  if (given !== 1) throw cursor.error('a flip needs exactly one of bit, value and data; write bit: 0');
  if (values.bit !== null) return { bit: values.bit };
  if (values.value !== null) return { value: values.value };
  return { bytes: values.data ?? new Uint8Array(0) };
}

/** Reads one entry of `faults`. */
export function readFault(cursor: Cursor): Fault {
  const at = cursor.entries()?.get('at')?.value.text;
  if (at === undefined || at === null) throw cursor.error('a fault needs the key "at" (the point); write at: memfd.freeze');
  const spec = FAULTS.find((one) => one.matches(at));
  if (spec === undefined) throw cursor.error(`${JSON.stringify(at)} is no point of a run; points are ${FAULTS.map((one) => one.at).join(', ')}`);
  return spec.build(cursor, at);
}
