/**
 * Every structure that is queued or proposed, one table: the engine writes it (a scenario of handlers, FLBs and subtrees), the decoder reads
 * the same values back. That a C compiler has it at the same offsets, test/abi/c-layout.test.ts says of all contracts. What no engine writes is listed.
 */
import { expect, test } from 'vitest';
import { isProposed } from '../../abi/contract.js';
import type { Struct } from '../../abi/layout.js';
import { contracts } from '../../abi/registry.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import type { FieldValue, Payload, PayloadStruct } from '../../src/engine/scenario/payload.js';
import type { Scenario } from '../../src/engine/scenario/types.js';
import { decodeHandovers, type Handover } from '../../src/handover/decode.js';
import { walk, type TreeNode } from '../../src/tree/tree.js';

const of = (struct: string, fields: object = {}, as?: string) => ({ struct, ...(as === undefined ? {} : { as }), fields });

const iommu = (id: string, domain: object, device: object, unit: object) => [
  of(`iommu_flb_ser@${id}`, {
    ...(id === 'iommu-liveupdate-v1' ? {} : { version: 1 }),
    iommu_array_phys: { chain: [{ as: 'unit', fields: { hdr: { ref_count: 3, flags: 2 }, token: 7, type: 1, ...unit } }] },
    iommu_domain_array_phys: { chain: [{ as: 'domain', fields: { hdr: { ref_count: 1 }, top_table_phys: [0], top_level: 3, ...domain } }] },
    device_array_phys: {
      chain: [
        {
          fields: {
            hdr: { ref_count: 1 },
            devid: 0x108,
            pci_domain_nr: 1,
            domain_iommu_ser: { attachment_id: 9, domain_phys: { ref: 'domain' }, iommu_phys: { ref: 'unit' } },
            ...device,
          },
        },
      ],
    },
  }),
];
const intelUnit = { struct: 'iommu_intel_ser', fields: { restored: 1, phys_addr: 0xfed90000, context_tables_bitmap: [5, 0, 0, 0, 0, 0, 0, 1] } };
const x86 = { mp_state: 3 };
const table = (id: string, extra: object = {}) => of(`cpu_as_ser@${id}`, extra);

