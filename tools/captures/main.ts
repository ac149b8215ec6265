/** `npm run captures -- <folder>`: a line for each capture; exit status 1 if one differs from its ground truth. */
import { UserError } from '../../src/codec/user-error.js';
import { escapeText } from '../../src/report/escape.js';
import { checkFolder } from './check-folder.js';

const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write('usage: npm run captures -- <folder with captures>\n');
  process.exit(2);
}
let checked = 0;
let wrong = 0;
try {
  for await (const result of checkFolder(folder)) {
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
