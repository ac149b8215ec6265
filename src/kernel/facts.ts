/** What a dump tells of its kernel as a whole: tables and types it was read by, KASLR, tasks, uptime, configuration. */
import { kernelConfig } from './config.js';
import { uptimeSeconds } from './clock.js';
import { optional } from './fault.js';
import type { Kernel } from './kernel.js';
import { processes } from './tasks.js';

export interface KernelFacts {
  /** null where no table of symbols could be read */
  readonly symbols: { readonly source: string; readonly count: number; readonly variables: boolean } | null;
  readonly btf: { readonly source: string; readonly types: number } | null;
  /** physical: where the kernel's image lies; null where no symbol tells */
  readonly image: { readonly start: number; readonly end: number } | null;
  /** bytes by which KASLR moved the kernel; null where nothing tells */
  readonly kaslr: bigint | null;
  /** processes, init_task included */
  readonly taskCount: number | null;
  /** whole seconds of CLOCK_MONOTONIC */
  readonly uptime: number | null;
  /** options whose name starts with one of `configPrefixes`, in the kernel's order; null where it carries no configuration */
  readonly config: ReadonlyMap<string, string> | null;
}

/** @param configPrefixes which options are wanted, `CONFIG_KEXEC_` … */
export function kernelFacts(kernel: Kernel, configPrefixes: readonly string[]): KernelFacts {
  const { symbols, typesOrNull, info } = kernel;
  const config = kernelConfig(kernel);
  return {
    symbols: symbols.count === 0 ? null : { source: symbols.source, count: symbols.count, variables: symbols.hasData },
    btf: typesOrNull === null ? null : { source: typesOrNull.source, types: typesOrNull.btf.typeCount },
    image: optional(() => imageOf(kernel)),
    kaslr: info.hex('KERNELOFFSET'),
    taskCount: optional(() => countProcesses(kernel)),
    uptime: uptimeSeconds(kernel),
    config: config === null ? null : new Map([...config].filter(([name]) => configPrefixes.some((prefix) => name.startsWith(prefix)))),
  };
}

/** From _text to _end, which follow each other in physical memory as they do in the kernel's own map. */
function imageOf({ symbols, virtual }: Kernel): { readonly start: number; readonly end: number } | null {
  const text = (symbols.find('_text')[0] ?? symbols.find('_stext')[0])?.address;
  const end = symbols.find('_end')[0]?.address;
  if (text === undefined || end === undefined || end <= text) return null;
  const start = virtual.translate(text);
  return { start, end: start + Number(end - text) };
}

function countProcesses(kernel: Kernel): number {
  let count = 0;
  for (const task of processes(kernel)) count += task.address === 0n ? 0 : 1;
  return count;
}