/** Scenarios by generation: handlers (compatible string -> what a file of it hands over), FLBs, subtrees, and what the kernels speak. */
const generations: readonly {
  readonly name: string;
  readonly handlers: Readonly<Record<string, unknown>>;
  readonly flbs?: Readonly<Record<string, unknown>>;
  readonly subtrees?: Readonly<Record<string, unknown>>;
  readonly speaks?: readonly string[];
}[] = [
  {
    name: 'as posted',
    handlers: {
      kvm_vm_luo_v1: of('kvm_luo_ser@kvm_vm_luo_v1-folios', {
        type: 1,
        kho_folios: [of('kvm_kho_folios_ser@kvm_vm_luo_v1-folios', { nr_folios: 2 }), 0x300000, 0x301000],
      }),
      kvm_vcpu_luo_v1: of('kvm_vcpu_ser@kvm_vcpu_luo_v1', {
        vcpu_id: 3,
        flags: 1,
        vm_token: 1,
        arch_state: of('kvm_vcpu_arch_ser@kvm_vcpu_luo_v1', { ...x86, nr_msrs: 2, nr_cpuid: 1 }),
        cb: of('kvm_caretaker_cb_ser@kvm_vcpu_luo_v1', {
          state: 1,
          pcpu_id: 2,
          vcpu_id: 3,
          telemetry: of('kvm_caretaker_telemetry_ser@kvm_vcpu_luo_v1', {
            total_runs: 9,
            total_exits: 8,
            stall_count: 1,
            last_exit_reason: 30,
            last_exit_rip: 0xfff0,
            stall_exit_reason: 12,
            stall_exit_rip: 0xfff8,
          }),
        }),
      }),
      cpu_fh_v1: of('cpu_ser@cpu_fh_v1-mailbox', {
        cpu: 2,
        stack: [0],
        oncore: [of('cpu_session_ser@cpu_fh_v1-mailbox', { name: 'cores', nr_cpu_words: 1, as: table('cpu_fh_v1-mailbox', { nr: 1, pages: [0x300000] }) }), 4],
      }),
      'vfio-pci-v1': of('vfio_pci_core_device_ser@vfio-pci-v1', { domain: 1, bdf: 0x108 }),
      guest_memfd_luo_v1: of('guest_memfd_luo_ser@guest_memfd_luo_v1', {
        size: 4096,
        flags: 3,
        nr_folios: 1,
        vm_token: 1,
        folios: { vmalloc: [of('guest_memfd_luo_folio_ser@guest_memfd_luo_v1', { pfn_flags: 0x305, index: 1 })] },
      }),
    },
    flbs: {
      kvm_vm_luo_v1: [
        'cpu_flb_v1',
        [of('cpu_flb_ser@cpu_flb_v1-mailbox', { nr_cpu_words: 1, text_pa: [0], text_size: 4096, data_pa: [0], data_size: 4096, pcpus_runtime: [0] }), 4],
      ],
      'vfio-pci-v1': [
        'iommu-liveupdate-v1',
        iommu('iommu-liveupdate-v1', {}, { arch: { struct: 'iommu_device_intel_ser@iommu-liveupdate-v1', fields: { max_pasid: 5 } } }, { arch: intelUnit }),
      ],
      cpu_fh_v1: ['hugetlb-v1', of('hugetlb_ser@hugetlb-v1', {})],
    },
    subtrees: { hwpoison: of('hwpoison_kho_ser@hwpoison-1', { version: 1, count: 2, pfns: { vmalloc: [3, 5] } }) },
  },
  {
    name: 'newest',
    handlers: {
      kvm_vm_luo_v1: of('kvm_luo_ser@kvm_vm_luo_v1-attributes', {
        type: 1,
        nr_mem_attrs: 1,
        mem_attrs: { vmalloc: [of('kvm_mem_attr_ser@kvm_vm_luo_v1-attributes', { gfn: 5, attributes: 8 })] },
      }),
      kvm_vcpu_luo_v1: of('kvm_vcpu_ser@kvm_vcpu_luo_v1-cb-first', {
        vcpu_id: 3,
        vm_token: 1,
        cb: of('kvm_caretaker_cb_ser@kvm_vcpu_luo_v1-cb-first', { state: 3, pcpu_id: 2, vcpu_id: 3 }),
        arch_state: of('kvm_vcpu_arch_ser@kvm_vcpu_luo_v1-cb-first', { ...x86, msrs: [0], cpuid: [0] }),
      }),
      cpu_fh_v1: of('cpu_ser@cpu_fh_v1', {
        cpu: 2,
        state: 1,
        stack: [0],
        session: [
          of('cpu_session_ser@cpu_fh_v1', {
            name: 'cores',
            nr_cpu_words: 1,
            as: table('cpu_fh_v1', { pgd: [0], nr_pgtable_pages: 1, pg_tables: { chain: [of('cpu_pgtable_page_ser@cpu_fh_v1', { page: [0] })] } }),
          }),
          4,
        ],
      }),
      'iommufd-v1': [of('iommufd_ser@iommufd-v1', { nr_hwpts: 1 }), of('iommufd_hwpt_ser@iommufd-v1', { token: 5, reclaimed: 1 })],
    },
    flbs: {
      kvm_vm_luo_v1: ['cpu_flb_v1', [of('cpu_flb_ser@cpu_flb_v1', { nr_cpu_words: 1, text_pa: [0], text_size: 4096, data_pa: [0], data_size: 4096 }), 4]],
      'iommufd-v1': [
        'iommu-liveupdate',
        iommu(
          'iommu-liveupdate',
          { vasz: 48, sign_extend: 1 },
          { dma_owner_token: 5 },
          { type: 2, arch: { struct: 'iommu_smmuv3_ser', fields: { phys_addr: 0x9050000, strtab_cfg: 7, l1: 8, l2_array: 0x300000 } } },
        ),
      ],
      cpu_fh_v1: ['pci', of('pci_ser@pci-version-2', { version: 2, nr_devices: 1, devices: { chain: [{ fields: { domain: 1, bdf: 0x108, refcount: 1 } }] } })],
    },
    speaks: ['luo-features', 'memfd'],
  },
  {
    name: 'other forms',
    handlers: { kvm_vm_luo_v1: of('kvm_luo_ser@kvm_vm_luo_v1', { type: 1 }) },
    flbs: {
      kvm_vm_luo_v1: [
        'iommu-liveupdate',
        iommu('iommu-liveupdate-packed', { vasz: 48, bits: 1, runtime: 0xffff888012345678n.toString() }, {}, { arch: intelUnit }),
      ],
    },
    speaks: ['luo-v5;block-v1', 'memfd-v2;vmalloc-v1'],
  },
];

