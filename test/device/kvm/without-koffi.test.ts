/** Where the optional package is not installed, one line says so. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

// Modules that other files of this process loaded may have found the package.
beforeAll(() => {
  vi.resetModules();
  vi.doMock('koffi', () => {
    throw new Error("Cannot find package 'koffi'");
  });
});
afterAll(() => {
  vi.doUnmock('koffi');
  vi.resetModules();
});

const device = () => import('../../../src/device/kvm/real-kvm.js');

describe('without koffi', () => {
  it.each([
    ['openKvm', async () => (await device()).openKvm({ type: 'default' })],
    ['kvmCapabilitiesHere', async () => (await device()).kvmCapabilitiesHere()],
  ] as const)('%s says what is missing and what to try', async (_name, call) => {
    const error: unknown = await call().catch((reason: unknown) => reason);
    const { UserError } = await import('../../../src/codec/user-error.js');
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(/koffi.*npm install koffi@3\.3\.4.*simulate/);
    expect(String(error)).not.toContain('\n');
  });
});
