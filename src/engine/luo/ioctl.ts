/** How LUO takes an ioctl's argument from user space: which requests exist, what their sizes may be. Source: kernel/liveupdate/luo_core.c and luo_session.c, 7.1.13 to 7.3.4. */
import type { Struct } from '../../../abi/layout.js';
import {
  liveupdateIoctlCreateSession,
  liveupdateIoctlRetrieveSession,
  liveupdateIoctls,
  liveupdateSessionFinish,
  liveupdateSessionGetName,
  liveupdateSessionPreserveFd,
  liveupdateSessionRetrieveFd,
} from '../../../abi/uapi/liveupdate.js';
import { sizeOf } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import type { KernelSpec } from '../kernel/release.js';

/** User memory that the argument pointer leads to; null: NULL. Bytes beyond `bytes` up to `mapped` are zeros. */
export interface UserBuffer {
  readonly bytes: Uint8Array;
  /** what the structure's own `size` says */
  readonly size: number;
  /** bytes from the pointer on that are mapped */
  readonly mapped: number;
  /** the kernel can store its answer there */
  readonly writable: boolean;
}

/** Bytes of the `size` field, which is fetched first. */
const SIZE_BYTES = 4;

export interface IoctlOp {
  /** as steps and breakpoints name it */
  readonly name: string;
  readonly request: number;
  readonly struct: Struct;
  /** which sessions it works on; none: it is one of /dev/liveupdate */
  readonly sessions: 'incoming' | 'outgoing' | 'all' | 'device';
}

const TYPE_SHIFT = 8;
const op = (name: string, request: number, struct: Struct, sessions: IoctlOp['sessions']): IoctlOp => ({ name, request, struct, sessions });

/** By the verb of a scenario that makes it. */
export const luoIoctls = {
  'create-session': op('CREATE_SESSION', liveupdateIoctls.LIVEUPDATE_IOCTL_CREATE_SESSION, liveupdateIoctlCreateSession, 'device'),
  'retrieve-session': op('RETRIEVE_SESSION', liveupdateIoctls.LIVEUPDATE_IOCTL_RETRIEVE_SESSION, liveupdateIoctlRetrieveSession, 'device'),
  preserve: op('PRESERVE_FD', liveupdateIoctls.LIVEUPDATE_SESSION_PRESERVE_FD, liveupdateSessionPreserveFd, 'outgoing'),
  retrieve: op('RETRIEVE_FD', liveupdateIoctls.LIVEUPDATE_SESSION_RETRIEVE_FD, liveupdateSessionRetrieveFd, 'incoming'),
  finish: op('FINISH', liveupdateIoctls.LIVEUPDATE_SESSION_FINISH, liveupdateSessionFinish, 'incoming'),
  'get-name': op('GET_NAME', liveupdateIoctls.LIVEUPDATE_SESSION_GET_NAME, liveupdateSessionGetName, 'all'),
};
const allOps: readonly IoctlOp[] = Object.values(luoIoctls);

/** The requests of a descriptor, as that release knows them. */
export function ioctlOps(spec: KernelSpec, target: 'device' | 'session'): readonly IoctlOp[] {
  return allOps.filter((one) => (one.sessions === 'device') === (target === 'device') && (spec.hasGetName || one !== luoIoctls['get-name']));
}

/** What a request is called, whichever descriptor it is meant for. */
export function ioctlName(request: number): string {
  return allOps.find((one) => one.request === request)?.name ?? `ioctl 0x${request.toString(16)}`;
}

/**
 * Checks a request in the kernel's order.
 * @param retrieved of the session; null for the device
 * @param sides requests of the other side are refused
 * @returns the operation with its argument as the kernel copied it, or a negative errno
 */
export function checkIoctl(
  ops: readonly IoctlOp[],
  request: number,
  buffer: UserBuffer | null,
  retrieved: boolean | null,
  sides: boolean,
): { readonly op: IoctlOp; readonly argument: Uint8Array } | number {
  const nr = request % 2 ** TYPE_SHIFT;
  const found = ops.find((one) => one.request % 2 ** TYPE_SHIFT === nr);
  if (found === undefined) return negative('EINVAL');
  if (buffer === null || buffer.mapped < SIZE_BYTES) return negative('EFAULT');
  if (found.request !== request) return negative('ENOTTY');
  if (sides && retrieved !== null && found.sessions !== 'all' && (found.sessions === 'incoming') !== retrieved) return negative('EINVAL');
  const size = sizeOf(found.struct);
  if (buffer.size < size) return negative('EINVAL');
  // check_zeroed_user goes through the rest until a byte is not zero, or not there.
  if (buffer.bytes.subarray(size, Math.min(buffer.size, buffer.mapped)).some((byte) => byte !== 0)) return negative('E2BIG');
  if (buffer.size > buffer.mapped) return negative('EFAULT');
  const argument = new Uint8Array(size);
  argument.set(buffer.bytes.subarray(0, size));
  return { op: found, argument };
}

/** What user space lays out for a request, known or not: for one that LUO does not know, the longest. */
export const structOf = (request: number): Struct =>
  (allOps.find((one) => one.request % 2 ** TYPE_SHIFT === request % 2 ** TYPE_SHIFT) ?? luoIoctls['create-session']).struct;
