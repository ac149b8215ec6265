/**
 * The first minutes of a newcomer: what README shows is what docs/first-minutes.txt holds, and that is what happens. In full (check:all) it is
 * played from an empty folder: clone, the first command, which was interrupted twice before and is run again after, the tests, the first
 * answer, and the first steps in the debugger, in a terminal.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { ANSWER, CLONE, INSPECT, type Minute, SIZE, STEP, TESTS } from '../../tools/docs/first-minutes.js';
import { ALL } from '../extent.js';
import { PseudoTerminal } from '../tui/pty/terminal.js';

const transcript = readFileSync('docs/first-minutes.txt', 'utf8').trimEnd().split('\n');

/** What the transcript shows after a command. */
function shown(command: string): readonly string[] {
  const at = transcript.indexOf(`$ ${command}`);
  expect(at, command).toBeGreaterThanOrEqual(0);
  const rest = transcript.slice(at + 1);
  const end = rest.findIndex((line) => line.startsWith('$ '));
  return end < 0 ? rest : rest.slice(0, end);
}

/** The screens of a command: in front of the first key, after the keys of each. */
const screensOf = (minute: Minute): readonly string[][] => {
  const lines = [...shown(minute.command)];
  return (minute.screens ?? []).map(({ keys }) => {
    if (keys.length > 0) expect(lines.shift()).toBe(`[${keys.join(' ')}]`);
    return lines.splice(0, SIZE.rows);
  });
};

it('README shows what the transcript holds, word for word', () => {
  const readme = readFileSync('README.md', 'utf8');
  const start = readme.slice(readme.indexOf('\n## Start'), readme.indexOf('\n## What it does'));
  const blocks = [...start.matchAll(/^```(sh|text)\n(.*?)^```|^!\[[^\]]*\]\(([^)]*)\)/gms)];
  expect(blocks.flatMap(([, kind, text]) => (kind === 'sh' ? [text?.trimEnd()] : []))).toEqual([INSPECT, TESTS, ANSWER, STEP].map(({ command }) => command));
  const pictures = blocks.flatMap(([, , , picture]) => picture ?? []);
  expect(pictures).toEqual([INSPECT, STEP].flatMap(({ screens = [] }) => screens.map(({ name }) => `docs/screens/${name}.svg`)));
  let command = '';
  for (const [, kind, text = ''] of blocks) {
    if (kind === 'sh') command = text.trimEnd();
    if (kind !== 'text') continue;
    const all = shown(command);
    let from = 0;
    for (const part of text.split(/^…\n/m).filter((one) => one !== '')) {
      const lines = part.trimEnd().split('\n');
      const at = all.findIndex((_, index) => index >= from && lines.every((line, offset) => all[index + offset] === line));
      expect(at, `${command}: ${part}`).toBeGreaterThanOrEqual(0);
      from = at + lines.length;
    }
    expect(from).toBeGreaterThan(0);
  }
});

const KEYS: Readonly<Record<string, string>> = { enter: '\r' };
const PATIENCE = 600_000;

/** Until it is so. */
async function until(what: string, so: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (!so()) {
    if (performance.now() > end) throw new Error(`waited for ${what}`);
    await new Promise((done) => setTimeout(done, 2));
  }
}

const entries = (folder: string): readonly string[] => (existsSync(folder) ? readdirSync(folder) : []);

async function played(folder: string): Promise<void> {
  const clone = join(folder, 'luo-inspect');
  // a newcomer's own environment and an ordinary terminal: without what npm, this runner and a CI set for their children
  const set = /^(npm_|VITEST|LUO_INSPECT_|XDG_)|^(NODE_ENV|NODE_OPTIONS|INIT_CWD|DEV|PROD|MODE|TEST|BASE_URL|SSR|CI|NO_COLOR|FORCE_COLOR|COLORTERM|TERM)$/;
  const own = Object.entries(process.env).filter(([name]) => !set.test(name));
  const env = {
    ...Object.fromEntries(own.map(([name, value]) => [name, value ?? ''])),
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    npm_config_update_notifier: 'false',
    repository: `file://${resolve('.')}`,
  };
  const sh = (command: string, cwd: string): { readonly status: number | null; readonly stdout: string } =>
    spawnSync('bash', ['-c', command], { cwd, env, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 1_800_000 });
  const killed = async (when: string, so: () => boolean): Promise<void> => {
    const child: ChildProcess = spawn('npm', ['install'], { cwd: clone, env, stdio: 'ignore', detached: true });
    await until(when, so);
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    await new Promise((done) => child.on('close', done));
    expect(child.signalCode).toBe('SIGKILL');
  };
  const inTerminal = async (minute: Minute): Promise<void> => {
    const terminal = new PseudoTerminal(['bash', '-c', `cd "$clone" && ${minute.command}`], {
      ...SIZE,
      env: { ...env, clone },
    });
    try {
      await terminal.until('the first screen', ({ alternate, text }) => alternate && text.includes('? help'), PATIENCE);
      for (const [index, screen] of screensOf(minute).entries()) {
        for (const key of minute.screens?.[index]?.keys ?? []) terminal.write(KEYS[key] ?? key);
        const wanted = screen.join('\n');
        await terminal.until(`the screen\n${wanted}`, ({ rows }) => rows.map((row) => row.trimEnd()).join('\n') === wanted, 60_000);
      }
      terminal.write('q');
      const isAsked = ({ text }: PseudoTerminal): boolean => text.includes('leave all the same?');
      await terminal.until('the end, or whether to leave an edit', (shown) => shown.exit !== null || isAsked(shown));
      if (isAsked(terminal)) terminal.write('y');
      await terminal.until('the end', ({ exit }) => exit !== null);
      expect(terminal.exit?.exitCode).toBe(0);
    } finally {
      terminal.dispose();
    }
  };

  expect(sh(CLONE, folder).status).toBe(0);
  await killed('packages', () => entries(join(clone, 'node_modules')).length > 20);
  await killed('the build', () => entries(join(clone, 'dist')).some((name) => name.startsWith('.new-')));
  await inTerminal(INSPECT);
  const built = statSync(join(clone, 'dist/.built')).mtimeMs;
  expect(entries(join(clone, 'dist')).filter((name) => name.startsWith('.new-'))).toEqual([]);
  await inTerminal(INSPECT);
  expect(statSync(join(clone, 'dist/.built')).mtimeMs).toBe(built);
  const tests = sh(TESTS.command, clone);
  // what failed is named before anything else: of a test's message the beginning is kept
  const failed = tests.stdout.split('\n').filter((line) => /FAIL|Error:|: failed \(/.test(line));
  expect({ status: tests.status, failed, printed: tests.stdout.split('\n').filter((line) => TESTS.prints?.includes(line)) }).toEqual({
    status: 0,
    failed: [],
    printed: TESTS.prints,
  });
  expect(sh(ANSWER.command, clone)).toMatchObject({ status: 1, stdout: `${shown(ANSWER.command).join('\n')}\n` });
  await inTerminal(STEP);
  expect(sh('git status --porcelain', clone).stdout).toBe('');
}

it('the transcript is what happens in a clone', { timeout: 3_600_000 }, async () => {
  for (const minute of [INSPECT, STEP]) for (const screen of screensOf(minute)) expect(screen).toHaveLength(SIZE.rows);
  if (!ALL) return;
  const parent = mkdtempSync(join(tmpdir(), 'luo-inspect-first-'));
  const folder = join(parent, 'an empty folder');
  mkdirSync(folder);
  try {
    await played(folder);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});
