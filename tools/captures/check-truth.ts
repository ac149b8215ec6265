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

/** Sizes of `kho_scratch=` on a command line, in bytes. */
const scratchOf = (cmdline: string): readonly number[] =>
  (/kho_scratch=([\dM,]+)/.exec(cmdline)?.[1] ?? '').split(',').map((size) => Number.parseInt(size, 10) * 2 ** 20);

/** A moment of the next kernel's in which the sessions are freed already: whose handovers there are, and what the kernels were told. */
export function checkBooted(report: DumpReport, truth: Truth): Differences {
  const differences = new Differences();
  const side = (role: string) => report.handovers.find((handover) => handover.role === role);
  const [incoming, outgoing] = [side('incoming'), side('outgoing')];
  differences.equal('handovers', report.handovers.length, 2);
  differences.equal('arch', report.source.arch, truth.at('case').text()?.includes('arm64') === true ? 'aarch64' : 'x86_64');
  const release = truth.at('uname').text()?.split('|')[0];
  differences.equal('kernel', report.kernel?.release, truth.at('uname2').text()?.split('|')[0]);
  for (const [index, handover] of [incoming, outgoing].entries()) {
    const where = index === 0 ? 'incoming' : 'outgoing';
    differences.equal(`${where} compatible`, handover?.compatible, 'kho-v4');
    differences.equal(`${where} previous release`, handover?.kexecMetadata?.previousRelease, release);
    differences.equal(`${where} count of kexecs`, handover?.kexecMetadata?.kexecCount, index + 1);
    differences.equal(`${where} regions`, handover?.memblock?.map(({ name }) => name).join(), 'labmem');
  }
  for (const [index, size] of scratchOf(truth.at('cmdline_stage1').text() ?? '').entries())
    differences.equal(`scratch area ${index}`, incoming?.scratch.areas?.[index]?.size, size);
  return differences;
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
