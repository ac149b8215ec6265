/** The report as JSON, a line each: for dumps whose report is too large for a reader to hold. Each line has `type`; what hangs together names its `handover`, `session` and `token`. */
import type { Handover } from '../handover/decode.js';
import type { JsonObject } from './json-value.js';
import type { DumpReport } from './dump-report.js';
import { fileJson, findingJson, flbJson, handoverJson, kernelJson, runsJson, sessionJson, sourceJson, verdictJson } from './report-json.js';

export function* reportNdjson(report: DumpReport): Iterable<string> {
  const line = (type: string, value: object): string => JSON.stringify({ type, ...value });
  yield line('source', {
    schema: 'luo-inspect.report-lines/1',
    source: sourceJson(report),
    kernel: report.kernel === null ? null : kernelJson(report.kernel),
  });
  yield line('verdict', verdictJson(report.verdict));
  for (const handover of report.handovers) {
    const { luo, ...rest } = handoverJson(handover, report.source.pageSize);
    yield line('handover', { handover: handover.path, ...rest, luo: withoutLists(luo) });
    yield* luoLines(handover, line);
  }
  for (const finding of report.findings) yield line('finding', findingJson(finding));
}

/** Sessions and FLBs have lines of their own. */
function withoutLists(luo: JsonObject[string] | undefined): JsonObject | null {
  if (typeof luo !== 'object' || luo === null || Array.isArray(luo)) return null;
  return Object.fromEntries(Object.entries(luo).filter(([key]) => key !== 'sessions' && key !== 'flbs'));
}

function* luoLines(handover: Handover, line: (type: string, value: object) => string): Iterable<string> {
  for (const session of handover.luo?.sessions ?? []) {
    const { files: _, ...own } = sessionJson({ ...session, files: [] }, handover);
    const where = { handover: handover.path, session: session.name.text };
    yield line('session', { handover: handover.path, ...own, files: session.files.length });
    for (const file of session.files) {
      const { decoded } = file;
      const { token } = fileJson({ ...file, decoded: null }, handover);
      const whole = fileJson(file, handover);
      yield line('file', { ...where, ...whole, decoded: countedOnly(whole.decoded) });
      if (decoded?.kind === 'memfd') for (const run of runsJson(decoded)) yield line('run', { ...where, token, ...run });
    }
  }
  for (const flb of handover.luo?.flbs ?? []) yield line('flb', { handover: handover.path, ...flbJson(flb) });
}

/** A memfd's runs have lines of their own. */
function countedOnly(decoded: JsonObject[string] | undefined): unknown {
  if (typeof decoded !== 'object' || decoded === null || !('folios' in decoded) || typeof decoded.folios !== 'object' || decoded.folios === null)
    return decoded;
  const { runs: _, ...folios } = Object.fromEntries(Object.entries(decoded.folios));
  return { ...decoded, folios };
}
