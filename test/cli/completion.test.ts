/** Completion in real shells, as far as they are here: bash, zsh, fish; and that every command and option is in each script. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../../src/cli/commands.js';
import { luoInspect } from './run.js';
import { scratch } from '../scratch.js';

const folder = scratch();

function scriptOf(shell: string): string {
  const { status, stdout } = luoInspect(['completion', shell]);
  expect(status).toBe(0);
  const path = join(folder, shell);
  writeFileSync(path, stdout);
  return path;
}

const isHere = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;

/** What the shell offers for each line, cursor at its end. */
const asks: Readonly<Record<string, (script: string, line: string) => readonly string[]>> = {
  bash: (script, line) => {
    const body = `source "$1"; COMP_WORDS=($2); [[ "$2" == *' ' ]] && COMP_WORDS+=(''); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _luo_inspect; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return spawnSync('bash', ['-c', body, 'bash', script, line], { encoding: 'utf8' }).stdout.split('\n');
  },
  fish: (script, line) =>
    spawnSync('fish', ['-c', `source ${script}; complete -C ${JSON.stringify(line)}`], { encoding: 'utf8', env: { ...process.env, HOME: folder } })
      .stdout.split('\n')
      .map((each) => each.split('\t')[0] ?? ''),
};

const cases: readonly (readonly [line: string, offered: readonly string[]])[] = [
  // a dump is named without a command, too
  ['luo-inspect handover-7.3/s2', ['handover-7.3/s2-boot']],
  ['luo-inspect dia', ['diagnose']],
  ['luo-inspect diagnose --fail', ['--fail-on']],
  ['luo-inspect diagnose --fail-on ', ['error', 'warning', 'info']],
  ['luo-inspect abi ', ['list', 'show', 'diff', 'check']],
  ['luo-inspect abi check --fr', ['--from']],
  ['luo-inspect report handover-7.3/s1', ['handover-7.3/s1-frozen']],
  ['luo-inspect completion ', ['bash', 'zsh', 'fish']],
];

describe.each(['bash', 'zsh', 'fish'])('%s', (shell) => {
  it('has every command and option', async () => {
    const { stdout } = luoInspect(['completion', shell]);
    for (const { path, options } of (await commandLine()).commands)
      for (const { names } of options)
        for (const name of names) expect(stdout, `${path} ${name}`).toContain(shell === 'fish' ? name.replace(/^--/, '-l ').replace(/^-(\w)$/, '-s $1') : name);
  });

  it('is a script that the shell reads, and offers what belongs there', () => {
    const script = scriptOf(shell);
    if (!isHere(shell)) return;
    expect(spawnSync(shell, ['-n', script], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    const ask = asks[shell];
    if (ask === undefined) {
      // zsh completes at a prompt alone: it is loaded, and its function is there.
      const run = spawnSync('zsh', ['-fc', `autoload -U compinit; compinit -D; source ${script}; whence -w _luo_inspect; print $_comps[luo-inspect]`], {
        encoding: 'utf8',
      });
      expect(run.stdout).toBe('_luo_inspect: function\n_luo_inspect\n');
      return;
    }
    for (const [line, offered] of cases) expect(ask(script, line), line).toEqual(expect.arrayContaining([...offered]));
  });
});
