/** Opens a dump, decodes and diagnoses it: what every command that takes a dump does first. */
import type { OpenedDump } from '../container/opened-dump.js';
import { openDump } from '../container/open.js';
import { diagnose } from '../diagnosis/diagnose.js';
import { UserError } from '../codec/user-error.js';
import { decodeHandovers } from '../handover/decode.js';
import type { DumpReport } from '../report/dump-report.js';

export interface LoadOptions {
  /** physical address of the root FDT, as the user wrote it */
  readonly khoFdt?: string | undefined;
}

export interface LoadedDump {
  readonly opened: OpenedDump;
  readonly report: DumpReport;
}

/** @throws UserError if the dump can't be read, or holds no handover */
export async function loadDump(path: string, options: LoadOptions = {}): Promise<LoadedDump> {
  const opened = await openDump(path);
  try {
    return { opened, report: reportOf(opened, options) };
  } catch (error) {
    opened.close();
    throw error;
  }
}

function reportOf(opened: OpenedDump, options: LoadOptions): DumpReport {
  const release = opened.vmcoreinfo?.get('OSRELEASE') ?? null;
  const khoFdt = options.khoFdt === undefined ? null : parseAddress(options.khoFdt);
  const decoded = decodeHandovers({ memory: opened.memory, files: opened.handoverFiles, khoFdt, runningRelease: release });
  if (decoded.handovers.length === 0) {
    throw new UserError(
      `${opened.path}: no handover found; searched ${decoded.find.searched.join(', and ')}. If you know where the root FDT is, name it: --kho-fdt 0x…`,
    );
  }
  return {
    source: { path: opened.path, container: opened.container, bytes: opened.bytes, arch: opened.arch, pageSize: opened.memory.pageSize },
    kernel: release === null ? null : { release, foundBy: 'vmcoreinfo' },
    handovers: decoded.handovers,
    findings: diagnose(decoded),
    decoded,
    evidence: [...opened.evidence, ...decoded.find.searched, ...decoded.handovers.map((handover) => `${handover.path}: ${handover.roleEvidence}`)],
  };
}

/** @throws UserError unless `text` is a decimal or 0x number that can be a physical address */
export function parseAddress(text: string): number {
  const value = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value >= 2 ** 52) throw new UserError(`${JSON.stringify(text)} is no physical address; write it as 0x… or in decimal`);
  return value;
}
