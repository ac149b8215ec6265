/**
 * The C compiler as an oracle: test/fixtures/c/contracts.h declares the structures by hand; a small program prints their
 * sizes, the offsets and sizes of their fields, and where each bit-field's bits stand. Without a compiler the table that
 * the program printed before (offsets.json) takes its place.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contractById, findStruct } from '../../abi/registry.js';
import type { Struct } from '../../abi/layout.js';
import { vfioPciCoreDeviceSerRfc } from '../../abi/vfio-pci/rfc.js';

export const PAGE_SIZES = [4096, 16384, 65536] as const;

const fixtures = fileURLToPath(new URL('../fixtures/c/', import.meta.url));
const tablePath = join(fixtures, 'offsets.json');

/** name in C -> structure in abi/, by name and contract */
const pairs: readonly (readonly [string, string, string])[] = [
  ['kho_scratch', 'kho_scratch', 'kho-v4'],
  ['khoser_mem_bitmap_ptr', 'khoser_mem_bitmap_ptr', 'kho-v1-page'],
  ['khoser_mem_chunk_hdr', 'khoser_mem_chunk_hdr', 'kho-v1-page'],
  ['khoser_mem_chunk', 'khoser_mem_chunk', 'kho-v1-512'],
  ['kho_mem_phys_bits_small', 'kho_mem_phys_bits', 'kho-v1-512'],
  ['kho_mem_phys_bits', 'kho_mem_phys_bits', 'kho-v1-page'],
  ['kho_radix_node', 'kho_radix_node', 'kho-v3'],
  ['kho_radix_leaf', 'kho_radix_leaf', 'kho-v3'],
  ['kho_vmalloc', 'kho_vmalloc', 'kho-vmalloc'],
  ['kho_vmalloc_chunk', 'kho_vmalloc_chunk', 'kho-vmalloc'],
  ['kho_block_header_ser', 'kho_block_header_ser', 'kho-block'],
  ['kho_kexec_metadata', 'kho_kexec_metadata', 'kexec-metadata-1'],
  ['kho_data', 'kho_data', 'x86-setup-data'],
  ['setup_data', 'setup_data', 'x86-setup-data'],
  ['fdt_header', 'fdt_header', 'fdt'],
  ['fdt_prop', 'fdt_prop', 'fdt'],
  ['luo_ser', 'luo_ser', 'luo-v5'],
  ['luo_ser', 'luo_ser', 'luo-v4'],
  ['luo_ser', 'luo_ser', 'luo-v3'],
  ['luo_ser_v2', 'luo_ser', 'luo-v2'],
  ['luo_session_header_ser', 'luo_session_header_ser', 'luo-v1'],
  ['luo_file_set_ser', 'luo_file_set_ser', 'luo-v1'],
  ['luo_session_ser', 'luo_session_ser', 'luo-v1'],
  ['luo_file_ser', 'luo_file_ser', 'luo-v1'],
  ['luo_flb_header_ser', 'luo_flb_header_ser', 'luo-flb-v1'],
  ['luo_flb_ser', 'luo_flb_ser', 'luo-flb-v1'],
  ['memfd_luo_folio_ser', 'memfd_luo_folio_ser', 'memfd-v2'],
  ['memfd_luo_ser_v1', 'memfd_luo_ser', 'memfd-v1'],
  ['memfd_luo_ser', 'memfd_luo_ser', 'memfd-v2'],
  ['vfio_rfc', 'vfio_pci_core_device_ser', 'vfio-v1'],
  ['vfio_rfc_saved', 'vfio_pci_core_device_ser', 'vfio-v1-saved-state'],
  ['vfio_v1_bdf', 'vfio_pci_core_device_ser', 'vfio-pci-v1-bdf'],
  ['vfio_v1_bdf_reset', 'vfio_pci_core_device_ser', 'vfio-pci-v1-bdf-reset'],
  ['vfio_iommufd_ser', 'vfio_iommufd_ser', 'vfio-pci-v1-iommufd'],
  ['vfio_v1_iommufd', 'vfio_pci_core_device_ser', 'vfio-pci-v1-iommufd'],
  ['vfio_v1', 'vfio_pci_core_device_ser', 'vfio-pci-v1'],
  ['vfio_v2', 'vfio_pci_core_device_ser', 'vfio-pci-v2'],
  ['pci_dev_ser4', 'pci_dev_ser', 'pci-v1-nr'],
  ['pci_dev_ser_padded', 'pci_dev_ser', 'pci-v1'],
  ['pci_dev_ser', 'pci_dev_ser', 'pci-v2'],
  ['pci_ser_nr', 'pci_ser', 'pci-v1-nr'],
  ['pci_ser16', 'pci_ser', 'pci-v1-max'],
  ['pci_ser8', 'pci_ser', 'pci-v3'],
  ['pci_ser_version', 'pci_ser', 'pci-version-1'],
  ['iommu_hdr_ser', 'iommu_hdr_ser', 'iommu-liveupdate-v1'],
  ['iommu_dev_map_ser', 'iommu_dev_map_ser', 'iommu-liveupdate-v1'],
  ['iommu_device_intel_ser', 'iommu_device_intel_ser', 'iommu-liveupdate-v1'],
  ['iommu_device_ser', 'iommu_device_ser', 'iommu-liveupdate-v1'],
  ['iommu_intel_ser', 'iommu_intel_ser', 'iommu-liveupdate-v1'],
  ['iommu_hw_ser', 'iommu_hw_ser', 'iommu-liveupdate-v1'],
  ['iommu_array_hdr_ser', 'iommu_array_hdr_ser', 'iommu-liveupdate-v1'],
  ['iommu_flb_ser', 'iommu_flb_ser', 'iommu-liveupdate-v1'],
  ['kvm_luo_ser', 'kvm_luo_ser', 'kvm_vm_luo_v1'],
  ['kvm_luo_ser_folios', 'kvm_luo_ser', 'kvm_vm_luo_v1-folios'],
  ['guest_memfd_luo_folio_ser', 'guest_memfd_luo_folio_ser', 'guest_memfd_luo_v1'],
  ['guest_memfd_luo_ser', 'guest_memfd_luo_ser', 'guest_memfd_luo_v1'],
  ['hugetlb_hstate_ser', 'hugetlb_hstate_ser', 'hugetlb-v1'],
  ['hugetlb_ser', 'hugetlb_ser', 'hugetlb-v1'],
  ['liveupdate_ioctl_create_session', 'liveupdate_ioctl_create_session', 'uapi-liveupdate'],
  ['liveupdate_ioctl_retrieve_session', 'liveupdate_ioctl_retrieve_session', 'uapi-liveupdate'],
  ['liveupdate_session_preserve_fd', 'liveupdate_session_preserve_fd', 'uapi-liveupdate'],
  ['liveupdate_session_retrieve_fd', 'liveupdate_session_retrieve_fd', 'uapi-liveupdate'],
  ['liveupdate_session_finish', 'liveupdate_session_finish', 'uapi-liveupdate'],
  ['liveupdate_session_get_name', 'liveupdate_session_get_name', 'uapi-liveupdate-get-name'],
  ['list_head', 'list_head', 'kernel-7.3'],
  ['kho_block_set', 'kho_block_set', 'kernel-7.3'],
  ['luo_file_set', 'luo_file_set', 'kernel-7.3'],
  ['luo_session', 'luo_session', 'kernel-7.3'],
  ['luo_file', 'luo_file', 'kernel-7.3'],
  ['luo_session_header', 'luo_session_header', 'kernel-7.3'],
  ['luo_session_global', 'luo_session_global', 'kernel-7.3'],
  ['luo_global', 'luo_global', 'kernel-7.3'],
  ['liveupdate_file_handler', 'liveupdate_file_handler', 'kernel-7.3'],
  ['kho_radix_tree', 'kho_radix_tree', 'kernel-7.3'],
  ['kho_debugfs', 'kho_debugfs', 'kernel-7.3'],
  ['kho_in', 'kho_in', 'kernel-7.3'],
  ['kho_out', 'kho_out', 'kernel-7.3'],
  ['luo_flb_private_state', 'luo_flb_private_state', 'kernel-7.3'],
  ['luo_flb_private', 'luo_flb_private', 'kernel-7.3'],
  ['liveupdate_flb', 'liveupdate_flb', 'kernel-7.3'],
  ['luo_flb_header', 'luo_flb_header', 'kernel-7.3'],
  ['luo_flb_global', 'luo_flb_global', 'kernel-7.3'],
  ['pci_ser_v2', 'pci_ser', 'pci-version-2'],
  ['pci_dev_ser_v2', 'pci_dev_ser', 'pci-version-2'],
  ['caretaker_telemetry', 'kvm_caretaker_telemetry_ser', 'kvm_vcpu_luo_v1'],
  ['caretaker_cb_a', 'kvm_caretaker_cb_ser', 'kvm_vcpu_luo_v1'],
  ['caretaker_cb_b', 'kvm_caretaker_cb_ser', 'kvm_vcpu_luo_v1-cb-first'],
  ['kvm_vcpu_a', 'kvm_vcpu_ser', 'kvm_vcpu_luo_v1'],
  ['kvm_vcpu_b', 'kvm_vcpu_ser', 'kvm_vcpu_luo_v1-cb-first'],
  ['vcpu_x86_a', 'kvm_vcpu_arch_ser', 'kvm_vcpu_luo_v1'],
  ['vcpu_x86_b', 'kvm_vcpu_arch_ser', 'kvm_vcpu_luo_v1-cb-first'],
  ['caretaker_arm64', 'kvm_caretaker_arm64_ser', 'kvm_vcpu_luo_v1'],
  ['vcpu_sysregs', 'kvm_vcpu_sysregs_ser', 'kvm_vcpu_luo_v1'],
  ['kvm_luo_attributes', 'kvm_luo_ser', 'kvm_vm_luo_v1-attributes'],
  ['kvm_mem_attr', 'kvm_mem_attr_ser', 'kvm_vm_luo_v1-attributes'],
  ['kvm_kho_folios', 'kvm_kho_folios_ser', 'kvm_vm_luo_v1-folios'],
  ['cpu_as_b', 'cpu_as_ser', 'cpu_fh_v1'],
  ['cpu_session', 'cpu_session_ser', 'cpu_fh_v1'],
  ['cpu_b', 'cpu_ser', 'cpu_fh_v1'],
  ['cpu_flb_b', 'cpu_flb_ser', 'cpu_flb_v1'],
  ['cpu_as_a', 'cpu_as_ser', 'cpu_fh_v1-mailbox'],
  ['cpu_a', 'cpu_ser', 'cpu_fh_v1-mailbox'],
  ['cpu_flb_a', 'cpu_flb_ser', 'cpu_flb_v1-mailbox'],
  ['hwpoison_kho', 'hwpoison_kho_ser', 'hwpoison-1'],
  ['iommu_flb_branch', 'iommu_flb_ser', 'iommu-liveupdate'],
  ['iommu_domain_packed', 'iommu_domain_ser', 'iommu-liveupdate-packed'],
  ['luo_ser_composite', 'luo_ser', 'luo-v5;block-v1'],
  ['memfd_luo_ser', 'memfd_luo_ser', 'memfd-v2;vmalloc-v1'],
  ['features_head', 'liveupdate_features_head', 'liveupdate-features-section'],
  ['features_entry', 'liveupdate_features_entry', 'liveupdate-features-section'],
  ['cpu_pgtable_page', 'cpu_pgtable_page_ser', 'cpu_fh_v1'],
  ['iommu_domain_branch', 'iommu_domain_ser', 'iommu-liveupdate'],
  ['iommu_device_branch', 'iommu_device_ser', 'iommu-liveupdate'],
  ['iommu_device_intel_branch', 'iommu_device_intel_ser', 'iommu-liveupdate'],
  ['iommu_device_smmu', 'iommu_device_smmuv3_ser', 'iommu-liveupdate'],
  ['iommu_smmu', 'iommu_smmuv3_ser', 'iommu-liveupdate'],
  ['iommu_hw_branch', 'iommu_hw_ser', 'iommu-liveupdate'],
  ['iommu_dma_alloc', 'iommu_dma_alloc_ser', 'iommu-liveupdate'],
  ['iommufd_hwpt', 'iommufd_hwpt_ser', 'iommufd-v1'],
  ['iommufd_ser', 'iommufd_ser', 'iommufd-v1'],
  ['luo_feature_hdr', 'luo_feature_hdr', 'luo-features'],
  ['luo_ser_features', 'luo_ser', 'luo-features'],
  ['memfd_luo_features', 'memfd_luo_ser', 'memfd'],
  ['kvm_memory_attributes2', 'kvm_memory_attributes2', 'kvm-in-place-conversion'],
  ['nvmm_state', 'nvmm_state', 'nanovmm-state-v3'],
];

