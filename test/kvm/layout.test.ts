/** Layouts against what others made of the kernel's headers: BTF of real kernels, and a compiler where there is one. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FieldType, Struct } from '../../abi/layout.js';
import { kvmCoalescedMmio, kvmCoalescedMmioRing, kvmRunS390, kvmRunX86 } from '../../abi/kvm/run.js';
import { exitReasons } from '../../abi/kvm/exits.js';
import { kvmCapabilities, kvmEnableCap, kvmRequests, requestNumber } from '../../abi/kvm/ioctls.js';
import { kvmV73 } from '../../abi/kvm/v7-3.js';
import { layoutTable, offsetOf, sizeOf } from '../../src/codec/layout-table.js';
import type { Btf } from '../../src/compat/btf/btf.js';
import { type KernelFile, openKernelFile } from '../../src/compat/btf/kernel-file.js';
import { scratch } from '../scratch.js';

const FIXTURES = join(import.meta.dirname, '../fixtures/btf');
/** struct kvm_run's immediate_exit has another name inside the kernel. */
const KERNEL_NAMES: Readonly<Record<string, string>> = { immediate_exit: 'immediate_exit__unsafe' };

describe.each(['7.3.4', '7.1.13', '6.18.15'])('BTF of %s', (release) => {
  let kernel: KernelFile;
  let btf: Btf;
  const compared: string[] = [];
  const absent: string[] = [];
  beforeAll(async () => {
    kernel = await openKernelFile(join(FIXTURES, `${release}.BTF.xz`));
    if (kernel.btf === null) throw new Error('no BTF');
    btf = kernel.btf;
  });
  afterAll(() => kernel.close());

  /** Compares `struct`, whose first byte is `base` bytes into the BTF structure `id`, member by member. */
  const compare = (id: number, struct: Struct, base: number, path: string): void => {
    const members = new Map(btf.structLayout(id).members.map((member) => [member.name, member]));
    const check = (name: string, offset: number, size: number, type: FieldType): void => {
      const label = `${path}.${name}`;
      const member = members.get(KERNEL_NAMES[name] ?? name) ?? members.get(name);
      if (type.kind === 'union' && member === undefined) {
        // Anonymous in C: its variants are members of the structure around it.
        for (const [variant, inner] of Object.entries(type.variants)) {
          const found = members.get(variant);
          if (found === undefined) absent.push(`${label}.${variant}`);
          else {
            expect(found.bitOffset / 8, `${label}.${variant}`).toBe(base + offset);
            into(found.typeId, inner, variant, `${label}.${variant}`);
          }
        }
        return;
      }
      if (member === undefined) {
        absent.push(label);
        return;
      }
      expect(member.bitOffset / 8, label).toBe(base + offset);
      if (member.bits > 0 && type.kind !== 'array') expect(member.bits / 8, label).toBe(size);
      if (member.bits > 0 && type.kind === 'array') expect(member.bits / 8, label).toBe(size);
      compared.push(label);
      if (type.kind === 'nested') compare(member.typeId, type.struct, 0, label);
      if (type.kind === 'union') {
        const variants = new Map(btf.structLayout(member.typeId).members.map((variant) => [variant.name, variant]));
        for (const [variant, inner] of Object.entries(type.variants)) {
          const found = variants.get(variant);
          if (found === undefined) absent.push(`${label}.${variant}`);
          else into(found.typeId, inner, variant, `${label}.${variant}`);
        }
      }
    };
    for (const field of layoutTable(struct).fields) check(field.name, field.offset, field.size, field.type);
  };
  const into = (typeId: number, struct: Struct, name: string, label: string): void => {
    const kind = btf.kindOf(btf.resolve(typeId));
    if (kind === 'STRUCT' || kind === 'UNION') {
      expect(sizeOf(struct), label).toBe(btf.byteSize(typeId));
      compare(typeId, struct, 0, label);
    } else {
      // A member that is an integer, not a structure.
      expect(Object.keys(struct.fields)).toEqual([name]);
      expect(sizeOf(struct)).toBe(btf.byteSize(typeId));
      compared.push(label);
    }
  };
  const find = (name: string): number | null => btf.find('STRUCT', name);

  it('kvm_run has every field where the kernel has it', () => {
    const id = find('kvm_run');
    if (id === null) throw new Error('no kvm_run');
    compared.length = 0;
    absent.length = 0;
    compare(id, kvmRunX86, 0, 'kvm_run');
    expect(btf.byteSize(id)).toBe(sizeOf(kvmRunX86));
    expect(compared.length).toBeGreaterThan(150);
    if (release === '7.3.4') expect(absent).toEqual([]);
    for (const name of absent) expect(name).toMatch(/\.(tdx|arm_sea|snp_req_certs)(\.|$)/);
  });

  it('knows every member of the exit union', () => {
    const id = find('kvm_run');
    if (id === null) throw new Error('no kvm_run');
    const exit = kvmRunX86.fields.exit;
    const first = offsetOf(kvmRunX86, 'exit');
    const names = btf.structLayout(id).members.filter((member) => member.bitOffset === first * 8 && member.name !== 'padding');
    for (const { name } of names) expect(Object.keys(exit.kind === 'union' ? exit.variants : {})).toContain(name);
  });

  it.each(kvmV73.structs.filter((struct) => struct.btfName !== null && struct.name !== 'kvm_run'))('$name', (struct) => {
    const id = find(struct.name);
    if (id === null) {
      expect(release).not.toBe('7.3.4');
      return;
    }
    compared.length = 0;
    compare(id, struct, 0, struct.name);
    expect(compared.length).toBeGreaterThan(0);
    if (struct !== kvmCoalescedMmioRing) expect(sizeOf(struct)).toBe(btf.byteSize(id));
  });
});

