/** `luo-inspect rules` and `rules show <id>`: every rule of `diagnose`, explained. */
import type { Command } from 'commander';
import { UserError } from '../codec/user-error.js';

interface Options {
  readonly json?: boolean;
}

export function registerRules(program: Command): void {
  const rules = program
    .command('rules')
    .description('every rule of diagnose, explained')
    .option('--json', 'as JSON (schema luo-inspect.rules/1)')
    .action(runRules);
  rules
    .command('show <id>')
    .description('one rule: what it means, what the next kernel does, how to make sure')
    .option('--json', 'as JSON')
    .action((id: string, own: Options, command: Command) => runShow(id, { ...command.optsWithGlobals<Options>(), ...own }));
}

async function runRules(options: Options): Promise<void> {
  const [{ rules }, { ruleListJson, ruleListText }, { writeJson, writeLines }] = await load();
  if (options.json === true) await writeJson(ruleListJson(rules));
  else await writeLines(ruleListText(rules));
}

async function runShow(id: string, options: Options): Promise<void> {
  const [{ rules }, { ruleJson, ruleText }, { writeJson, writeLines }] = await load();
  const rule = rules.find((candidate) => candidate.id === id);
  if (rule === undefined) {
    const near = rules
      .filter((candidate) => candidate.id.includes(id) || (id.includes('/') && candidate.id.startsWith(`${id.split('/')[0]}/`)))
      .map((candidate) => candidate.id);
    const hint = near.length === 0 ? '`luo-inspect rules` lists them all' : `did you mean ${near.slice(0, 5).join(', ')}?`;
    throw new UserError(`no rule is called ${JSON.stringify(id)}; ${hint}`);
  }
  if (options.json === true) await writeJson(ruleJson(rule));
  else await writeLines(ruleText(rule));
}

const load = () => Promise.all([import('../diagnosis/rules/index.js'), import('../report/rules-text.js'), import('./output.js')]);
