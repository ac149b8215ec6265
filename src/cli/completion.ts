/** `luo-inspect completion <bash|zsh|fish>`: a script for the shell, made from the command table. */
import { Argument, type Command } from 'commander';
import type { CommandLine, CommandModel, OptionModel } from './command-model.js';
import { writeLines } from './output.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** @param line the command line as data, when it is asked for */
export const completionOf =
  (line: () => Promise<CommandLine>) =>
  (program: Command): void => {
    program
      .command('completion')
      .description('a completion script for the shell, on standard output')
      .addArgument(new Argument('<shell>', 'which one').choices(SHELLS))
      .action(async (shell: Shell) => writeLines(scripts[shell](await line())));
  };

const first = (line: CommandLine): readonly CommandModel[] => line.commands.filter(({ path }) => !path.includes(' '));
const below = (line: CommandLine, path: string): readonly string[] =>
  line.commands.flatMap((command) => (command.path.startsWith(`${path} `) ? [command.path.slice(path.length + 1)] : []));

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const allNames = (options: readonly OptionModel[]): string => options.flatMap(({ names }) => names).join(' ');

function* bash(line: CommandLine): Iterable<string> {
  yield '# bash completion for luo-inspect';
  yield '_luo_inspect() {';
  yield `  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path= word i`;
  yield '  for ((i = 1; i < COMP_CWORD; i++)); do';
  yield `    word=\${COMP_WORDS[i]}`;
  yield `    case "\${path:+$path }$word" in`;
  for (const { path } of line.commands) yield `      ${quoted(path)}) path=${quoted(path)} ;;`;
  yield '    esac';
  yield '  done';
  yield `  local names=${quoted(line.names.join(' '))} choices=`;
  yield '  case "$path $prev" in';
  for (const { path, options } of line.commands)
    for (const { names, choices, value } of options) {
      const pattern = names.map((name) => quoted(`${path} ${name}`)).join('|');
      if (choices.length > 0) yield `    ${pattern}) COMPREPLY=($(compgen -W ${quoted(choices.join(' '))} -- "$cur")); return ;;`;
      else if (value !== '') yield `    ${pattern}) COMPREPLY=($(compgen -f -- "$cur")); return ;;`;
    }
  yield '  esac';
  yield '  if [[ $cur == -* ]]; then';
  yield '    case $path in';
  for (const { path, options } of line.commands) yield `      ${quoted(path)}) choices=${quoted(`${allNames(options)} --help`)} ;;`;
  yield "      '') choices='--help --version' ;;";
  yield '    esac';
  yield '    COMPREPLY=($(compgen -W "$choices" -- "$cur"))';
  yield '    return';
  yield '  fi';
  yield '  case $path in';
  yield `    '') choices="${first(line)
    .map(({ path }) => path)
    .join(' ')} help $names" ;;`;
  for (const { path } of line.commands) {
    const own = path === 'completion' ? SHELLS : below(line, path);
    if (own.length > 0) yield `    ${quoted(path)}) choices=${quoted(own.join(' '))} ;;`;
  }
  yield '    *) choices=$names ;;';
  yield '  esac';
  yield '  compopt -o filenames 2>/dev/null';
  yield '  COMPREPLY=($(compgen -W "$choices" -- "$cur") $(compgen -f -- "$cur"))';
  yield '}';
  yield 'complete -F _luo_inspect luo-inspect';
}

/** For a description in brackets of _arguments. */
const inBrackets = (text: string): string => text.replaceAll(/[[\]\\]/g, (char) => `\\${char}`).replaceAll(':', '\\:');

function zshOption({ names, value, choices, description }: OptionModel): string {
  const action = value === '' ? '' : choices.length > 0 ? `:value:(${choices.join(' ')})` : ':value:_files';
  const spec = `[${inBrackets(description)}]${action}`;
  const [one = '', other] = names;
  return other === undefined ? quoted(`${one}${spec}`) : `{${one},${other}}${quoted(spec)}`;
}

function* zsh(line: CommandLine): Iterable<string> {
  yield '#compdef luo-inspect';
  yield '_luo_inspect_files() {';
  yield `  local -a names=(${line.names.map(quoted).join(' ')})`;
  yield '  _alternative "names:sample:compadd -a names" "files:file:_files"';
  yield '}';
  yield '_luo_inspect() {';
  yield '  local -a commands=(';
  for (const { path, description } of first(line)) yield `    ${quoted(`${path}:${description.replaceAll(':', '\\:')}`)}`;
  yield '  )';
  yield '  if (( CURRENT == 2 )); then';
  yield '    _describe command commands; _luo_inspect_files; return';
  yield '  fi';
  yield '  local path=$words[2]';
  yield '  case "$path $words[3]" in';
  for (const { path } of line.commands) if (path.includes(' ')) yield `    ${quoted(path)}) (( CURRENT > 3 )) && path=${quoted(path)} ;;`;
  yield '  esac';
  yield '  case $path in';
  for (const { path, options } of line.commands) {
    const own = path === 'completion' ? SHELLS : below(line, path);
    const rest = own.length > 0 ? `:what:(${own.join(' ')})` : ':file:_luo_inspect_files';
    yield `    ${quoted(path)}) _arguments ${options.map(zshOption).join(' ')} ${quoted(`*${rest}`)} ;;`;
  }
  yield '    *) _luo_inspect_files ;;';
  yield '  esac';
  yield '}';
  yield 'if [ "$funcstack[1]" = _luo_inspect ]; then _luo_inspect "$@"; else compdef _luo_inspect luo-inspect; fi';
}

const inFish = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function* fish(line: CommandLine): Iterable<string> {
  yield '# fish completion for luo-inspect';
  for (const { path, description } of first(line)) yield `complete -c luo-inspect -n __fish_use_subcommand -a ${path} -d ${inFish(description)}`;
  yield `complete -c luo-inspect -n 'not __fish_seen_subcommand_from ${[...SHELLS, 'rules', 'completion'].join(' ')}' -a ${inFish(line.names.join(' '))} -d sample`;
  for (const { path, options } of line.commands) {
    const seen = path
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ');
    const own = path === 'completion' ? SHELLS : below(line, path);
    if (own.length > 0) yield `complete -c luo-inspect -n '${seen}' -a ${inFish(own.join(' '))}`;
    for (const { names, value, choices, description } of options) {
      const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ');
      const takes = value === '' ? '' : choices.length > 0 ? ` -x -a ${inFish(choices.join(' '))}` : ' -r';
      yield `complete -c luo-inspect -n '${seen}' ${flags}${takes} -d ${inFish(description)}`;
    }
  }
}

const scripts: Readonly<Record<Shell, (line: CommandLine) => Iterable<string>>> = { bash, zsh, fish };
