/** The command line as data, read off what the commands register: for completion and the manual page. */
import type { Command } from 'commander';
import { completableNames } from './samples.js';

export interface OptionModel {
  /** as it is typed: `--json`, `-o` */
  readonly names: readonly string[];
  /** `<file>`, `[n]`; '' for a switch */
  readonly value: string;
  readonly choices: readonly string[];
  readonly description: string;
}

export interface CommandModel {
  /** `abi check` */
  readonly path: string;
  readonly description: string;
  /** `<dump> [bdf...]` */
  readonly args: string;
  readonly options: readonly OptionModel[];
  readonly examples: readonly (readonly [line: string, purpose: string])[];
  /** does it take files (and so names of samples)? */
  readonly files: boolean;
}

export interface CommandLine {
  readonly description: string;
  readonly commands: readonly CommandModel[];
  readonly names: readonly string[];
}

const LIMIT: OptionModel = { names: ['--limit'], value: '<name=n>', choices: [], description: 'raise a limit on work or memory (repeatable; docs/limits.md)' };

type Examples = CommandModel['examples'];

/** @param examplesOf of a command by its name */
export function modelOf(program: Command, examplesOf: (name: string) => Examples): CommandLine {
  return { description: program.description(), commands: program.commands.flatMap((command) => modelsOf(command, '', examplesOf)), names: completableNames() };
}

function modelsOf(command: Command, above: string, examplesOf: (name: string) => Examples): readonly CommandModel[] {
  const path = `${above}${command.name()}`;
  const model: CommandModel = {
    path,
    description: command.description(),
    args: command.registeredArguments.map((one) => `${one.required ? '<' : '['}${one.name()}${one.variadic ? '…' : ''}${one.required ? '>' : ']'}`).join(' '),
    options: [
      ...command.options.map(({ short, long, flags, argChoices, description }) => ({
        names: [short, long].filter((name) => name !== undefined && name !== null),
        value: /[<[].*[>\]]/.exec(flags)?.[0] ?? '',
        choices: argChoices ?? [],
        description,
      })),
      LIMIT,
    ],
    examples: above === '' ? examplesOf(path) : [],
    files: command.registeredArguments.length > 0,
  };
  return [model, ...command.commands.flatMap((below) => modelsOf(below, `${path} `, examplesOf))];
}
