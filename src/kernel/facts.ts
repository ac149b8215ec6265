/** What a dump tells of its kernel as a whole: tables and types it was read by, KASLR, tasks, uptime, configuration. */
import { gunzipSync } from 'node:zlib';
import { KernelFault, optional } from './fault.js';
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

/** Where the core timekeeper is (kernel/time/timekeeping.c, 6.16 to 7.3): an array since 6.17, one variable before. */
const TIMEKEEPERS: readonly { readonly symbol: string; readonly type: string; readonly path: string }[] = [
  { symbol: 'timekeeper_data', type: 'struct tk_data', path: 'timekeeper.ktime_sec' },
  { symbol: 'tk_core', type: 'struct tk_data', path: 'timekeeper.ktime_sec' },
];

/** Whole seconds of CLOCK_MONOTONIC at its last update; null where it can't be read. */
function uptimeSeconds(kernel: Kernel): number | null {
  for (const { symbol, type, path } of TIMEKEEPERS) {
    const seconds = optional(() => kernel.variable(symbol, type).get(path).number());
    if (seconds !== null && seconds >= 0) return seconds;
  }
  return null;
}

const MAX_COMPRESSED = 1 << 20;
const MAX_TEXT = 16 << 20;

/** The configuration a kernel carries, gzip between two marks (kernel/configs.c, 7.3): CONFIG_ names with their values; those that are not set are left out. Null where the kernel carries none, or it can't be read. */
function kernelConfig(kernel: Kernel): ReadonlyMap<string, string> | null {
  const start = kernel.symbols.find('kernel_config_data')[0]?.address;
  const end = kernel.symbols.find('kernel_config_data_end')[0]?.address;
  if (start === undefined || end === undefined || end <= start || end - start > BigInt(MAX_COMPRESSED)) return null;
  try {
    const text = gunzipSync(kernel.virtual.read(start, Number(end - start)), { maxOutputLength: MAX_TEXT }).toString('latin1');
    return new Map([...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
  } catch (error) {
    // A page that is missing, or bytes that are no gzip stream: then there is no configuration to be told.
    if (error instanceof KernelFault || (error instanceof Error && 'code' in error)) return null;
    throw error;
  }
}
