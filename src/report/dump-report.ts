/** What `report`, `diagnose` and the terminal show of one dump: source, kernel, handovers, findings. */
import type { Finding } from '../diagnosis/finding.js';
import type { ConsoleLog } from '../diagnosis/log/console-log.js';
import type { KernelFacts } from '../kernel/facts.js';
import type { LiveObjects } from '../objects/model.js';
import type { DecodedDump, Handover } from '../handover/decode.js';
import type { Verdict } from '../verdict/verdict.js';

export interface DumpReport {
  readonly source: {
    readonly path: string;
    readonly container: string;
    readonly bytes: number;
    readonly arch: string | null;
    /** bytes */
    readonly pageSize: number;
    /** what the dump's writer left out on purpose, in words; absent where the dump does not say */
    readonly filter?: string;
    /** what of the memory was not searched for handovers, and why; absent where all of it was */
    readonly notSearched?: string;
  };
  /** `facts` null where the kernel itself could not be read */
  readonly kernel: {
    readonly release: string | null;
    readonly foundBy: string;
    readonly facts?: KernelFacts | null;
    readonly live?: LiveObjects | null;
  } | null;
  readonly handovers: readonly Handover[];
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  readonly decoded: DecodedDump;
  /** the console log that goes with the dump, where there is one */
  readonly log?: ConsoleLog | null;
  /** how container, roles and versions were recognised, for --verbose */
  readonly evidence: readonly string[];
}
