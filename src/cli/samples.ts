/** `luo-inspect samples`: the dumps, snapshots and scenarios that ship with the package. */
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../codec/user-error.js';
import { writeLines } from './output.js';
import { packageFile } from './package-file.js';
import { didYouMean, nearest } from '../codec/near.js';

/** The package's `samples` folder. */
const samplesFolder = (): string => packageFile('samples');

export function registerSamples(program: Command): void {
  const samples = program.command('samples').description('the samples that ship with the package');
  samples.action(async () => writeLines(listLines()));
  samples
    .command('path <name>')
    .description('where a sample lies')
    .action(async (name: string) => writeLines([samplePath(name)]));
}

/** Absolute path of a sample; a name is what `samples` lists, or the end of one that is not ambiguous. @throws UserError */
function samplePath(name: string): string {
  const { found, known } = match(name);
  const [only] = found;
  if (only === undefined || (found.length > 1 && !found.includes(name))) {
    const which =
      found.length > 1
        ? `${found.length} samples match: ${found.slice(0, 3).join(', ')} …`
        : `'luo-inspect samples' lists them${didYouMean(name, shortNames(known))}`;
    throw new UserError(`no sample is called ${JSON.stringify(name)}; ${which}`);
  }
  return join(samplesFolder(), found.includes(name) ? name : only);
}

function match(name: string): { readonly found: readonly string[]; readonly known: readonly string[] } {
  const known = sampleNames();
  const exact = known.filter((candidate) => candidate === name || candidate.startsWith(`${name}.`) || candidate.endsWith(`/${name}`));
  // A scenario by its name alone.
  const found = exact.length > 0 ? exact : known.filter((candidate) => candidate.includes(`/${name}.`));
  return { found, known };
}

/** As a user would type them. */
const shortNames = (known: readonly string[]): readonly string[] =>
  known.flatMap((name) => {
    const short = name.replace(/\.(sparse|full)?\.?(elf(\.(xz|zst|gz))?|kvm_run|ya?ml)$/, '');
    return [name, short, short.slice(short.lastIndexOf('/') + 1)];
  });

/** Names for completion: dumps as `folder/moment`, scenarios without folder and ending. */
export const completableNames = (): readonly string[] =>
  sampleNames().map((name) => name.replace(/^scenarios\//, '').replace(/(\.sparse|\.full)?\.(elf(\.(xz|zst|gz))?|ya?ml)$/, ''));

/**
 * What a user means by `text` where a file is asked for: the file, or the sample or scenario of that name where no such file is there.
 * @throws UserError where neither is there, and a sample's name is near
 */
export function fileOrSample(text: string): string {
  if (text === '-' || text === '' || existsSync(text) || lstatSync(text, { throwIfNoEntry: false }) !== undefined) return text;
  const { found, known } = match(text);
  const [only] = found;
  if (only !== undefined && (found.length === 1 || found.includes(text))) return join(samplesFolder(), found.includes(text) ? text : only);
  if (found.length > 1) throw new UserError(`${text}: no such file, and ${found.length} samples match: ${found.slice(0, 3).join(', ')} …; give one of them`);
  const near = nearest(text, shortNames(known));
  if (near !== null) throw new UserError(`${text}: no such file, and no sample of that name; did you mean ${near}?`);
  return text;
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
  if (existsSync(samplesFolder())) visit(samplesFolder());
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
