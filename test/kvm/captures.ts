/** The snapshots of samples/kvm with their ground truth. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface CapturedRun {
  readonly file: string;
  readonly ret: number;
  readonly errno: number;
  readonly exit_reason: number;
  readonly stale: boolean;
  readonly immediate_exit: number;
  readonly if_flag: number;
  readonly run_flags: number;
  readonly cr8: number;
  readonly apic_base: number;
  readonly io?: {
    readonly direction: number;
    readonly size: number;
    readonly port: number;
    readonly count: number;
    readonly data_offset: number;
    readonly data_hex: string;
  };
  readonly mmio?: { readonly phys_addr: number; readonly len: number; readonly is_write: number; readonly data_hex: string };
  readonly memory_fault?: { readonly flags: number; readonly gpa: number; readonly size: number };
  readonly hypercall?: { readonly nr: number; readonly args: readonly number[]; readonly ret: number; readonly flags: number };
  readonly internal?: { readonly suberror: number; readonly ndata: number; readonly data: readonly number[] };
  readonly system_event?: { readonly type: number; readonly ndata: number; readonly data: readonly number[] };
}

export const FOLDER = join(import.meta.dirname, '../../samples/kvm');

const isRun = (value: unknown): value is CapturedRun => typeof value === 'object' && value !== null && 'file' in value && 'exit_reason' in value;

const truth: unknown = JSON.parse(readFileSync(join(FOLDER, 'kvm.json'), 'utf8'));
const listed: readonly unknown[] = typeof truth === 'object' && truth !== null && 'runs' in truth && Array.isArray(truth.runs) ? truth.runs : [];

export const runs: readonly CapturedRun[] = listed.filter(isRun);

export const capture = (file: string): Uint8Array => Uint8Array.from(readFileSync(join(FOLDER, file)));

/** The one whose name ends in `name`. */
export const captureOf = (name: string): Uint8Array => {
  const run = runs.find(({ file }) => file.endsWith(`-${name}.kvm_run`));
  if (run === undefined) throw new Error(`no capture ${name}`);
  return capture(run.file);
};
