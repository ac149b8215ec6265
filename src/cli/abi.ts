/** The `abi` group of commands: what is known of the contracts, and how two of them get along. */
import type { Command } from 'commander';
import { registerAbiCheck } from './abi-check.js';
import { registerAbiDiff } from './abi-diff.js';
import { registerAbiList } from './abi-list.js';
import { registerAbiShow } from './abi-show.js';
import { registerAbiGate } from './registration.js';

export function registerAbi(program: Command): void {
  const abi = program.command('abi').description('contracts and layouts, by kernel release');
  registerAbiList(abi);
  registerAbiShow(abi);
  registerAbiDiff(abi);
  registerAbiCheck(abi);
  registerAbiGate(abi);
  abi.action(() => abi.outputHelp());
}
