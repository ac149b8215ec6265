/** docs/dependencies.md: what the package needs, from package.json and the lock that ships; why each is there is written here. */
import { readFileSync } from 'node:fs';

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
}

/** By package: what it is for, and whether it is in the bundle. */
const PURPOSES: Readonly<Record<string, string>> = {
  koffi: 'system calls of `live` and `--device kvm`; optional, everything else runs without it',
  '@biomejs/biome': 'format and lint',
  '@lydell/node-pty': 'the terminal UI and the shells in a pseudo-terminal, in tests',
  '@microsoft/jest-sarif': 'SARIF held against its schema, in tests',
  '@types/node': 'types of the oldest Node that is supported',
  '@types/react': 'types of react',
  '@xterm/headless': 'what a terminal shows of the output, in tests',
  ajv: 'JSON held against the schemas that ship, in tests',
  'ajv-draft-04': 'the draft that SARIF’s schema is written in, in tests',
  'binary-parser': 'decodes structures from the layouts of abi/, so that no offset is written a second time; bundled',
  commander: 'the command line: options, help, errors; bundled',
  'dependency-cruiser': 'which room may import which',
  esbuild: 'bundles the package',
  'fast-check': 'properties with random values, in tests',
  ink: 'draws the terminal UI; bundled',
  nanotar: 'tar archives that `capture` writes; bundled',
  react: 'what ink is made on; bundled',
  'string-width': 'cells a text takes on a terminal; bundled',
  typescript: 'reads the sources for dependency-cruiser, which takes no later one',
  'typescript-native': 'types, and the declarations of the library: TypeScript 7, in a fifth of the time',
  vitest: 'runs the tests',
  'xz-decompress': 'xz dumps; Node has no xz of its own; bundled',
  yaml: 'scenarios, contracts and suppressions, with line and column of what is wrong; bundled',
  zstddec: 'zstd dumps, as WebAssembly: Node has zstd of its own only from 22.15 on; bundled',
};

const read = <T>(file: string): T => JSON.parse(readFileSync(file, 'utf8'));

export function dependenciesDocument(): string {
  const own = read<Readonly<Record<'dependencies' | 'optionalDependencies' | 'devDependencies', Readonly<Record<string, string>> | undefined>>>('package.json');
  const locked = read<{ readonly packages: Readonly<Record<string, Locked>> }>('npm-shrinkwrap.json').packages;
  const table = (names: readonly string[]): string[] => [
    '| package | version | licence | for |',
    '|---|---|---|---|',
    ...names.map((name) => {
      const { version, license } = locked[`node_modules/${name}`] ?? {};
      if (version === undefined || license === undefined || PURPOSES[name] === undefined)
        throw new Error(`${name}: not in the lock, or no purpose is written down`);
      return `| \`${name}\` | ${version} | ${license} | ${PURPOSES[name]} |`;
    }),
  ];
  const counts = new Map<string, { installed: number; all: number }>();
  for (const [path, { license = 'unknown', dev }] of Object.entries(locked)) {
    if (path === '') continue;
    const count = counts.get(license) ?? { installed: 0, all: 0 };
    counts.set(license, { installed: count.installed + (dev === true ? 0 : 1), all: count.all + 1 });
  }
  const licences = [...counts]
    .sort(([, a], [, b]) => b.installed - a.installed || b.all - a.all)
    .map(([name, { installed, all }]) => `| ${name} | ${installed} | ${all} |`);
  const isKnown = new Set([...Object.keys(own.dependencies ?? {}), ...Object.keys(own.optionalDependencies ?? {}), ...Object.keys(own.devDependencies ?? {})]);
  for (const name of Object.keys(PURPOSES)) if (!isKnown.has(name)) throw new Error(`${name}: a purpose is written down, but package.json does not name it`);
  return `${[
    '# Dependencies',
    '',
    'What the package needs, each with what it is for. Versions are pinned here and, for all that they need in turn, in `npm-shrinkwrap.json`, which ships.',
    '',
    '## Installed with the package',
    '',
    'What is needed at run time is in the bundle, its licences beside it (`dist/cli/LICENSES.txt`); nothing else is required. Optional:',
    '',
    ...table([...Object.keys(own.dependencies ?? {}), ...Object.keys(own.optionalDependencies ?? {})]),
    '',
    'Its binaries are packages of their own (`@koromix/koffi-*`, MIT).',
    '',
    '## For work on it',
    '',
    'Bundled where it says so; everything else is not in the package.',
    '',
    ...table(Object.keys(own.devDependencies ?? {})),
    '',
    '## Licences',
    '',
    'Of everything in the lock, by count; those of what is installed with the package first.',
    '',
    '| licence | installed | in all |',
    '|---|---|---|',
    ...licences,
  ].join('\n')}\n`;
}
