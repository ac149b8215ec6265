/** Checks every moment of a folder of captures (and of the folders in it) against its ground truth. For `npm run captures`. */
import { readdirSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadDump } from '../../src/cli/load-dump.js';
import { Differences, checkAgainstDecoder } from './check-moment.js';
import { checkAgainstTruth, checkBooted, type TruthResult } from './check-truth.js';
import { Truth } from './json-path.js';
import { createHash } from 'node:crypto';
import { readContents } from '../../src/handover/contents.js';
import { phaseOfRole, stateOfRole } from '../../src/handover/life.js';
import type { LuoFile } from '../../src/handover/luo.js';
import type { Memfd } from '../../src/handover/memfd.js';
import type { DumpReport } from '../../src/report/dump-report.js';
import { atEnd } from '../../src/codec/at-end.js';

export interface MomentResult {
  readonly dump: string;
  readonly compared: number;
  readonly hashed: number;
  readonly notInDump: number;
  readonly differences: Differences['all'];
}

const DUMP = /^(.+?)\.(?:(?:sparse|full)\.)?elf(\.(xz|zst|gz))?$/;
/** Moments in which what was handed over is whole. */
const WHOLE = /^s1-frozen$|^s2-at-/;
/** Moments of the next kernel's in which what it received is freed. */
const BOOTED = /^s2-(boot|opened|retrieved|finished)$/;

/** Checks all captures below `folder`, one after another; yields a result each. */
export async function* checkFolder(folder: string): AsyncIterable<MomentResult> {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    const [, moment] = DUMP.exec(name) ?? [];
    const hasTruth = ['truth.json', `${moment}.decoded.json`].some((beside) => existsSync(join(folder, beside)));
    if (moment !== undefined && hasTruth) yield await checkDump(folder, path, moment);
    else if (name === 'objects.json') yield* checkMoments(folder, Truth.parse(readFileSync(path, 'utf8')));
    else if (statSync(path).isDirectory() && !name.endsWith('-kho') && !name.endsWith('-boot_params')) yield* checkFolder(path);
  }
}

/** Dumps of running kernels: `objects.json` names them and says what is true in each. */
async function* checkMoments(folder: string, truth: Truth): AsyncIterable<MomentResult> {
  for (const moment of truth.at('moments').keys()) {
    const dump = truth.at('moments', moment, 'dump').text();
    if (dump === null) continue;
    const path = join(folder, dump);
    const { opened, report } = await loadDump(path, {});
    using _opened = atEnd(() => opened.close());
    const { differences, hashed, notInDump } = checkObjects(report, truth.at('moments', moment));
    yield { dump: path, compared: differences.compared, hashed, notInDump, differences: differences.all };
  }
}

async function checkDump(folder: string, path: string, moment: string): Promise<MomentResult> {
  const { opened, report } = await loadDump(path, {});
  using _opened = atEnd(() => opened.close());
  const decodedPath = join(folder, `${moment}.decoded.json`);
  const truthPath = join(folder, 'truth.json');
  const decoder = existsSync(decodedPath) ? checkAgainstDecoder(report, Truth.parse(readFileSync(decodedPath, 'utf8')), moment) : null;
  const truth = existsSync(truthPath) ? Truth.parse(readFileSync(truthPath, 'utf8')) : null;
  const guest =
    truth === null || !WHOLE.test(moment) || truth.at('sessions').list().length === 0 ? null : checkAgainstTruth(report, truth, truth.at('corruption').exists);
  const booted = truth === null || decoder !== null || !BOOTED.test(moment) ? null : checkBooted(report, truth);
  return {
    dump: path,
    compared: (decoder?.compared ?? 0) + (guest?.differences.compared ?? 0) + (booted?.compared ?? 0),
    hashed: guest?.hashed ?? 0,
    notInDump: guest?.notInDump ?? 0,
    differences: [...(decoder?.all ?? []), ...(guest?.differences.all ?? []), ...(booted?.all ?? [])],
  };
}

/** @param moment an entry of `moments` */
export function checkObjects(report: DumpReport, moment: Truth): TruthResult {
  const differences = new Differences();
  let [hashed, notInDump] = [0, 0];
  const ours = report.handovers.flatMap((handover) => (handover.luo?.sessions ?? []).map((session) => ({ handover, session })));
  const expected = moment.at('sessions').list();
  differences.equal('sessions', ours.length, expected.length);
  for (const session of expected) {
    const [name, side] = [session.at('name').text(), session.at('side').text()];
    const own = ours.find((one) => one.session.name.text === name && one.handover.role === side);
    differences.equal(`${side} session ${name}`, own?.session.name.text, name);
    if (own === undefined) continue;
    const state = own.session.life?.state ?? stateOfRole(own.handover.role);
    const open = session.at('open').isTrue();
    const retrieved = session.at('retrieved').isTrue();
    differences.equal(`${name} state`, state, side === 'outgoing' ? (open ? 'open' : 'closed') : !retrieved ? 'waiting' : open ? 'retrieved' : 'closed');
    if (own.session.life !== undefined) differences.equal(`${name} held by a process`, `${(own.session.life.openBy ?? []).length > 0}`, `${open}`);
    const files = session.at('files').list();
    differences.equal(`${name} files`, own.session.files.length, files.length);
    for (const [index, file] of files.entries()) {
      const found = own.session.files[index];
      if (found === undefined) continue;
      const result = checkFile(differences, report, found, own.handover.role, file, `${name}/${file.at('token')}`);
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
  role: string,
  expected: Truth,
  where: string,
): 'hashed' | 'not-in-dump' | 'none' {
  const phase = file.life?.phase ?? phaseOfRole(role);
  differences.equal(`${where} token`, file.token, expected.at('token').integer());
  differences.equal(`${where} handler`, file.compatible.text.replace(/-v\d+$/, ''), expected.at('handler').text());
  differences.equal(`${where} phase`, phase, expected.at('phase').text());
  differences.equal(`${where} retrieveStatus`, file.life?.retrieveStatus ?? null, expected.at('retrieveStatus').number());
  // What was handed over of a file that could not be retrieved is freed.
  if (phase === 'retrieve-failed') return 'none';
  const memfd = file.decoded?.kind === 'memfd' ? file.decoded : null;
  differences.equal(`${where} size`, memfd?.size, expected.at('size').integer());
  differences.equal(`${where} seals`, memfd?.seals, expected.at('seals').number());
  differences.equal(`${where} position`, memfd?.pos, expected.at('pos').integer());
  differences.equal(`${where} name`, file.life?.name ?? null, expected.at('memfd').text());
  return memfd === null ? 'none' : checkContents(differences, report, memfd, expected.at('sha256').text(), where);
}

function checkContents(differences: Differences, report: DumpReport, memfd: Memfd, expected: string | null, where: string): 'hashed' | 'not-in-dump' | 'none' {
  const hash = createHash('sha256');
  for (const piece of readContents(memfd, report.decoded.memory)) {
    if ('missing' in piece) return 'not-in-dump';
    hash.update('bytes' in piece ? piece.bytes : new Uint8Array(piece.length));
  }
  const sum = hash.digest('hex');
  differences.equal(`${where} contents`, sum, expected);
  return sum === expected ? 'hashed' : 'none';
}
