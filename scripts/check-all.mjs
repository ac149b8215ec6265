/**
 * What takes longer than a test may: the package as it is installed (in an empty folder, and in one with spaces in its name) through every
 * command, on each Node that is supported; shells; a longer fuzz. Prints a line a check; status 1 where one fails.
 * What is not to be had here (a registry, a shell) is said, and not counted as passed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const NODES = ['20', '22', '24'];
const FUZZ_MINUTES = Number(process.env.LUO_INSPECT_FUZZ_MINUTES ?? 2);
/** The same inputs in every run: what fails here is a regression. `npm run fuzz` looks for new ones. */
const FUZZ_SEED = '1';
/** Runs the whole of the other tests: by itself. */
const FIRST_MINUTES = 'test/cli/first-minutes.test.ts';
const root = resolve('.');
const work = mkdtempSync(join(tmpdir(), 'luo-inspect-check-'));
let failed = 0;
let missing = 0;

function run(command, args, options = {}) {
  return spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 600_000, ...options });
}

function check(name, ok, said = '') {
  if (!ok) failed++;
  console.log(`${ok ? 'passed' : 'FAILED'}  ${name}${ok || said === '' ? '' : `\n${said.trim().slice(-2000)}`}`);
}

/** The tests of a file that asks for the extent: itself, or those that import it. */
function testsOf(file) {
  if (file === '' || file.endsWith('.test.ts')) return file === '' ? [] : [file];
  const name = file.slice(file.lastIndexOf('/') + 1).replace(/\.ts$/, '\\.js');
  return run('grep', ['-rlE', `/${name}'`, 'test', '--include=*.test.ts'])
    .stdout.split('\n')
    .filter(Boolean);
}

function notHere(name, why) {
  missing++;
  console.log(`absent  ${name}: ${why}`);
}

