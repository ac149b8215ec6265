/** The errno a user gives for a KVM_RUN, as name or number. */
import { ERRNO, isErrnoName, MAX_ERRNO } from '../../abi/errno.js';
import { UserError } from '../codec/user-error.js';

/** Second names of the C library for numbers that the kernel calls otherwise. */
const secondNames: Readonly<Record<string, string>> = { ENOTSUP: 'EOPNOTSUPP', EWOULDBLOCK: 'EAGAIN', EDEADLOCK: 'EDEADLK' };

/**
 * The number of an errno given as `EFAULT`, `14` or `-14`; `0` is a KVM_RUN that returned 0.
 * @throws UserError for anything else
 */
export function parseErrno(text: string): number {
  const name = text.trim().toUpperCase();
  const known = secondNames[name] ?? name;
  if (isErrnoName(known)) return ERRNO[known];
  const number = /^-?\d{1,4}$/.test(name) ? Math.abs(Number(name)) : Number.NaN;
  if (number >= 0 && number <= MAX_ERRNO) return number;
  throw new UserError(`--errno ${JSON.stringify(text)} is no errno; give a name such as EFAULT or EINTR, a number from 1 to ${MAX_ERRNO}, or 0 for success`);
}
