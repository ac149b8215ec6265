/**
 * The library: what `import { openDump, diagnose } from 'luo-inspect'` gives. The documents are those of the commands' --json, with the
 * same schemas; they grow by addition. docs/library.md shows it in use.
 */
import { loadDump } from '../cli/load-dump.js';
import { Budget, withBudget } from '../codec/budget.js';
import { type LimitName, limits } from '../codec/limits.js';
import { UserError } from '../codec/user-error.js';
import type { OpenedDump } from '../container/opened-dump.js';
import type { Finding, ForetoldBy, Reaction, Severity } from '../diagnosis/finding.js';
import type { DumpReport } from '../report/dump-report.js';
import { type HeldObject as JsonObject, heldObject } from '../report/json-value.js';
import { reportJson } from '../report/report-json.js';

export { limits, UserError };
export type { Finding, ForetoldBy, JsonObject, LimitName, Reaction, Severity };

export interface OpenOptions {
  /** physical address of the root FDT, where it is not found by itself */
  readonly khoFdt?: bigint | number;
  /** a console log's path; false: the console.log beside the dump and the dump's own printk buffer are left alone */
  readonly log?: string | false;
  /** limits other than those of `limits` */
  readonly limits?: Partial<Readonly<Record<LimitName, number>>>;
}

/** A dump that was opened, decoded and looked through. */
export class Dump {
  readonly #opened: OpenedDump;
  readonly #report: DumpReport;

  /** @internal */
  constructor(opened: OpenedDump, report: DumpReport) {
    this.#opened = opened;
    this.#report = report;
  }

  /** Worst first: what decides the outcome of the handover before what accompanies it. */
  get findings(): readonly Finding[] {
    return this.#report.findings;
  }

  /** Everything decoded, with the findings: schema luo-inspect.report/1. Lists are arrays: all runs of all folio tables are held. */
  toJSON(): JsonObject {
    return heldObject(reportJson(this.#report));
  }

  /** Closes its file; what was read stays. May be called twice. */
  close(): void {
    this.#opened.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Opens a dump: a file or a folder of any kind that the commands read, compressed or not.
 * @throws UserError with one line that says what is wrong with it, where, and what to try
 */
export async function openDump(path: string, options: OpenOptions = {}): Promise<Dump> {
  const { opened, report } = await withBudget(new Budget(options.limits), () =>
    loadDump(path, { khoFdt: options.khoFdt === undefined ? undefined : `${options.khoFdt}`, log: options.log }),
  );
  return new Dump(opened, report);
}

/** What is wrong with the handovers of a dump, and what the next kernel does about it, worst first. */
export const diagnose = (dump: Dump): readonly Finding[] => dump.findings;
