/** The command line: which words name a command, and what is loaded for it. Only the command that runs is loaded. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { Budget, withBudget } from '../codec/budget.js';
import { isLimitName, limits } from '../codec/limits.js';
import { UserError } from '../codec/user-error.js';

import { oneLine } from '../report/escape.js';
import { tell } from './messages.js';

type Register = (program: Command) => void;

/** Every command, in the order in which help lists them. */
const commands: Readonly<Record<string, () => Promise<Register>>> = {
  report: async () => (await import('./report.js')).registerReport,
  diagnose: async () => (await import('./diagnose.js')).registerDiagnose,
  diff: async () => (await import('./diff.js')).registerDiff,
  log: async () => (await import('./log.js')).registerLog,
  ledger: async () => (await import('./ledger.js')).registerLedger,
  extract: async () => (await import('./extract.js')).registerExtract,
  shrink: async () => (await import('./shrink.js')).registerShrink,
  whatis: async () => (await import('./whatis.js')).registerWhatIs,
  rules: async () => (await import('./rules.js')).registerRules,
  kvm: async () => (await import('./kvm.js')).registerKvm,
  abi: async () => (await import('./abi.js')).registerAbi,
  decode: async () => (await import('./decode.js')).registerDecode,
  sim: async () => (await import('./sim.js')).registerSim,
  step: async () => (await import('./step.js')).registerStep,
  explore: async () => (await import('./explore.js')).registerExplore,
  preflight: async () => (await import('./preflight.js')).registerPreflight,
  capture: async () => (await import('./capture.js')).registerCapture,
  live: async () => (await import('./live.js')).registerLive,
  samples: async () => (await import('./samples.js')).registerSamples,
};

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
    .configureOutput({ writeErr: (text) => process.stderr.write(`${oneLine(text)}\n`) });
  try {
    const budget = new Budget();
    await registerFor(program, argv);
    for (const command of [program, ...commandsBelow(program)]) {
      limitOption(command, budget);
      contractOption(command);
    }
    await withBudget(budget, () => program.parseAsync(argv, { from: 'user' }));
  } catch (error) {
    process.exitCode = exitCodeFor(error);
  }
}

async function registerFor(program: Command, argv: readonly string[]): Promise<void> {
  const first = argv.find((word) => !word.startsWith('-'));
  const register = first === undefined ? undefined : commands[first];
  if (register !== undefined) {
    (await register())(program);
    return;
  }
  const helping = argv.length === 0 || first === 'help' || (first === undefined && argv.some((word) => word === '-h' || word === '--help'));
  (await import('./inspect.js')).registerInspect(program);
  if (helping) for (const each of Object.values(commands)) (await each())(program);
  else if (argv.includes('-V') || argv.includes('--version')) program.version(await (await import('./own-version.js')).ownVersion());
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
    if (files.length > 0) (await import('./own-contracts.js')).loadContracts(files.splice(0));
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
