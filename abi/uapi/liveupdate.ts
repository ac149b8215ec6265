/** The ioctls of /dev/liveupdate and of a session. Source: include/uapi/linux/liveupdate.h, 7.3; all but GET_NAME since 6.19. */
import { contract } from '../contract.js';
import { array, s32, struct, u8, u32, u64 } from '../layout.js';

const source = 'include/uapi/linux/liveupdate.h, 7.3';
const size = u32('size of this structure as user space knows it', { role: 'bytes' });
const name = array(u8('byte'), 64, 'name of the session, NUL-terminated');

/** ioctl numbers, _IO(0xBA, nr): no size and no direction in them. */
export const liveupdateIoctls = {
  LIVEUPDATE_IOCTL_CREATE_SESSION: 0xba00,
  LIVEUPDATE_IOCTL_RETRIEVE_SESSION: 0xba01,
  LIVEUPDATE_SESSION_PRESERVE_FD: 0xba40,
  LIVEUPDATE_SESSION_RETRIEVE_FD: 0xba41,
  LIVEUPDATE_SESSION_FINISH: 0xba42,
  LIVEUPDATE_SESSION_GET_NAME: 0xba43,
} as const;

const session = (structName: string, meaning: string) =>
  struct({ name: structName, meaning, source, packed: false, fields: { size, fd: s32('out: the session'), name } });
const file = (structName: string, meaning: string, direction: 'in' | 'out') =>
  struct({ name: structName, meaning, source, packed: false, fields: { size, fd: s32(`${direction}: the file`), token: u64('token', { role: 'opaque' }) } });

export const liveupdateIoctlCreateSession = session('liveupdate_ioctl_create_session', 'Argument of LIVEUPDATE_IOCTL_CREATE_SESSION');
export const liveupdateIoctlRetrieveSession = session('liveupdate_ioctl_retrieve_session', 'Argument of LIVEUPDATE_IOCTL_RETRIEVE_SESSION');
export const liveupdateSessionPreserveFd = file('liveupdate_session_preserve_fd', 'Argument of LIVEUPDATE_SESSION_PRESERVE_FD', 'in');
export const liveupdateSessionRetrieveFd = file('liveupdate_session_retrieve_fd', 'Argument of LIVEUPDATE_SESSION_RETRIEVE_FD', 'out');

export const liveupdateSessionFinish = struct({
  name: 'liveupdate_session_finish',
  meaning: 'Argument of LIVEUPDATE_SESSION_FINISH',
  source,
  packed: false,
  fields: { size, reserved: u32('0; checked from 7.2.13 on', { role: 'reserved' }) },
});

export const liveupdateSessionGetName = struct({
  name: 'liveupdate_session_get_name',
  meaning: 'Argument of LIVEUPDATE_SESSION_GET_NAME',
  source,
  packed: false,
  fields: { size, reserved: u32('0', { role: 'reserved' }), name },
});

export const liveupdateUapi = contract({
  layer: 'uapi',
  id: 'uapi-liveupdate',
  compatible: null,
  structs: [liveupdateIoctlCreateSession, liveupdateIoctlRetrieveSession, liveupdateSessionPreserveFd, liveupdateSessionRetrieveFd, liveupdateSessionFinish],
  since: '6.19',
  status: 'released',
  source,
  notes: ['A size below that of the structure is EINVAL; bytes above it must be 0, else E2BIG.'],
});

export const liveupdateUapiGetName = contract({
  layer: 'uapi',
  id: 'uapi-liveupdate-get-name',
  compatible: null,
  structs: [liveupdateSessionGetName],
  since: '7.2',
  status: 'released',
  source,
  notes: ['EINVAL up to 7.1, as for any unknown ioctl.'],
});
