/** `npm run captures -- <folder>`: a line for each capture; exit status 1 if one differs from its ground truth. With --shrink, from what it shrinks to; with --ledger, its page ledger from its map. */
import { UserError } from '../../src/codec/user-error.js';
import { escapeText } from '../../src/report/escape.js';
import { checkFolder } from './check-folder.js';
import { checkLedgers } from './check-ledger.js';
import { shrinkAll } from './shrink-all.js';

const shrinks = process.argv[2] === '--shrink';
const ledgers = process.argv[2] === '--ledger';
const folder = process.argv[shrinks || ledgers ? 3 : 2];
if (folder === undefined) {
  process.stderr.write('usage: npm run captures -- [--shrink | --ledger] <folder with captures>\n');
  process.exit(2);
}
let checked = 0;
let wrong = 0;
try {
  if (shrinks)
    for await (const result of shrinkAll(folder)) {
      checked++;
      const fine = result.wrong?.length === 0 || result.wrong === null;
      const what = result.refused === null ? `${result.bytes} bytes, ${result.contents} pages of memfds left out` : `refused: ${result.refused}`;
      process.stdout.write(`${fine ? 'agrees' : 'DIFFERS'}: ${escapeText(result.dump)}: ${escapeText([what, ...(result.wrong ?? [])].join('; '))}\n`);
      if (!fine) wrong++;
    }
  for await (const { dump, maps, pages, beside, wrong: differs } of ledgers ? checkLedgers(folder) : []) {
    checked++;
    const extra = beside.length === 0 ? '' : `; ${beside.length} differences between claims and map`;
    process.stdout.write(`${differs.length === 0 ? 'agrees' : 'DIFFERS'}: ${escapeText(dump)}: ${maps} maps, ${pages} pages${extra}\n`);
    for (const text of differs.slice(0, 8)) process.stdout.write(`    ${escapeText(text)}\n`);
    if (differs.length > 0) wrong++;
  }
  for await (const result of shrinks || ledgers ? [] : checkFolder(folder)) {
    checked++;
    const contents =
      result.hashed + result.notInDump === 0 ? '' : `, contents of ${result.hashed} memfds hash right, ${result.notInDump} not wholly in the dump`;
    const verdict = result.differences.length === 0 ? 'agrees' : `DIFFERS in ${result.differences.length}`;
    process.stdout.write(`${verdict}: ${escapeText(result.dump)}: ${result.compared} values compared${contents}\n`);
    for (const { where, found, expected } of result.differences.slice(0, 20))
      process.stdout.write(`    ${escapeText(`${where}: ${found}, expected ${expected}`)}\n`);
    if (result.differences.length > 0) wrong++;
  }
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
}
process.stdout.write(`${checked} captures checked, ${wrong} differ\n`);
process.exit(checked === 0 ? 2 : wrong === 0 ? 0 : 1);
