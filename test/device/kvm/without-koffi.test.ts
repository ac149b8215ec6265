/** Where the optional package is not installed, one line says so. */
import { describe, expect, it, vi } from 'vitest';
import { UserError } from '../../../src/codec/user-error.js';
import { kvmCapabilitiesHere, openKvm } from '../../../src/device/kvm/real-kvm.js';

vi.mock('koffi', () => {
  throw new Error("Cannot find package 'koffi'");
});

describe('without koffi', () => {
  it.each([
    ['openKvm', () => openKvm({ type: 'default' })],
    ['kvmCapabilitiesHere', () => kvmCapabilitiesHere()],
  ] as const)('%s says what is missing and what to try', async (_name, call) => {
    const error: unknown = await call().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(/koffi.*npm install koffi@3\.3\.4.*simulate/);
    expect(String(error)).not.toContain('\n');
  });
});