describe('fixed sizes', () => {
  it('kvm_run, the ring and its entries', () => {
    expect([sizeOf(kvmRunX86), sizeOf(kvmRunS390), sizeOf(kvmCoalescedMmio), sizeOf(kvmEnableCap)]).toEqual([2352, 2368, 24, 104]);
    expect(offsetOf(kvmRunS390, 'exit')).toBe(48);
    expect(offsetOf(kvmRunS390, 'kvm_valid_regs')).toBe(304);
  });

  it('request numbers', () => {
    const number = (name: keyof typeof kvmRequests): string => {
      const request = kvmRequests[name];
      return `0x${requestNumber(request, request.struct === null ? 0 : sizeOf(request.struct)).toString(16)}`;
    };
    expect(number('KVM_SET_MEMORY_ATTRIBUTES')).toBe('0x4020aed2');
    expect(number('KVM_RUN')).toBe('0xae80');
  });
});

const compiler = ['gcc', 'cc', 'clang'].find((name) => {
  try {
    execFileSync(name, ['-fsyntax-only', '-x', 'c', '-'], { input: '#include <linux/kvm.h>\n', stdio: ['pipe', 'ignore', 'ignore'] });
    return true;
  } catch {
    return false;
  }
});

/** `kvm_run.io.port` -> expression of C; offset and size by our layouts. */
function paths(struct: Struct, prefix: string, base: number, out: Map<string, readonly [number, number]>): void {
  for (const { name, offset, size, type } of layoutTable(struct).fields) {
    if (type.kind === 'union') {
      const anonymous = name === 'exit' || struct.name === 'kvm_run.tdx';
      for (const [variant, inner] of Object.entries(type.variants)) {
        const at = `${prefix}${anonymous ? '' : `${name}.`}${variant === 's390_reset_flags' ? '' : `${variant}.`}`;
        paths(inner, at, base + offset, out);
      }
    } else if (type.kind === 'nested') paths(type.struct, `${prefix}${name}.`, base + offset, out);
    else out.set(`${prefix}${name}`, [base + offset, size]);
  }
}

if (compiler === undefined || process.arch !== 'x64') {
  it('no C compiler with linux/kvm.h here: offsets of the distribution headers are not compared', () => {
    expect(existsSync('/usr/include/linux/kvm.h') && compiler !== undefined && process.arch === 'x64').toBe(false);
  });
} else {
  describe(`${compiler}, offsetof in the headers of this distribution`, () => {
    const folder = scratch();

    /** Compiles the lines that these headers know, runs them, gives their output. */
    const run = (lines: readonly string[], flags: readonly string[] = []): string[] => {
      const file = join(folder, 'probe.c');
      const program = (kept: readonly string[]): string =>
        ['#include <stdio.h>', '#include <stddef.h>', '#include <linux/kvm.h>', 'int main(void) {', ...kept, '}'].join('\n');
      writeFileSync(file, program(lines));
      const unknown = new Set<number>();
      try {
        execFileSync(compiler, [...flags, '-fsyntax-only', '-fmax-errors=0', file], { stdio: ['ignore', 'ignore', 'pipe'] });
      } catch (error) {
        const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
        for (const match of text.matchAll(/probe\.c:(\d+):\d+: error/g)) unknown.add(Number(match[1]) - 5);
      }
      writeFileSync(file, program(lines.filter((_, index) => !unknown.has(index))));
      execFileSync(compiler, [...flags, '-o', join(folder, 'probe'), file]);
      return execFileSync(join(folder, 'probe'), { encoding: 'utf8' }).trim().split('\n');
    };

    it.each([
      ['x86-64', kvmRunX86, []],
      ['s390 (the two PSW words inserted)', kvmRunS390, ['-D__KVM_S390']],
    ] as const)('kvm_run of %s', (_name, struct, flags) => {
      const expected = new Map<string, readonly [number, number]>();
      paths(struct, '', 0, expected);
      // Debug details and synchronised registers are x86's in these headers.
      const wanted = [...expected.keys()].filter((path) => struct === kvmRunX86 || !/^(debug|s)\./.test(path));
      const lines = run(
        wanted.map((path) => `printf("${path} %zu %zu\\n", offsetof(struct kvm_run, ${path}), sizeof(((struct kvm_run *)0)->${path}));`),
        flags,
      );
      expect(lines.length).toBeGreaterThan(90);
      for (const line of lines) {
        const [path = '', offset, size] = line.split(' ');
        expect([Number(offset), Number(size)], path).toEqual(expected.get(path));
      }
    });

    it('exit reasons, capabilities and request numbers', () => {
      const sizes = Object.values(kvmRequests).map(
        (request) => [request.name, requestNumber(request, request.struct === null ? 0 : sizeOf(request.struct))] as const,
      );
      const numbers = new Map<string, bigint>([
        ...exitReasons.map(({ name, number }) => [name, BigInt(number)] as const),
        ...Object.entries(kvmCapabilities).map(([name, number]) => [name, BigInt(number)] as const),
        ...sizes,
      ]);
      const lines = run([...numbers.keys()].map((name) => `printf("${name} %llu\\n", (unsigned long long)${name});`));
      expect(lines.length).toBeGreaterThan(40);
      for (const line of lines) {
        const [name = '', value = '0'] = line.split(' ');
        expect(BigInt(value), name).toBe(numbers.get(name));
      }
    });
  });
}
