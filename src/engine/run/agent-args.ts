/** What a scenario's step says of itself in the trace, and the argument buffers that its ioctls pass to the kernel. */
import type { Struct } from '../../../abi/layout.js';
import { liveupdateIoctlCreateSession } from '../../../abi/uapi/liveupdate.js';
import { encodeStruct, type Encodable } from '../../codec/encode.js';
import { layoutTable, sizeOf } from '../../codec/layout-table.js';
import type { UserBuffer } from '../luo/ioctl.js';
import type { IoctlShape, ScenarioStep } from '../scenario/types.js';
import type { ArgValue, StepArgs } from '../trace/step.js';

/** Keys that say nothing about what is done. */
const SILENT = new Set(['do', 'index', 'position', 'expect', 'shape', 'fill', 'writes', 'bytes']);
/** An argument is mapped no further: no program has gigabytes of zeros there. */
const MOST_USER_BYTES = 1 << 20;
const SIZE_FIELD = 'size';

/** The step's own words as arguments of the agent's step. */
export function argsOf(step: ScenarioStep): StepArgs {
  const args: Record<string, ArgValue> = {};
  for (const [key, value] of Object.entries(step)) {
    if (SILENT.has(key) || value === null) continue;
    const shown = shownValue(value);
    if (shown !== null) args[key] = shown;
  }
  return args;
}

function shownValue(value: unknown): ArgValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return value;
  if (value instanceof Uint8Array) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(value);
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value.join(',') : null;
}

/** The argument of an ioctl as user space lays it out. @returns null for a NULL pointer */
export function userBuffer(struct: Struct, values: Readonly<Record<string, Encodable>>, shape: IoctlShape): UserBuffer | null {
  if (shape.memory === 'null') return null;
  const own = sizeOf(struct);
  const size = shape.size ?? own;
  const bytes = new Uint8Array(Math.max(own, Math.min(size, MOST_USER_BYTES)));
  bytes.set(encodeStruct(struct, { ...values, [SIZE_FIELD]: size }));
  const { tail } = shape;
  if (tail !== null && tail.length > 0) for (let at = own; at < Math.min(size, bytes.length); at++) bytes[at] = tail[(at - own) % tail.length] ?? 0;
  const mapped = shape.memory === 'unmapped' ? 0 : (shape.mapped ?? MOST_USER_BYTES);
  return { bytes, size, mapped, writable: shape.memory !== 'read-only' };
}

/** The bytes of a name field: as much of the name as fits, padded with NULs. */
export function nameField(name: Uint8Array): Uint8Array {
  const field = new Uint8Array(layoutTable(liveupdateIoctlCreateSession).field('name').size);
  field.set(name.subarray(0, field.length));
  return field;
}