interface Pair {
  readonly c: string;
  readonly contract: string;
  readonly struct: Struct;
}

export const oraclePairs: readonly Pair[] = pairs.map(([c, name, contract]) => {
  // The two forms of the RFC share a string, which is the id of one of them.
  const found = findStruct(name, contract).map((entry) => entry.struct);
  const exact = contractById(contract)?.structs.find((one) => one.name === name);
  const struct = contract === 'vfio-v1' ? found.find((one) => one === vfioPciCoreDeviceSerRfc) : (exact ?? found.at(0));
  if (struct === undefined) throw new Error(`no struct ${name} in ${contract}`);
  return { c, contract, struct };
});

interface CField {
  readonly offset: number;
  readonly size: number;
}

interface CLayout {
  readonly size: number;
  readonly fields: Readonly<Record<string, CField>>;
  /** the whole structure in hex with every bit of that bit-field set and no other */
  readonly bits: Readonly<Record<string, string>>;
}

/** page size -> name in C -> layout */
export type CTable = Readonly<Record<string, Readonly<Record<string, CLayout>>>>;

/** The C compiler's command, or null where there is none that builds for a 64-bit little-endian machine. */
export function compiler(): string | null {
  for (const command of ['cc', 'gcc', 'clang']) {
    try {
      const macros = execFileSync(command, ['-dM', '-E', '-x', 'c', '/dev/null'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      if (/__SIZEOF_POINTER__ 8\b/.test(macros) && /__BYTE_ORDER__ __ORDER_LITTLE_ENDIAN__/.test(macros)) return command;
    } catch {
      // Not installed: the next one.
    }
  }
  return null;
}

/** Compiles and runs the program for each page size. */
export function askCompiler(command: string): CTable {
  const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-c-'));
  try {
    const source = join(folder, 'layout.c');
    writeFileSync(source, program());
    const table: Record<string, Readonly<Record<string, CLayout>>> = {};
    for (const pageSize of PAGE_SIZES) {
      const binary = join(folder, `layout-${pageSize}`);
      execFileSync(command, ['-std=gnu11', '-O0', '-w', `-DPAGE_SIZE=${pageSize}`, `-I${fixtures}`, '-o', binary, source], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      table[pageSize] = parse(execFileSync(binary, { encoding: 'utf8' }));
    }
    return table;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function program(): string {
  const lines = ['#include <stdio.h>', '#include <string.h>', '#include "contracts.h"', 'int main(void) {'];
  for (const { c, struct } of new Map(oraclePairs.map((pair) => [pair.c, pair])).values()) {
    lines.push(`printf("struct ${c} %zu\\n", sizeof(struct ${c}));`);
    for (const [name, type] of Object.entries(struct.fields)) {
      if (type.kind === 'bits') {
        for (const bit of Object.keys(type.fields)) {
          lines.push(`{ struct ${c} v; memset(&v, 0, sizeof v); v.${bit} = -1; unsigned char b[sizeof v]; memcpy(b, &v, sizeof v);`);
          lines.push(`printf("bits ${bit} "); for (size_t i = 0; i < sizeof b; i++) printf("%02x", b[i]); printf("\\n"); }`);
        }
      } else {
        lines.push(`printf("field ${name} %zu %zu\\n", offsetof(struct ${c}, ${name}), sizeof(((struct ${c} *)0)->${name}));`);
      }
    }
  }
  lines.push('return 0; }');
  return lines.join('\n');
}

interface Open {
  readonly size: number;
  readonly fields: Record<string, CField>;
  readonly bits: Record<string, string>;
}

function parse(output: string): Record<string, CLayout> {
  const table: Record<string, Open> = {};
  let current: Open = { size: 0, fields: {}, bits: {} };
  for (const line of output.trim().split('\n')) {
    const [kind, name = '', first = '', second = ''] = line.split(' ');
    if (kind === 'struct') {
      current = { size: Number(first), fields: {}, bits: {} };
      table[name] = current;
    } else if (kind === 'field') current.fields[name] = { offset: Number(first), size: Number(second) };
    else current.bits[name] = first;
  }
  return table;
}

/** @throws Error if the stored table is no table of layouts */
export function storedTable(): CTable {
  const table: unknown = JSON.parse(readFileSync(tablePath, 'utf8'));
  if (!isTable(table)) throw new Error(`${tablePath} is no table of layouts`);
  return table;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;
const isLayout = (value: unknown): value is CLayout => isRecord(value) && typeof value.size === 'number' && isRecord(value.fields) && isRecord(value.bits);
const isTable = (value: unknown): value is CTable =>
  isRecord(value) && Object.values(value).every((page) => isRecord(page) && Object.values(page).every(isLayout));

export const storeTable = (table: CTable): void => writeFileSync(tablePath, `${JSON.stringify(table, null, 1)}\n`);