/** Every command once, as a user types it; what it must print, and its status. */
const COMMANDS = [
  [[], 0, /Examples:/],
  [['--version'], 0, /^\d+\.\d+\.\d+/],
  [['handover-7.3/s1-frozen'], 0, /sessions/],
  [['report', 'handover-7.3/s1-frozen', '--json'], 0, /"schema": "luo-inspect.report\/1"/],
  [['diagnose', 'failed/seals/s2-at-kho_memory_init'], 1, /memfd\/seals-unknown/],
  [['diff', 'vfio-7.3/s1-frozen', 'vfio-7.3/s2-at-kho_memory_init'], 0, /./],
  [['ledger', 'handover-7.3/s1-frozen'], 0, /./],
  [['extract', 'handover-7.3/s1-frozen', 'vm-0', '0x1', '-o', '-'], 0, /./],
  [['triage', 'handover-7.3/s1-frozen'], 0, /signatures/],
  [['rules'], 0, /memfd\/seals-unknown/],
  [['kvm', '03-io-out-4'], 0, /KVM_EXIT_IO/],
  [['abi', 'list'], 0, /luo-v5/],
  [['abi', 'check', '--from', '7.1', '--to', '7.3'], 1, /./],
  [['sim', 'memfd-life'], 0, /every expectation met/],
  [['step', 'failed/seals/s2-at-kho_memory_init'], null, /./],
  [['explore', 'seals-unknown'], null, /./],
  [['samples'], 0, /handover-7.3/],
  [['completion', 'bash'], 0, /_luo_inspect/],
  [['preflight', '--help'], 0, /Examples:/],
  [['capture', '--script'], 0, /#!\/bin\/sh/],
  [['live', '--help'], 0, /Examples:/],
  [['shrink', '--help'], 0, /Examples:/],
  [['decode', '--help'], 0, /Examples:/],
];

function commandsWork(name, node, bin, cwd) {
  const bad = [];
  for (const [args, status, said] of COMMANDS) {
    const got = run(node, [bin, ...args], { cwd, env: { PATH: process.env.PATH, HOME: cwd, TMPDIR: tmpdir() } });
    const right = (status === null ? (got.status ?? 9) < 2 : got.status === status) && said.test(got.stdout) && !/internal error|^\s+at /m.test(got.stderr);
    if (!right) bad.push(`${args.join(' ')}: status ${got.status}, ${String(got.stderr || got.stdout || got.error).split('\n')[0]}`);
  }
  check(name, bad.length === 0, bad.join('\n'));
}

/** extras/README.md: what it shows is what the other tools print, where they are. */
function withOtherTools() {
  const readme = readFileSync('extras/README.md', 'utf8');
  const bin = resolve('dist/cli/bin.js');
  const vmcore = join(work, 'vmcore');
  writeFileSync(vmcore, spawnSync('xz', ['-dc', 'samples/failed/pfn/s1-frozen.sparse.elf.xz'], { maxBuffer: 1 << 28 }).stdout);
  if (run('drgn', ['--version']).status !== 0) notHere('drgn', 'it is not installed');
  else {
    const got = run('drgn', ['-c', vmcore, '-q', 'extras/luo.py'], { env: { ...process.env, LUO_INSPECT: bin } });
    check('drgn prints what extras/README.md shows', got.status === 0 && got.stdout !== '' && readme.includes(got.stdout), got.stderr + got.stdout);
  }
  if (!existsSync('/usr/include/crash/defs.h') || run('gcc', ['--version']).status !== 0)
    notHere('the extension of crash', 'crash-dev or gcc is not installed');
  else {
    const [, ...words] = (/^gcc .*$/m.exec(readme)?.[0] ?? '').replace('luo.so', join(work, 'luo.so')).split(' ');
    const built = run('gcc', ['-Werror', ...words]);
    check('the extension of crash is built', built.status === 0, built.stderr);
  }
  const dumps = ['failed/pfn/s1-frozen', 'failed/seals/s2-at-kho_memory_init', 'handover-7.3/s1-frozen'];
  const hasParallel = /GNU parallel/.test(run('parallel', ['--version']).stdout ?? '');
  if (!hasParallel) notHere('GNU parallel', 'it is not installed');
  const triaged = hasParallel
    ? run('parallel', ['-j', '2', 'node', bin, 'triage', '{}', '--ndjson'], { input: dumps.join('\n') })
    : run(process.execPath, [bin, 'triage', ...dumps, '--ndjson']);
  const lines = (triaged.stdout ?? '')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  if (hasParallel)
    check('GNU parallel triages', triaged.status === 2 && lines.filter(({ path }) => path !== undefined).length === dumps.length, triaged.stderr);
  const folder = join(work, 'duckdb');
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  writeFileSync(join(folder, 'all.ndjson'), triaged.stdout ?? '');
  if (run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '@duckdb/node-api'], { cwd: folder }).status !== 0)
    return notHere('DuckDB', 'the registry did not give it');
  const query = /```sql\n(.*?)```/s.exec(readme)?.[1] ?? '';
  writeFileSync(
    join(folder, 'query.js'),
    `import { DuckDBInstance } from '@duckdb/node-api';
const connection = await (await DuckDBInstance.create(':memory:')).connect();
for (const row of (await connection.runAndReadAll(${JSON.stringify(query)})).getRows()) console.log(row.join('\\t'));
`,
  );
  const answered = run(process.execPath, ['query.js'], { cwd: folder });
  check(
    'DuckDB reads NDJSON, and answers what extras/README.md shows',
    answered.status === 0 && answered.stdout !== '' && readme.includes(answered.stdout),
    answered.stderr + answered.stdout,
  );
}

