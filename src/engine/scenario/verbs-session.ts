/** Verbs on /dev/liveupdate and its sessions. Source of the operations: 7.3 include/uapi/linux/liveupdate.h. */
import { optional, required, type ValuesOf, withDefault } from './keys.js';
import type { FdRef } from './terms.js';
import { bytes, fdRef, number, oneOf, u64 } from './values.js';
import { asKey, shapeKeys, shapeOf, verb } from './verb.js';

/** _IO(0xBA, nr): the type byte of every ioctl of live update. */
const LIVEUPDATE_IOCTL_TYPE = 0xba;

const sessionKey = required(fdRef, "the session's descriptor");
const deviceKey = optional(fdRef, 'the /dev/liveupdate descriptor; the one opened last unless given');
const nameKey = required(bytes, "the session's name: text, or raw bytes");
const reservedKey = withDefault(number(0, 0xffff_ffff), "the argument's reserved field", 0, '0');
const tokenKey = required(u64, 'the token');

const named = <T extends ValuesOf<typeof shapeKeys> & { readonly name: Uint8Array; readonly device: FdRef | null; readonly as: string | null }>(values: T) => ({
  name: values.name,
  device: values.device,
  as: values.as,
  shape: shapeOf(values),
});

export const sessionVerbs = {
  open: verb('open("/dev/liveupdate")', { mode: withDefault(oneOf(['rw', 'ro']), 'read-write, or read-only', 'rw', 'rw'), ...asKey }),
  'create-session': verb('LIVEUPDATE_IOCTL_CREATE_SESSION', { name: nameKey, device: deviceKey, ...asKey, ...shapeKeys }, named),
  'retrieve-session': verb('LIVEUPDATE_IOCTL_RETRIEVE_SESSION', { name: nameKey, device: deviceKey, ...asKey, ...shapeKeys }, named),
  'get-name': verb(
    'LIVEUPDATE_SESSION_GET_NAME (7.2 and later)',
    { session: sessionKey, name: optional(bytes, 'the name it must answer, like `name` in `expect`'), reserved: reservedKey, ...shapeKeys },
    (values) => ({ session: values.session, name: values.name, reserved: values.reserved, shape: shapeOf(values) }),
  ),
  preserve: verb(
    'LIVEUPDATE_SESSION_PRESERVE_FD',
    { session: sessionKey, fd: required(fdRef, 'the descriptor to preserve'), token: tokenKey, ...shapeKeys },
    (values) => ({ session: values.session, fd: values.fd, token: values.token, shape: shapeOf(values) }),
  ),
  retrieve: verb('LIVEUPDATE_SESSION_RETRIEVE_FD', { session: sessionKey, token: tokenKey, ...asKey, ...shapeKeys }, (values) => ({
    session: values.session,
    token: values.token,
    as: values.as,
    shape: shapeOf(values),
  })),
  finish: verb('LIVEUPDATE_SESSION_FINISH', { session: sessionKey, reserved: reservedKey, ...shapeKeys }, (values) => ({
    session: values.session,
    reserved: values.reserved,
    shape: shapeOf(values),
  })),
  ioctl: verb(
    'any ioctl. What the argument holds is valid unless given: a name of its own, the token 0, the descriptor -1',
    {
      target: required(fdRef, 'the descriptor it is called on'),
      nr: required(number(0, 0xffff_ffff), 'the whole request number (0xba40); below 0x100 it stands for _IO(0xBA, nr)'),
      name: optional(bytes, "a session's name"),
      fd: withDefault<FdRef>(fdRef, 'a descriptor', -1, '-1'),
      token: withDefault(u64, 'a token', 0n, '0'),
      reserved: reservedKey,
      ...asKey,
      ...shapeKeys,
    },
    (values, _cursor, index) => ({
      target: values.target,
      request: values.nr < 0x100 ? (LIVEUPDATE_IOCTL_TYPE << 8) | values.nr : values.nr,
      name: values.name ?? new TextEncoder().encode(`ioctl-${index}`),
      fd: values.fd,
      token: values.token,
      reserved: values.reserved,
      as: values.as,
      shape: shapeOf(values),
    }),
  ),
};
