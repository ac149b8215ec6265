/** Every verb of the scenario language, by name. Parser, step types, JSON Schema and the reference in docs/scenarios.md are made of this table. */
import { deviceVerbs } from './verbs-device.js';
import { fileVerbs } from './verbs-file.js';
import { kvmVerbs } from './verbs-kvm.js';
import { type ValuesOf, optional, required, withDefault } from './keys.js';
import type { FdRef } from './terms.js';
import { bytes, fdRef, label, number, oneOf, u64 } from './values.js';
import { asKey, shapeKeys, shapeOf, verb } from './verb.js';

/** Verbs on /dev/liveupdate and its sessions. Source of the operations: 7.3 include/uapi/linux/liveupdate.h. */

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

const sessionVerbs = {
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

/**
 * Verbs on processes. The first process is called main and is PID 1; a step says `by` where another carries it out. Every kernel starts
 * with the first alone.
 */
const processKey = required(label, 'the process');

const processVerbs = {
  fork: verb('fork(2): a child with the same descriptors and mappings', { process: required(label, 'what the child is called') }),
  exit: verb('exit(2): the descriptors are closed, in ascending order; if it is PID 1 the kernel panics', {
    code: withDefault(number(0, 255), 'exit code', 0, '0'),
  }),
  kill: verb('kill(2) with SIGKILL', { process: processKey }),
  exec: verb('execve(2): descriptors that are close-on-exec are closed, and mappings go', {}),
  'send-fd': verb('SCM_RIGHTS: another process gets the open file', { fd: required(fdRef, 'the descriptor'), to: processKey, ...asKey }),
  rlimit: verb('setrlimit(RLIMIT_NOFILE)', { nofile: required(number(0, 1_048_576), 'descriptors from this number on cannot be had (EMFILE)') }),
};

/** Verbs on what comes after this kernel: loading an image, and the ways out. Source: 7.3 kernel/kexec_file.c, kernel/reboot.c. */
const rebootVerbs = {
  'kexec-load': verb('loads the next kernel, in place of one that is loaded', {
    call: withDefault(
      oneOf(['kexec_file_load', 'kexec_load']),
      'an image loaded by kexec_load(2) is told nothing of a handover',
      'kexec_file_load',
      'kexec_file_load',
    ),
  }),
  'kexec-unload': verb('kexec_file_load(KEXEC_FILE_UNLOAD): no image is loaded any more', {}),
  kexec: verb('reboot(LINUX_REBOOT_CMD_KEXEC); loads an image first unless one is loaded', {
    image: withDefault(oneOf(['load', 'none']), '`none`: whatever is loaded, nothing is loaded now', 'load', 'load'),
  }),
  reboot: verb('leaves the kernel without a kexec: the next of `kernels` boots cold, nothing is frozen or handed over', {
    how: withDefault(oneOf(['restart', 'crash']), 'reboot(LINUX_REBOOT_CMD_RESTART), or a panic without a crash kernel', 'restart', 'restart'),
  }),
};

export const VERBS = { ...sessionVerbs, ...rebootVerbs, ...fileVerbs, ...processVerbs, ...deviceVerbs, ...kvmVerbs };
