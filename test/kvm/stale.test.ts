import { describe, expect, it } from 'vitest';
import { errnoText } from '../../abi/errno.js';
import { parseErrno } from '../../src/kvm/errno.js';
import { isStale } from '../../src/kvm/snapshot.js';
import { UserError } from '../../src/codec/user-error.js';

describe('exit_reason by errno', () => {
  it.each([
    ['0', 5, false],
    ['0', 39, false],
    ['EFAULT', 39, false],
    ['EHWPOISON', 39, false],
    ['EFAULT', 0, true],
    ['EFAULT', 6, true],
    ['EHWPOISON', 0, true],
    ['EINTR', 10, false],
    ['EINTR', 39, true],
    ['EAGAIN', 39, true],
    ['EINVAL', 17, true],
    ['ENOEXEC', 10, true],
  ] as const)('%s with reason %d: stale %s', (errno, reason, stale) => {
    expect(isStale(parseErrno(errno), reason)).toBe(stale);
  });

  it('is not judged without an errno or without a reason', () => {
    expect(isStale(null, 39)).toBeNull();
    expect(isStale(14, null)).toBeNull();
  });

  it('takes names, numbers and negative numbers, with the kernel names', () => {
    expect([parseErrno('EFAULT'), parseErrno('14'), parseErrno('-14'), parseErrno('efault'), parseErrno('EHWPOISON')]).toEqual([14, 14, 14, 14, 133]);
    expect(errnoText(parseErrno('ENOTSUP'))).toBe('EOPNOTSUPP');
    expect(errnoText(133)).toBe('EHWPOISON');
  });

  it.each(['', 'EWHAT', '0x0e', '4096', '1.5', '14 '.repeat(3)])('refuses %j', (text) => {
    expect(() => parseErrno(text)).toThrow(UserError);
  });
});