/** Structures of proposals that no scenario writes, and why. */
const NOT_WRITTEN: Readonly<Record<string, string>> = {
  kvm_caretaker_arm64_ser: 'which of two heads it has is not told by the bytes: shown as the control block it starts with',
  kvm_vcpu_sysregs_ser: 'behind the arm64 register state, whose sizes are not described',
  iommu_dma_alloc_ser: 'nothing described leads to it',
  iommu_device_intel_ser: 'of the branches: within a device, whose IOMMU stands elsewhere: its bytes are shown as they are',
  iommu_device_smmuv3_ser: 'within a device, whose IOMMU stands elsewhere: its bytes are shown as they are',
};

function frozen(generation: (typeof generations)[number]): { scenario: Scenario; handover: Handover } {
  const handlers = Object.entries(generation.handlers).map(([compatible, payload]) => {
    const [name, own] = (generation.flbs?.[compatible] ?? []) as [string?, unknown?];
    return { compatible, accepts: ['eventfd'], payload, ...(name === undefined ? {} : { flb: { name, payload: own } }) };
  });
  const steps = handlers.flatMap(({ compatible }, index) => [
    { do: 'fd', kind: 'eventfd', as: `fd${index}` },
    { do: 'preserve', session: 's', fd: `fd${index}`, token: index + 1, expect: 0, compatible },
  ]);
  // The first handler that accepts takes a descriptor: each has a kind of its own.
  const kinds = ['eventfd', 'pipe', 'socket', 'epoll', 'timerfd'];
  const scenario = parseScenario(
    JSON.stringify({
      schema: 'luo-inspect.scenario/1',
      title: generation.name,
      machine: { testFlbs: false },
      kernels: [{ release: '7.3', speaks: generation.speaks ?? [] }],
      handlers: handlers.map((handler, index) => ({ ...handler, accepts: [kinds[index] ?? 'eventfd'] })),
      subtrees: Object.entries(generation.subtrees ?? {}).map(([name, payload]) => ({ name, payload })),
      steps: [
        { do: 'open', as: 'luo' },
        { do: 'create-session', name: 'all', as: 's' },
        ...steps.map(({ compatible: _, kind, ...step }: Record<string, unknown>, index) =>
          kind === undefined ? step : { ...step, kind: kinds[Math.floor(index / 2)] },
        ),
        { do: 'memfd', as: 'ram', size: '8KiB' },
        { do: 'preserve', session: 's', fd: 'ram', token: 99 },
        { do: 'kexec' },
      ],
    }),
    `${generation.name}.yaml`,
  );
  const client = EngineClient.ofScenario(scenario);
  client.toEnd();
  expect(client.mismatches, generation.name).toEqual([]);
  const step = client.moments.find(({ moment }) => moment === 'frozen')?.step;
  if (step === undefined) throw new Error(`${generation.name}: never frozen`);
  const [handover] = decodeHandovers({ memory: client.imageAtStep(step).memory, runningRelease: '7.3.4' }).handovers;
  if (handover === undefined) throw new Error(`${generation.name}: no handover`);
  return { scenario, handover };
}

function* structsIn(payload: Payload): Iterable<PayloadStruct> {
  for (const part of payload) if (!(part instanceof Uint8Array)) yield* structsBelow(part);
}

