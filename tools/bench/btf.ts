/**
 * BTF of a distribution kernel's size: opening it and asking for a few structures, beside `bpftool btf dump`, which
 * decodes everything. For `npm run bench`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { openBtf } from '../../src/compat/btf/btf.js';
import { openKernelFile } from '../../src/compat/btf/kernel-file.js';

const RUNNING_KERNEL = '/sys/kernel/btf/vmlinux';
const RUNS = 5;
const structures = ['task_struct', 'page', 'file', 'inode', 'kvm_run', 'pci_dev', 'list_head', 'mm_struct', 'vm_area_struct', 'zone'];

/** Lines to print; times are medians in milliseconds. */
export async function run(): Promise<string[]> {
  const lines = await decompressed();
  if (!existsSync(RUNNING_KERNEL)) return [...lines, `btf: ${RUNNING_KERNEL} is not here, so nothing of a whole kernel was measured`];
  const bytes = readFileSync(RUNNING_KERNEL);
  const types = openBtf(bytes, RUNNING_KERNEL).typeCount;
  lines.push(`btf: ${RUNNING_KERNEL}, ${(bytes.length / 2 ** 20).toFixed(1)} MiB, ${types} types`);
  lines.push(`btf:   open                                ${median(() => openBtf(bytes, RUNNING_KERNEL))} ms`);
  lines.push(`btf:   open, then ${structures.length} structures with members  ${median(() => query(bytes))} ms`);
  lines.push(`btf:   open, then look at every type       ${median(() => openBtf(bytes, RUNNING_KERNEL).verify())} ms`);
  lines.push(`btf:   bpftool btf dump                    ${bpftool()}`);
  return lines;
}

function query(bytes: Uint8Array): number {
  const btf = openBtf(bytes, RUNNING_KERNEL);
  return structures.reduce((sum, name) => {
    const id = btf.find('STRUCT', name);
    return id === null ? sum : sum + btf.structLayout(id).members.length;
  }, 0);
}

async function decompressed(): Promise<string[]> {
  const fixture = 'test/fixtures/btf/7.3.4.BTF.xz';
  if (!existsSync(fixture)) return [];
  const start = performance.now();
  await openKernelFile(fixture);
  return [`btf: 7.3.4.BTF.xz, decompressed and indexed    ${(performance.now() - start).toFixed(1)} ms`];
}

function bpftool(): string {
  try {
    return `${median(() => execFileSync('bpftool', ['btf', 'dump', 'file', RUNNING_KERNEL], { maxBuffer: 1 << 29, stdio: ['ignore', 'pipe', 'ignore'] }))} ms`;
  } catch {
    return 'not here, or it failed';
  }
}

function median(work: () => unknown): string {
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  }).sort((one, other) => one - other);
  return (times[RUNS >> 1] ?? 0).toFixed(1);
}
