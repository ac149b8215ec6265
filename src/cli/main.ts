/** The command line: which words name a command, and what is loaded for it. Only the command that runs is loaded. */
import { existsSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { Budget, reachedText, withBudget } from '../codec/budget.js';
import { isLimitName, limits } from '../codec/limits.js';
import { UserError } from '../codec/user-error.js';
import { oneLine } from '../report/escape.js';
import { tell } from './messages.js';
import { didYouMean, nearest } from '../codec/near.js';

/** `| head` ends quietly; a full disk is told, and is no finding. */
function endWhenUnwritable(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') {
    process.exitCode = 2;
    tell(`standard output can't be written: ${error.code === 'ENOSPC' ? 'no space left' : error.message}; make room, or write elsewhere`);
  }
  process.exit();
}

export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', endWhenUnwritable);
  const program = new Command('luo-inspect')
    .description('debugger and ABI inspector for Linux Kexec Handover, the Live Update Orchestrator and kvm_run')
    .exitOverride()
    .helpCommand(true)
    .configureOutput({ writeErr: (text) => tell(`${oneLine(text.replace(/^error: /, ''))}; --help shows how`) });
  try {
    const budget = new Budget();
    if (argv.length === 0) {
      await usage(program);
      const { onTerminal } = await import('./terminal.js');
      const picked = onTerminal() ? await (await import('./pick.js')).pickSample() : null;
      if (picked !== null) await main(picked);
      return;
    }
    await registerFor(program, argv);
    for (const command of [program, ...commandsBelow(program)]) {
      limitOption(command, budget);
      contractOption(command);
      await takeNames(command);
    }
    await withBudget(budget, () => program.parseAsync(argv, { from: 'user' }));
    // `report`, `diagnose` and what asks them have a finding of it, `diff` a note; whatever else was cut short says so here.
    const byFinding = TOLD_BY_A_FINDING.has(program.args[0] ?? '');
    for (const reached of budget.reached) if (!byFinding || reached.limit === 'shared-runs') tell(`not all of it was looked at: ${reachedText(reached)}`);
  } catch (error) {
    process.exitCode = exitCodeFor(error);
  }
}

const TOLD_BY_A_FINDING: ReadonlySet<string> = new Set(['report', 'diagnose', 'triage', 'shrink', 'diff']);

/** Bare `luo-inspect`: what it is, and three things to try. */
async function usage(program: Command): Promise<void> {
  const { commandNames, examplesText, firstExamples } = await import('./commands.js');
  const { writeLines } = await import('./output.js');
  await writeLines([
    program.description(),
    '',
    'Usage: luo-inspect <dump>                 the terminal UI; piped, the text report',
    '       luo-inspect <command> [options]    one of',
    ...wrapped(commandNames, '           '),
    examplesText(firstExamples),
    '',
    '`luo-inspect help`: every command; `luo-inspect <command> --help`: one of them; `luo-inspect samples`: what ships to try.',
  ]);
}

function wrapped(words: readonly string[], indent: string): readonly string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > 90) lines.push(`${indent}${word}`);
    else lines[lines.length - 1] = `${last}, ${word}`;
  }
  return lines;
}

async function registerFor(program: Command, argv: readonly string[]): Promise<void> {
  const { commands, commandNames, examplesText, firstExamples, register } = await import('./commands.js');
  const first = argv.find((word) => !word.startsWith('-'));
  if (first !== undefined && Object.hasOwn(commands, first)) {
    await register(program, first);
    return;
  }
  const helping = first === 'help' || (first === undefined && argv.some((word) => word === '-h' || word === '--help'));
  (await import('./inspect.js')).registerInspect(program);
  if (helping) {
    for (const name of commandNames) await register(program, name);
    program.addHelpText('after', examplesText(firstExamples));
    const about = argv[argv.indexOf('help') + 1];
    if (first === 'help' && about !== undefined && !commandNames.includes(about))
      throw new UserError(`there is no command ${JSON.stringify(about)}${didYouMean(about, commandNames)}; \`luo-inspect help\` lists them`);
  } else if (argv.includes('-V') || argv.includes('--version')) program.version(await (await import('./own-version.js')).ownVersion());
  else if (first !== undefined && /^[a-z]+$/.test(first) && !existsSync(first)) {
    const near = nearest(first, commandNames);
    if (near !== null) throw new UserError(`${first}: neither a command nor a file; did you mean \`luo-inspect ${near}\`?`);
  }
}

/** Arguments that are files: samples and scenarios are known by their names there. */
const FILES = new Set(['dump', 'before', 'after', 'scenario', 'snapshot', 'file', 'a', 'b']);

async function takeNames(command: Command): Promise<void> {
  const { fileOrSample } = await import('./samples.js');
  for (const argument of command.registeredArguments) {
    if (!FILES.has(argument.name()) || argument.parseArg !== undefined) continue;
    const isPath = command.name() !== 'diff' || command.parent?.name() !== 'abi';
    const named = (text: string): string => (isPath ? fileOrSample(text) : text);
    argument.argParser((text: string, before: unknown) => (argument.variadic ? [...(Array.isArray(before) ? before : []), named(text)] : named(text)));
  }
}

const commandsBelow = (command: Command): readonly Command[] => command.commands.flatMap((below) => [below, ...commandsBelow(below)]);

/** `--limit name=n` of every command: raises what docs/limits.md lists. */
function limitOption(command: Command, budget: Budget): void {
  const take = (text: string): string => {
    const [, name = '', amount = ''] = /^([a-z-]+)=(\d+)$/.exec(text) ?? [];
    if (!isLimitName(name) || !Number.isSafeInteger(Number(amount)))
      throw new InvalidArgumentError(`<name>=<number> is needed; the names are ${Object.keys(limits).join(', ')}`);
    budget.raise(name, Number(amount));
    return text;
  };
  command.addOption(new Option('--limit <name=n>', 'raise a limit on work or memory (repeatable; docs/limits.md)').argParser(take));
}

/** `--contract file` of every command: versions that no contract here describes, described by the user. */
function contractOption(command: Command): void {
  const files: string[] = [];
  const take = (file: string): readonly string[] => {
    files.push(file);
    return files;
  };
  command.addOption(new Option('--contract <file>', 'contracts of your own (repeatable; docs/contracts.md)').argParser(take));
  command.hook('preAction', async () => {
    if (files.length > 0) (await import('./own-contracts.js')).loadContracts(files);
  });
}

/** 0 for help and version; 2 where the input could not be read or the command was misused, said in one line. */
function exitCodeFor(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UserError) {
    tell(error.message);
    return 2;
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  tell(`internal error, please report it: ${text}`);
  if ((process.env.LUO_INSPECT_DEBUG ?? '') !== '' && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
  return 2;
}