function* structsBelow(part: PayloadStruct): Iterable<PayloadStruct> {
  yield part;
  for (const value of part.fields.values()) {
    if (value.kind === 'inside') yield* structsBelow(value.part);
    if (value.kind === 'at') yield* structsIn(value.payload);
    if (value.kind === 'vmalloc') yield* structsIn(value.payload);
    if (value.kind === 'chain') for (const entry of value.entries) yield* structsBelow(entry);
  }
}

const keyOf = (struct: Struct): string => `${struct.name} ${Object.keys(struct.fields).join()} ${sizeOf(struct)}`;
const child = (node: TreeNode, name: string): TreeNode | undefined => node.children().find((one) => one.name === name);

/** Does the node have these values? An address that the engine chose is only not 0. */
function agrees(node: TreeNode, part: PayloadStruct): boolean {
  return [...part.fields].every(([name, value]) => {
    const own = child(node, name);
    return own !== undefined && valueAgrees(own, value);
  });
}

function valueAgrees(node: TreeNode, value: FieldValue): boolean {
  if (value.kind === 'inside') return node.children().length === 0 ? node.value !== null : agrees(node, value.part);
  if (value.kind === 'vmalloc') return BigInt(String(child(node, 'first')?.value)) !== 0n && Number(child(node, 'total_pages')?.value) === 1;
  if (value.kind !== 'value') return node.value !== null && BigInt(String(node.value)) !== 0n;
  const wanted = value.value;
  if (Array.isArray(wanted)) return wanted.every((item, index) => String(node.children()[index]?.value) === String(item));
  if (wanted instanceof Uint8Array) return node.value === new TextDecoder().decode(wanted);
  const bits = node.children();
  return String(bits.length > 0 && node.value === null ? bits[0]?.value : node.value) === String(wanted);
}

test('every structure of a proposal is written by the engine and read back with the same values', () => {
  const written = new Map<string, Struct>();
  const wrong: string[] = [];
  for (const generation of generations) {
    const { scenario, handover } = frozen(generation);
    const nodes: TreeNode[] = [];
    walk(handover.node, (node) => {
      nodes.push(node);
      return true;
    });
    const payloads = [...scenario.handlers.flatMap(({ payload, flb }) => [payload, flb?.payload ?? []]), ...scenario.subtrees.map(({ payload }) => payload)];
    for (const part of payloads.flatMap((payload) => [...structsIn(payload)])) {
      written.set(keyOf(part.struct), part.struct);
      const read = nodes.filter(({ type }) => type === `struct ${part.struct.name}` || type === 'union');
      if (!read.some((node) => agrees(node, part))) wrong.push(`${generation.name}: ${part.struct.name}`);
    }
    // What the kernels of the scenario write by themselves.
    for (const id of generation.speaks ?? []) {
      const own = contracts.find((contract) => contract.id === id);
      expect(own?.compatible === null || nodes.some(({ value }) => value === own?.compatible), id).toBe(true);
      for (const struct of own?.structs ?? []) written.set(keyOf(struct), struct);
    }
    expect(handover.luo?.sessions?.[0]?.files, generation.name).toHaveLength(Object.keys(generation.handlers).length + 1);
    expect(handover.luo?.sessions?.[0]?.files.at(-1)?.decoded, generation.name).toMatchObject({ kind: 'memfd', size: 8192n, folioCount: 2n });
  }
  expect(wrong).toEqual([]);
  // Parts of structures that were written are written with them.
  for (const struct of [...written.values()])
    for (const type of Object.values(struct.fields)) {
      if (type.kind === 'nested') written.set(keyOf(type.struct), type.struct);
      if (type.kind === 'array' && type.of.kind === 'nested') written.set(keyOf(type.of.struct), type.of.struct);
    }
  for (const own of contracts) for (const { header } of own.areas ?? []) if (header !== null) written.set(keyOf(header), header);
  const left = contracts
    .filter((contract) => isProposed(contract) && contract.status !== 'superseded')
    .flatMap(({ id, structs }) =>
      structs.filter((struct) => !written.has(keyOf(struct)) && NOT_WRITTEN[struct.name] === undefined).map(({ name }) => `${name}@${id}`),
    );
  expect(left).toEqual([]);
});