try {
  const packed = run('npm', ['pack', '--json', '--pack-destination', work], { cwd: root });
  const tarball = packed.status === 0 ? join(work, JSON.parse(packed.stdout.slice(packed.stdout.indexOf('[')))[0].filename) : null;
  check('npm pack', tarball !== null && existsSync(tarball ?? ''), packed.stderr);
  if (tarball !== null) {
    const files = run('tar', ['-tzf', tarball]).stdout.split('\n');
    const odd = files.filter((file) => /(captures|bench|fuzz|tools)\/|dist\/(src|abi)\/|\/test\//.test(file));
    check(
      'the package holds no code twice, no captures and no bench',
      odd.length === 0 && files.some((file) => file.endsWith('dist/cli/bin.js')),
      odd.slice(0, 5).join('\n'),
    );
    check('the package holds its shrinkwrap', files.includes('package/npm-shrinkwrap.json'));
    for (const name of ['empty', 'a folder with späces']) {
      const folder = join(work, name);
      mkdirSync(folder);
      writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
      const installed = run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], { cwd: folder });
      check(`installed into "${name}"`, installed.status === 0, installed.stderr);
      if (installed.status !== 0) continue;
      commandsWork(`every command from "${name}"`, process.execPath, join(folder, 'node_modules/luo-inspect/dist/cli/bin.js'), folder);
      const example = /```js\n(.*?)```/s.exec(readFileSync('docs/library.md', 'utf8'))?.[1] ?? '';
      writeFileSync(join(folder, 'example.mjs'), example);
      const library = run(process.execPath, ['example.mjs', join(root, 'samples/handover-7.3/s1-frozen.sparse.elf.xz')], { cwd: folder });
      check(`the library from "${name}"`, library.status === 0 && /handovers/.test(library.stdout), library.stderr);
      writeFileSync(
        join(folder, 'typed.ts'),
        "import { diagnose, openDump, type Finding } from 'luo-inspect';\nconst dump = await openDump('x', { limits: { entries: 5 } });\nexport const first: Finding | undefined = diagnose(dump)[0];\n",
      );
      const types = run(
        process.execPath,
        [
          join(root, 'node_modules/typescript-native/bin/tsc'),
          '--noEmit',
          '--strict',
          '--module',
          'nodenext',
          '--target',
          'es2023',
          '--lib',
          'es2023,esnext.disposable',
          '--types',
          'node',
          '--typeRoots',
          join(root, 'node_modules/@types'),
          'typed.ts',
        ],
        { cwd: folder },
      );
      check(`the library's types from "${name}"`, types.status === 0, types.stdout);
    }
  }
  const installedBin = join(work, 'empty/node_modules/luo-inspect/dist/cli/bin.js');
  for (const version of NODES) {
    const folder = join(work, `node-${version}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    const got = run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `node@${version}`], { cwd: folder });
    const node = join(folder, 'node_modules/node/bin/node');
    if (got.status !== 0 || !existsSync(node)) notHere(`Node ${version}`, 'the registry did not give it');
    else commandsWork(`every command on Node ${run(node, ['--version']).stdout.trim()}`, node, installedBin, join(work, 'empty'));
  }
  for (const shell of ['bash', 'zsh', 'fish']) {
    if (run(shell, ['--version']).status !== 0) {
      notHere(`completion in ${shell}`, 'it is not installed');
      continue;
    }
    const script = join(work, `completion.${shell}`);
    writeFileSync(script, run(process.execPath, ['dist/cli/bin.js', 'completion', shell]).stdout);
    check(`completion in ${shell}`, run(shell, ['-n', script]).status === 0);
  }
  if (run('mandoc', ['-V']).status === null && run('man', ['--version']).status !== 0) notHere('the manual page', 'neither mandoc nor man is installed');
  else {
    const page = run('man', ['--warnings', '-l', 'man/luo-inspect.1'], { env: { ...process.env, MANPAGER: 'cat', MANWIDTH: '80' } });
    check('the manual page', page.status === 0 && page.stderr === '' && /SYNOPSIS/.test(page.stdout), page.stderr);
  }
  withOtherTools();
  // Tests of which every change runs a part (test/extent.ts), in full.
  const long = run('grep', ['-rlE', '/extent\\.js', 'test'])
    .stdout.split('\n')
    .filter((file) => file !== FIRST_MINUTES);
  const inFull = (files) =>
    run(
      'node_modules/.bin/vitest',
      ['run', '--config=scripts/vitest.mjs', '--isolate', `--maxWorkers=${availableParallelism()}`, '--testTimeout=900000', ...files],
      {
        env: { ...process.env, LUO_INSPECT_TESTS: 'all' },
        timeout: 3_600_000,
      },
    );
  const minutes = inFull([FIRST_MINUTES]);
  check('the first minutes of a newcomer, in a clone, as README shows them', minutes.status === 0, minutes.stdout + minutes.stderr);
  const tests = inFull([...new Set(long.flatMap(testsOf))]);
  check(`long tests in full: ${/Tests .*/.exec(tests.stdout)?.[0] ?? 'no result'}`, tests.status === 0, tests.stdout + tests.stderr);
  const fuzz = run(process.execPath, ['scripts/tool.mjs', 'fuzz', '--minutes', String(FUZZ_MINUTES), '--seed', FUZZ_SEED], {
    timeout: (FUZZ_MINUTES + 3) * 60_000,
  });
  process.stdout.write(fuzz.stdout ?? '');
  check(`fuzz, ${FUZZ_MINUTES} minutes`, fuzz.status === 0, fuzz.stderr);
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${failed === 0 ? 'passed' : `${failed} failed`}${missing > 0 ? `; ${missing} not to be had here` : ''}`);
process.exit(failed === 0 ? 0 : 1);
