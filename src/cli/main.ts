/** The command line: names the commands, loads what a command needs when it is run. */
import { Command, CommanderError } from 'commander';
import { UserError } from '../codec/user-error.js';
import { registerAbi } from './abi.js';
import { registerDecode } from './decode.js';
import { registerKvm } from './kvm.js';
import { registerReport } from './report.js';

const program = new Command('luo-inspect');
program.description('debugger and ABI inspector for Linux Kexec Handover, the Live Update Orchestrator and kvm_run').exitOverride().showHelpAfterError(false);
registerReport(program);
registerKvm(program);
registerDecode(program);
registerAbi(program);

export async function main(argv: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else if (error instanceof UserError) {
      process.stderr.write(`luo-inspect: ${error.message}\n`);
      process.exitCode = 2;
    } else throw error;
  }
}
