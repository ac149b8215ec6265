/** The faults a scenario injects: `at` says where, further keys say how. One table a kind of point, like the verbs. */
import type { Cursor } from './cursor.js';
import { type Key, type KeyTable, optional, readKeys, required, type ValuesOf, withDefault } from './keys.js';
import { type Fault, HANDLER_CALLBACKS, type HandlerCallback } from './types.js';
import { bool, bytes, errno, label, number, oneOf, text, u64 } from './values.js';

const atKey = required(text, 'the point');
const nthKey = withDefault(number(1, 1_000_000_000), 'the nth time the point is reached in the whole run', 1, '1');
const errnoKey = required(errno, 'what the call answers');

interface FaultSpec {
  /** how `at` is written; `<…>` stands for a name */
  readonly at: string;
  readonly summary: string;
  readonly keys: KeyTable;
  /** does this table read a fault at this point? */
  matches(at: string): boolean;
  build(cursor: Cursor, at: string): Fault;
}

function fault<const K extends KeyTable>(
  at: string,
  summary: string,
  keys: K,
  make: (values: ValuesOf<K>, base: { at: string; nth: number; position: Fault['position'] }, cursor: Cursor) => Fault,
  matches: (point: string) => boolean = (point) => point === at,
): FaultSpec {
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

const isCallback = (word: string): word is HandlerCallback => HANDLER_CALLBACKS.some((callback) => callback === word);

/** `memfd.freeze` split at its last dot: a compatible string may itself hold dots. */
function callbackPoint(at: string): { handler: string; callback: HandlerCallback } | null {
  const dot = at.lastIndexOf('.');
  const callback = at.slice(dot + 1).replaceAll('-', '_');
  return dot > 0 && isCallback(callback) ? { handler: at.slice(0, dot), callback } : null;
}

const deviceKey: Key<string | null> = optional(label, 'on this device alone');

export const FAULTS: readonly FaultSpec[] = [
  fault(
    'flb.preserve',
    "an FLB's callback fails: `flb.preserve` or `flb.retrieve`",
    { flb: optional(text, 'of this FLB alone'), errno: errnoKey },
    (values, base) => ({ kind: 'flb', ...base, ...values, callback: base.at === 'flb.retrieve' ? 'retrieve' : 'preserve' }),
    (at) => at === 'flb.preserve' || at === 'flb.retrieve',
  ),
  fault('alloc', 'the nth allocation of a kernel fails', { errno: withDefault(errno, 'what it answers', 'ENOMEM', 'ENOMEM') }, (values, base) => ({
    kind: 'alloc',
    ...base,
    ...values,
  })),
  fault('kho.preserve', 'the nth kho_preserve fails', { errno: withDefault(errno, 'what it answers', 'ENOMEM', 'ENOMEM') }, (values, base) => ({
    kind: 'kho.preserve',
    ...base,
    ...values,
  })),
  fault('kho.restore', 'the nth kho_restore fails', { errno: withDefault(errno, 'what it answers', 'EIO', 'EIO') }, (values, base) => ({
    kind: 'kho.restore',
    ...base,
    ...values,
  })),
  fault('kho.forget', 'the nth kho_preserve says 0 and preserves nothing', {}, (_values, base) => ({ kind: 'kho.forget', ...base })),
  fault(
    'lock.device',
    'somebody else holds a lock: `lock.device` or `lock.bridge`, which vfio-pci only tries to take, or `lock.dev_set`, for which it waits for ever',
    { device: required(label, 'the device') },
    (values, base) => ({ kind: 'lock', ...base, ...values, lock: base.at === 'lock.bridge' ? 'bridge' : base.at === 'lock.dev_set' ? 'dev_set' : 'device' }),
    (at) => at === 'lock.device' || at === 'lock.bridge' || at === 'lock.dev_set',
  ),
  fault(
    'pci.reset',
    'the nth function reset fails',
    { device: deviceKey, errno: withDefault(errno, 'what it answers', 'ENOTTY', 'ENOTTY') },
    (values, base) => ({
      kind: 'pci.reset',
      ...base,
      ...values,
    }),
  ),
  fault(
    'pci.load-saved-state',
    'the nth pci_load_saved_state fails',
    { device: deviceKey, errno: withDefault(errno, 'what it answers', 'EINVAL', 'EINVAL') },
    (values, base) => ({ kind: 'pci.load-saved-state', ...base, ...values }),
  ),
  fault(
    'pci.bridge-reset',
    'the bridge above a device comes up without bus numbers, as if it was reset during the kexec; kernels with the PCI core’s own preservation alone look',
    { device: deviceKey, errno: withDefault(errno, 'not shown', 'EIO', 'EIO') },
    (values, base) => ({ kind: 'pci.bridge-reset', ...base, ...values }),
  ),
  fault(
    'kexec.jump',
    'the nth kexec is given up after its devices were shut down',
    { errno: withDefault(errno, 'what it answers', 'EBUSY', 'EBUSY') },
    (values, base) => ({
      kind: 'kexec.jump',
      ...base,
      ...values,
    }),
  ),
  fault(
    'flip',
    'memory changes that no kernel made: a field of the nth structure of a name, or bytes at an address',
    {
      moment: withDefault(oneOf(['frozen', 'early']), 'when: before or after the jump', 'frozen', 'frozen'),
      jump: withDefault(number(1, 1000), 'which jump', 1, '1'),
      step: optional(number(1, 1_000_000_000), 'after this step of the run, in place of `moment` and `jump`'),
      struct: optional(text, "the structure, by the kernel's name"),
      field: optional(text, 'its field'),
      address: optional(number(0, 2 ** 52), 'a physical address, in place of `struct` and `field`'),
      bit: optional(number(0, 2 ** 20), 'the bit to invert, from the lowest of the first byte'),
      value: optional(u64, 'the number to store, in host order'),
      data: optional(bytes, 'the bytes to store'),
    },
    (values, base, cursor) => ({
      kind: 'flip',
      ...base,
      moment: values.moment,
      jump: values.jump,
      step: values.step,
      where: flipWhere(values, cursor),
      change: flipChange(values, cursor),
    }),
  ),
  fault(
    'kernel',
    'the nth next kernel is another than the scenario lists',
    { release: optional(text, 'what it speaks'), kho: optional(bool, 'kho='), liveupdate: optional(bool, 'liveupdate=') },
    (values, base) => ({ kind: 'kernel', ...base, ...values }),
  ),
  fault(
    '<handler>.<callback>',
    `a file handler's callback fails: handler \`memfd\`, \`vfio-pci\` or a compatible string; callback ${HANDLER_CALLBACKS.map((name) => `\`${name}\``).join(', ')}`,
    { errno: optional(errno, 'what it answers; can_preserve and can_finish answer no') },
    (values, base, cursor) => {
      const point = callbackPoint(base.at);
      if (point === null) throw cursor.error(`${JSON.stringify(base.at)} is no point of a run`);
      const answersNo = point.callback === 'can_preserve' || point.callback === 'can_finish';
      if (values.errno === null && !answersNo) throw cursor.error(`a fault at ${base.at} needs an errno; write errno: EINVAL`);
      return { kind: 'callback', ...base, ...point, errno: values.errno ?? 'EBUSY' };
    },
    (at) => callbackPoint(at) !== null,
  ),
];

type FlipValues = {
  readonly struct: string | null;
  readonly field: string | null;
  readonly address: number | null;
  readonly bit: number | null;
  readonly value: bigint | null;
  readonly data: Uint8Array | null;
};

function flipWhere(values: FlipValues, cursor: Cursor) {
  if (values.address !== null && values.struct === null && values.field === null) return { address: values.address };
  if (values.address === null && values.struct !== null && values.field !== null) return { struct: values.struct, field: values.field };
  throw cursor.error('a flip needs struct and field, or an address; write struct: luo_ser, field: compatible');
}

function flipChange(values: FlipValues, cursor: Cursor) {
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
