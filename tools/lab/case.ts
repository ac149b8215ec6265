/** What a case is given, and what it says. */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { addTool, makeShare, type Share } from './guest.js';
import { atEnd } from '../../src/codec/at-end.js';

export interface LabOptions {
  /** the built package */
  readonly project: string;
  /** bzImage that boots first, and again after the jump */
  readonly kernel: string;
  /** what the engine calls the kernel that boots first, and again after the jump */
  readonly release: string;
  /** bzImage of another release; null where none is given */
  readonly other: string | null;
  /** a guest is ended after so long */
  readonly seconds: number;
  readonly seed: number;
  readonly count: number;
  /** a folder on a file system in memory, for guests' memory; the system's temporary folder where there is none */
  readonly memoryFolder: string | null;
  /** told what is done, a line at a time */
  readonly progress?: (line: string) => void;
}

export interface CaseResult {
  /** a line a comparison; disagreements say what each side had */
  readonly lines: readonly string[];
  readonly compared: number;
  readonly agreed: number;
}

/** Command line of a guest that hands over; a bzImage of 7.3 needs about 70 MiB of scratch in one piece. */
export const COMMAND_LINE = 'kho=on kho_scratch=160M,4M,4M liveupdate=on';
export const MEMORY = '1G';

/** A share with the tool, the kernel and the initramfs in it; removed when `use` is done. */
export async function withShare<T>(options: LabOptions, use: (share: Share) => Promise<T>): Promise<T> {
  const share = makeShare();
  using _sharePath = atEnd(() => rmSync(share.path, { recursive: true, force: true }));
  addTool(share, options.project);
  copyFileSync(options.kernel, join(share.path, 'vmlinuz'));
  if (options.other !== null) copyFileSync(options.other, join(share.path, 'vmlinuz-other'));
  return await use(share);
}

/** `luo-inspect live` of a scenario in the share, into a kernel in the share. */
export const liveCommand = (scenario: string, kernel = 'vmlinuz', append = '$(cat /proc/cmdline)'): string =>
  `/host/luo-inspect live /host/${scenario} --yes --allow-kexec --compare --json --state /host/live.state --kernel /host/${kernel} --initrd /host/initrd.img --append "${append}"`;
