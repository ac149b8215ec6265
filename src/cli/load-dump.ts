/** Opens a dump, decodes and diagnoses it: what every command that takes a dump does first. */
import type { OpenedDump } from '../container/opened-dump.js';
import { openDump } from '../container/open.js';
import { diagnose } from '../diagnosis/diagnose.js';
import { UserError } from '../codec/user-error.js';
import { decodeHandovers } from '../handover/decode.js';
import { findLog } from './find-log.js';
import type { DumpReport } from '../report/dump-report.js';

export interface LoadOptions {
  /** physical address of the root FDT, as the user wrote it */
  readonly khoFdt?: string | undefined;
  /** a console log's path; false for none; otherwise the folder's console.log or the dump's own printk buffer is taken */
  readonly log?: string | boolean | undefined;
}

export interface LoadedDump {
  readonly opened: OpenedDump;
  readonly report: DumpReport;
}

/** @throws UserError if the dump can't be read, or holds no handover */
export async function loadDump(path: string, options: LoadOptions = {}): Promise<LoadedDump> {
  const opened = await openDump(path);
  try {
    return { opened, report: await reportOf(opened, options) };
  } catch (error) {
    opened.close();
    throw error;
  }
}

async function reportOf(opened: OpenedDump, options: LoadOptions): Promise<DumpReport> {
  const release = opened.vmcoreinfo?.get('OSRELEASE') ?? null;
  const khoFdt = options.khoFdt === undefined ? null : parseAddress(options.khoFdt);
  const decoded = decodeHandovers({ memory: opened.memory, files: opened.handoverFiles, khoFdt, runningRelease: release });
  if (decoded.handovers.length === 0) {
    throw new UserError(
      `${opened.path}: no handover found; searched ${decoded.find.searched.join(', and ')}. If you know where the root FDT is, name it: --kho-fdt 0x…`,
    );
  }
  const log = await findLog(opened, options.log ?? true);
  return {
    source: { path: opened.path, container: opened.container, bytes: opened.bytes, arch: opened.arch, pageSize: opened.memory.pageSize },
    kernel: release === null ? null : { release, foundBy: 'vmcoreinfo' },
    handovers: decoded.handovers,
    findings: diagnose(decoded, { log }),
    decoded,
    evidence: [
      ...opened.evidence,
      ...(log === null ? [] : [`console log: ${log.path}`]),
      ...decoded.find.searched,
      ...decoded.handovers.map((handover) => `${handover.path}: ${handover.roleEvidence}`),
    ],
  };
}

/** @throws UserError unless `text` is a decimal or 0x number that can be a physical address */
export function parseAddress(text: string): number {
  const value = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value >= 2 ** 52) throw new UserError(`${JSON.stringify(text)} is no physical address; write it as 0x… or in decimal`);
  return value;
}
