/**
 * Sizes, offsets and field names of every structure against the BTF of kernels that have it: 6.18.15, 7.1.13 and 7.3.4
 * (test/fixtures/btf), and the running kernel's where it has any of them.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Release } from '../../abi/contract.js';
import type { Struct } from '../../abi/layout.js';
import { contracts, supporting } from '../../abi/registry.js';
import { layoutTable } from '../../src/codec/layout-table.js';
import type { Btf } from '../../src/compat/btf/btf.js';
import { openKernelFile } from '../../src/compat/btf/kernel-file.js';

const kernels: readonly { readonly release: Release; readonly path: string }[] = [
  { release: '6.18', path: fileURLToPath(new URL('../fixtures/btf/6.18.15.BTF.xz', import.meta.url)) },
  { release: '7.1', path: fileURLToPath(new URL('../fixtures/btf/7.1.13.BTF.xz', import.meta.url)) },
  { release: '7.3', path: fileURLToPath(new URL('../fixtures/btf/7.3.4.BTF.xz', import.meta.url)) },
];
const running = '/sys/kernel/btf/vmlinux';
/** User space sees these: no kernel may change them, whatever its release. */
const STABLE = new Set(['setup_data', 'fdt_header', 'kvm_userspace_memory_region', 'kvm_coalesced_mmio']);

/** The first word of a chunk is a structure of that one field in the kernel. */
const inKernel: Readonly<Record<string, string>> = { 'kho_vmalloc_chunk.next': 'hdr', 'kvm_run.immediate_exit': 'immediate_exit__unsafe' };

/** Members without a name in the kernel are opened up there; here they have one. */
const unnamed: ReadonlySet<string> = new Set(['kvm_run.exit']);

/** Layouts that every kernel of `release` should have; not those of the mailing lists. */
const structsOf = (release: Release): readonly Struct[] => [
  ...new Set([...contracts, ...supporting].filter((contract) => contract.releases.includes(release)).flatMap((contract) => contract.structs)),
];

interface Place {
  readonly name: string;
  /** in bits */
  readonly offset: number;
  readonly bits: number;
}

function ours(struct: Struct): readonly Place[] {
  const places = layoutTable(struct, 4096).fields.flatMap((field): Place[] =>
    field.bits.length > 0
      ? field.bits.map(({ name, lowBit, field: bit }) => ({ name, offset: field.offset * 8 + lowBit, bits: bit.width }))
      : [{ name: field.name, offset: field.offset * 8, bits: field.size * 8 }],
  );
  return places
    .filter((place) => !unnamed.has(`${struct.name}.${place.name}`))
    .map((place) => ({ ...place, name: inKernel[`${struct.name}.${place.name}`] ?? place.name }));
}

function theirs(btf: Btf, struct: Struct): { readonly size: number; readonly places: readonly Place[] } | null {
  const id = struct.btfName === null ? null : btf.find('STRUCT', struct.btfName ?? struct.name);
  if (id === null) return null;
  const layout = btf.structLayout(id);
  return { size: layout.size, places: layout.members.map((member) => ({ name: member.name, offset: member.bitOffset, bits: member.bits })) };
}

describe.each(kernels)('$release', async ({ release, path }) => {
  const kernel = await openKernelFile(path);
  const { btf } = kernel;
  if (btf === null) throw new Error(`${path} has no BTF`);
  const found = structsOf(release).filter((struct) => theirs(btf, struct) !== null);

  test.each(found)('struct $name', (struct) => {
    const kernels = theirs(btf, struct);
    const last = kernels?.places.at(-1);
    // A flexible array has no size in C; here it fills its page.
    const flexible = last?.bits === 0 ? last.name : null;
    if (flexible === null) expect(layoutTable(struct, 4096).size).toBe(kernels?.size);
    for (const place of ours(struct)) expect(kernels?.places).toContainEqual(place.name === flexible ? { ...place, bits: 0 } : place);
    // Nothing of the kernel's is left out; of several members in one place one is enough.
    const described = layoutTable(struct, 4096).fields.map((field) => field.offset * 8);
    const bitFields = ours(struct).map((place) => place.offset);
    const hasUnion = Object.values(struct.fields).some((type) => type.kind === 'union');
    for (const place of hasUnion ? [] : (kernels?.places ?? [])) if (place.bits > 0) expect([...described, ...bitFields], place.name).toContain(place.offset);
  });

  test('the structures it hands over are all in its BTF', () => {
    const names = found.map((struct) => struct.name);
    const missing = structsOf(release).filter((struct) => !names.includes(struct.name) && struct.btfName !== null);
    expect(missing.map((struct) => struct.name)).toEqual([]);
  });
});

const here = existsSync(running) ? (await openKernelFile(running)).btf : null;
const shared = here === null ? [] : structsOf('7.3').filter((struct) => theirs(here, struct) !== null && STABLE.has(struct.name));
if (here !== null && shared.length > 0) {
  test.each(shared)('the running kernel (/sys/kernel/btf/vmlinux): struct $name', (struct) => {
    const kernels = theirs(here, struct);
    for (const place of ours(struct)) expect(kernels?.places).toContainEqual(place);
  });
}
