/** Holds what a dump of a running kernel tells of sessions and files against what the guest drove them to (`objects.json`): every field, and contents by their SHA-256. */
import { createHash } from 'node:crypto';
import { readContents } from '../../src/handover/contents.js';
import { phaseOfRole, stateOfRole } from '../../src/handover/life.js';
import type { LuoFile } from '../../src/handover/luo.js';
import type { Memfd } from '../../src/handover/memfd.js';
import type { DumpReport } from '../../src/report/dump-report.js';
import { Differences } from './check-moment.js';
import type { TruthResult } from './check-truth.js';
import type { Truth } from './json-path.js';

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
