/** Holds the sessions of a frozen or early moment against what the guest did: sizes, seals, positions, page frames, contents. */
import { createHash } from 'node:crypto';
import { readContents } from '../../src/handover/contents.js';
import type { LuoFile } from '../../src/handover/luo.js';
import type { Memfd } from '../../src/handover/memfd.js';
import type { DumpReport } from '../../src/report/dump-report.js';
import { Differences } from './check-moment.js';
import type { Truth } from './json-path.js';

export interface TruthResult {
  readonly differences: Differences;
  /** memfds whose contents hash to the ground truth's SHA-256 */
  readonly hashed: number;
  /** memfds some of whose pages are not in the dump */
  readonly notInDump: number;
}

/** `skipFields`: values that were damaged on purpose (decimal text of the physical address), not to be compared. */
export function checkAgainstTruth(report: DumpReport, truth: Truth, damaged: boolean): TruthResult {
  const differences = new Differences();
  const sessions = report.handovers.find((handover) => (handover.luo?.sessions?.length ?? 0) > 0)?.luo?.sessions ?? [];
  let hashed = 0;
  let notInDump = 0;
  const expected = truth.at('sessions').list();
  differences.equal('sessions of the guest', sessions.length, expected.length);
  for (const session of expected) {
    const own = sessions.find((candidate) => candidate.name.text === session.at('name').text());
    differences.equal(`session ${session.at('name')}`, own?.name.text, session.at('name').text());
    const preserved = session
      .at('files')
      .list()
      .filter((file) => file.at('preserve', 'ret').integer() === 0n);
    if (!damaged) differences.equal(`files of session ${session.at('name')}`, own?.files.length, preserved.length);
    for (const [index, file] of preserved.entries()) {
      const ours = own?.files[index];
      if (ours === undefined || (damaged && ours.decoded === null)) continue;
      const result = checkFile(differences, report, ours, file, `${session.at('name')}/${file.at('token')}`, damaged);
      hashed += result === 'hashed' ? 1 : 0;
      notInDump += result === 'not-in-dump' ? 1 : 0;
    }
  }
  return { differences, hashed, notInDump };
}

function checkFile(
  differences: Differences,
  report: DumpReport,
  file: LuoFile,
  expected: Truth,
  where: string,
  damaged: boolean,
): 'hashed' | 'not-in-dump' | 'none' {
  differences.equal(`${where} token`, file.token, expected.at('token').integer());
  if (file.decoded?.kind !== 'memfd') {
    const values = file.decoded?.kind === 'struct' ? file.decoded.reading.values : null;
    if (expected.at('bdf').exists) differences.equal(`${where} device`, values === null ? null : 'decoded', 'decoded');
    return 'none';
  }
  const memfd = file.decoded;
  if (damaged) return 'none';
  differences.equal(`${where} size`, memfd.size, expected.at('size').integer());
  if (memfd.seals !== null) differences.equal(`${where} seals`, memfd.seals, expected.at('seals').integer());
  if (expected.at('pos_at_kexec').exists) differences.equal(`${where} pos`, memfd.pos, expected.at('pos_at_kexec').integer());
  checkFrames(differences, memfd, expected, where);
  return checkContents(differences, report, memfd, expected.at('sha256').text(), where);
}

/** /proc/self/pagemap's runs of page frames, each inside our runs. */
function checkFrames(differences: Differences, memfd: Memfd, expected: Truth, where: string): void {
  const runs = [...memfd.runs()].map((run) => ({ ...run, index: Number(run.index) }));
  for (const run of expected.at('pfn_runs').list()) {
    const [index, pfn, pages] = run.list().map((item) => Number(item.integer()));
    if (index === undefined || pfn === undefined || pages === undefined) continue;
    for (const page of [0, pages - 1]) {
      const own = runs.find((candidate) => candidate.index <= index + page && index + page < candidate.index + candidate.pages);
      differences.equal(`${where} page frame of page ${index + page}`, own === undefined ? null : own.pfn + index + page - own.index, pfn + page);
    }
  }
}

function checkContents(differences: Differences, report: DumpReport, memfd: Memfd, sha256: string | null, where: string): 'hashed' | 'not-in-dump' | 'none' {
  if (sha256 === null) return 'none';
  const hash = createHash('sha256');
  for (const piece of readContents(memfd, report.decoded.memory)) {
    if ('bytes' in piece) hash.update(piece.bytes);
    else if ('hole' in piece) for (let left = piece.length; left > 0; left -= ZEROS.length) hash.update(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
    else return 'not-in-dump';
  }
  differences.equal(`${where} SHA-256`, hash.digest('hex'), sha256);
  return 'hashed';
}

const ZEROS = new Uint8Array(1 << 20);
