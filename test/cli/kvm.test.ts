/** `kvm` on what is no snapshot, and the numbers of KVM's interface in `abi show`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { luoInspect } from './run.js';
import { scratch } from '../scratch.js';

describe('kvm', () => {
  it.each(['\u007fELF', 'KDUMP   ', 'EMiL'])('refuses memory that starts with %j in one line', (magic) => {
    const path = join(scratch(), 'memory');
    const bytes = new Uint8Array(8192);
    bytes.set(Buffer.from(magic, 'latin1'));
    writeFileSync(path, bytes);
    const { status, stderr, stdout } = luoInspect(['kvm', path]);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain('report');
  });
});

describe('abi show', () => {
  it("tells capabilities and exit reasons by name and number, mainline's and the patch's", () => {
    expect(luoInspect(['abi', 'show', 'KVM_CAP_MEMORY_FAULT_INFO']).stdout).toBe('KVM_CAP_MEMORY_FAULT_INFO = 232; 231 in v13 09/35 of October 2023\n');
    expect(luoInspect(['abi', 'show', 'KVM_CAP_231']).stdout).toContain('KVM_CAP_USER_MEMORY2 = 231; 230');
    const { stdout } = luoInspect(['abi', 'show', 'KVM_EXIT_MEMORY_FAULT', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ numbers: [{ number: 39, seedV13: 38, payload: 'memory_fault' }], structs: [{ name: 'kvm_run.memory_fault' }] });
  });

  it('finds a member of a union by its own name', () => {
    expect(luoInspect(['abi', 'show', 'memory_fault']).stdout).toContain('struct kvm_run.memory_fault');
  });
});
