/** Bare `luo-inspect` on a terminal: asks which of the samples and scenarios to open. A number, a name, or a part of one. */
import { createInterface } from 'node:readline/promises';
import { completableNames, fileOrSample } from './samples.js';
import { writeLines } from './output.js';
import { didYouMean } from '../codec/near.js';
import { atEnd } from '../codec/at-end.js';

/** What is offered before anything is typed: a handover of each release, a failed one, a scenario, a snapshot. */
const FIRST = [
  'handover-7.3/s1-frozen',
  'handover-7.3/s2-boot',
  'handover-7.1/s1-frozen',
  'vfio-7.3/s1-frozen',
  'failed/seals/s2-at-kho_memory_init',
  'handover-7.3.yaml',
  'memfd-life',
  'kvm/03-io-out-4.kvm_run',
] as const;
/** So many of what a part of a name matches are listed. */
const MOST = 20;

/** The command line that opens a sample: the debugger for a scenario, else the terminal UI. */
export const commandLineOf = (name: string): readonly string[] => {
  const path = fileOrSample(name);
  return /\.ya?ml$/.test(path) ? ['sim', path, '--step'] : [path];
};

/** Names that hold what was typed; all of it where it is one of them. */
export function namesMatching(typed: string, names: readonly string[]): readonly string[] {
  if (names.includes(typed)) return [typed];
  return names.filter((name) => name.toLowerCase().includes(typed.toLowerCase()));
}

/** Asks until one sample is meant. @returns its command line, or null where the user leaves: an empty line, `q`, the end of input */
export async function pickSample(): Promise<readonly string[] | null> {
  const names = completableNames();
  const known = FIRST.map((name) => name.replace(/\.yaml$/, '')).filter((name) => names.includes(name));
  let offered: readonly string[] = known.length > 0 ? known : names.slice(0, MOST);
  const input = createInterface({
    input: process.stdin,
    output: process.stdout,
    completer: (typed: string): [string[], string] => [names.filter((name) => name.startsWith(typed)), typed],
  });
  let ended = false;
  const closed = new Promise<null>((done) => {
    input.once('close', () => {
      ended = true;
      done(null);
    });
  });
  using _input = atEnd(() => input.close());
  for (;;) {
    await writeLines(['', ...offered.map((name, index) => `${`${index + 1}`.padStart(4)}  ${name}`), '']);
    const answer = await Promise.race([input.question(`which one? a number, or a part of a name (${names.length} there are; Enter leaves): `), closed]);
    const typed = answer?.trim() ?? '';
    if (ended || typed === '' || typed === 'q') return null;
    const numbered = /^\d+$/.test(typed) ? offered[Number(typed) - 1] : undefined;
    const found = numbered === undefined ? namesMatching(typed, names) : [numbered];
    const [only] = found;
    if (only !== undefined && found.length === 1) return commandLineOf(only);
    if (only === undefined) await writeLines([`nothing is called ${JSON.stringify(typed)}${didYouMean(typed, names)}`]);
    else offered = found.slice(0, MOST);
  }
}
