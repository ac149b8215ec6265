/** `luo-inspect samples`: the dumps, snapshots and scenarios that ship with the package. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../codec/user-error.js';
import { writeLines } from './output.js';
import { packageFile } from './package-file.js';

/** The package's `samples` folder. */
export const samplesFolder = (): string => packageFile('samples');

export function registerSamples(program: Command): void {
  const samples = program.command('samples').description('the samples that ship with the package');
  samples.action(async () => writeLines(listLines()));
  samples
    .command('path <name>')
    .description('where a sample lies')
    .action(async (name: string) => writeLines([samplePath(name)]));
}

/** Absolute path of a sample; a name is what `samples` lists, or the end of one that is not ambiguous. @throws UserError */
export function samplePath(name: string): string {
  const known = sampleNames();
  const found = known.filter((candidate) => candidate === name || candidate.startsWith(`${name}.`) || candidate.endsWith(`/${name}`));
  const [only] = found;
  if (only === undefined || (found.length > 1 && !found.includes(name))) {
    const which = found.length > 1 ? `${found.length} samples match: ${found.slice(0, 3).join(', ')} …` : "'luo-inspect samples' lists them";
    throw new UserError(`no sample is called ${JSON.stringify(name)}; ${which}`);
  }
  return join(samplesFolder(), found.includes(name) ? name : only);
}

const OPENABLE = /\.(elf(\.(xz|zst|gz))?|kvm_run|ya?ml)$|-kho$/;

/** Samples that a command can open, by path below the folder. */
function sampleNames(): readonly string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      if (OPENABLE.test(name)) found.push(relative(samplesFolder(), path));
      else if (statSync(path).isDirectory()) visit(path);
    }
  };
  visit(samplesFolder());
  return found;
}

function* listLines(): Iterable<string> {
  const about = aboutFolders();
  let group = '';
  for (const name of sampleNames()) {
    const folder = dirname(name);
    if (folder !== group) {
      yield `${folder}: ${about.get(folder) ?? ''}`;
      group = folder;
    }
    yield `  ${name}`;
  }
  yield '';
  yield `in ${samplesFolder()}; 'luo-inspect samples path <name>' prints one's place`;
}

/** What samples/README.md's table says of each folder. */
function aboutFolders(): ReadonlyMap<string, string> {
  const readme = join(samplesFolder(), 'README.md');
  if (!existsSync(readme)) return new Map();
  const rows = readFileSync(readme, 'utf8').matchAll(/^\| `([^`]+)` \| (.+?) \|/gm);
  return new Map([...rows].map(([, folder = '', text = '']) => [folder, text]));
}
