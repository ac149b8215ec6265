/** Checks every moment of a folder of captures (and of the folders in it) against its ground truth. For `npm run captures`. */
import { readdirSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadDump } from '../../src/cli/load-dump.js';
import { type Differences, checkAgainstDecoder } from './check-moment.js';
import { checkObjects } from './check-objects.js';
import { checkAgainstTruth, checkBooted } from './check-truth.js';
import { Truth } from './json-path.js';

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
    try {
      const { differences, hashed, notInDump } = checkObjects(report, truth.at('moments', moment));
      yield { dump: path, compared: differences.compared, hashed, notInDump, differences: differences.all };
    } finally {
      opened.close();
    }
  }
}

async function checkDump(folder: string, path: string, moment: string): Promise<MomentResult> {
  const { opened, report } = await loadDump(path, {});
  try {
    const decodedPath = join(folder, `${moment}.decoded.json`);
    const truthPath = join(folder, 'truth.json');
    const decoder = existsSync(decodedPath) ? checkAgainstDecoder(report, Truth.parse(readFileSync(decodedPath, 'utf8')), moment) : null;
    const truth = existsSync(truthPath) ? Truth.parse(readFileSync(truthPath, 'utf8')) : null;
    const guest =
      truth === null || !WHOLE.test(moment) || truth.at('sessions').list().length === 0
        ? null
        : checkAgainstTruth(report, truth, truth.at('corruption').exists);
    const booted = truth === null || decoder !== null || !BOOTED.test(moment) ? null : checkBooted(report, truth);
    return {
      dump: path,
      compared: (decoder?.compared ?? 0) + (guest?.differences.compared ?? 0) + (booted?.compared ?? 0),
      hashed: guest?.hashed ?? 0,
      notInDump: guest?.notInDump ?? 0,
      differences: [...(decoder?.all ?? []), ...(guest?.differences.all ?? []), ...(booted?.all ?? [])],
    };
  } finally {
    opened.close();
  }
}
