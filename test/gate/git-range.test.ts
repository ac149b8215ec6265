/** `abi gate a..b` on a git history: a comment, a swap under an unchanged string, a bump with it, a file outside of the ABI. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const BIN = resolve('dist/cli/bin.js');
const HEADER = 'include/linux/kho/abi/luo.h';
let folder = '';

const git = (...args: readonly string[]): string =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], { cwd: folder, encoding: 'utf8' });

function commit(subject: string, text: string, path = HEADER): void {
  writeFileSync(join(folder, path), text);
  git('add', '-A');
  git('commit', '-qm', subject);
}

const header = (version: string, comment: string, ...fields: readonly string[]): string =>
  `/* ${comment} */\n#define LUO_ABI_COMPATIBLE "${version}"\nstruct luo_ser {\n\tchar compatible[8];\n${fields.map((field) => `\tu64 ${field};\n`).join('')}} __packed;\n`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'luo-inspect-gate-'));
  git('init', '-q');
  mkdirSync(join(folder, 'include/linux/kho/abi'), { recursive: true });
  commit('base', header('luo-v5', 'a', 'liveupdate_num', 'sessions_pa', 'flbs_pa'));
  git('tag', 'base');
  commit('luo: words', header('luo-v5', 'other words', 'liveupdate_num', 'sessions_pa', 'flbs_pa'));
  commit('readme', 'struct luo_ser { u64 nothing; };', 'README');
  git('tag', 'words');
  commit('luo: swap', header('luo-v5', 'other words', 'liveupdate_num', 'flbs_pa', 'sessions_pa'));
  git('tag', 'swap');
  commit('luo: more', header('luo-v6', 'other words', 'liveupdate_num', 'more', 'flbs_pa', 'sessions_pa'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ['base..words', 0, /no layout changed/, /is not bumped/],
  ['base..swap', 1, /luo: swap[\s\S]*sessions_pa and flbs_pa changed places[\s\S]*is not bumped/, /luo-v6/],
  ['swap..HEAD', 0, /luo: more[\s\S]*the version changed with it/, /is not bumped/],
  ['base..HEAD', 1, /luo: swap[\s\S]*is not bumped[\s\S]*luo: more/, /luo: words/],
])('%s', (range, status, says, not) => {
  const run = spawnSync(process.execPath, [BIN, 'abi', 'gate', range], { cwd: folder, encoding: 'utf8' });
  const text = run.stdout.replaceAll(/\s+/g, ' ');
  expect(text).toMatch(says);
  expect(text).not.toMatch(not);
  expect(run.status).toBe(status);
});
