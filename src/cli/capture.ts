/** `luo-inspect capture`: what a post-mortem wants from a live machine, as an archive that every command opens, or as a script that makes one. */
import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Command } from 'commander';
import { UserError } from '../codec/user-error.js';
import { captureMachine } from '../host/capture.js';
import { captureScript } from '../host/capture-script.js';
import { writeLines } from './output.js';
import { ownVersion } from './own-version.js';

interface Options {
  readonly output?: string;
  readonly script?: boolean;
}

export function registerCapture(program: Command): void {
  program
    .command('capture')
    .description('records what a post-mortem wants from this machine: debugfs, setup_data, log, configuration, BTF, PCI state, sessions')
    .option('-o, --output <file>', 'the archive to write (.tar, .tar.gz); - for standard output')
    .option('--script', 'print a POSIX shell script that records the same with busybox alone')
    .action(runCapture);
}

async function runCapture({ output, script }: Options): Promise<void> {
  if (script === true) return writeLines(captureScript());
  if (output === undefined) throw new UserError('capture: no file to write; give -o capture.tar.gz, or --script for a shell script');
  const capture = captureMachine(await ownVersion());
  const bytes = /\.(gz|tgz)$/.test(output) ? gzipSync(capture.tar) : capture.tar;
  if (output === '-') process.stdout.write(bytes);
  else writeWhole(output, bytes);
  for (const { path, why } of capture.unread) process.stderr.write(`luo-inspect: not recorded: ${path}: ${why}\n`);
  process.stderr.write(`luo-inspect: ${capture.files} files recorded, ${capture.unread.length} could not be read\n`);
}

/** Under another name first: a capture that is there is whole. It may hold names and addresses of this machine: for its owner alone. */
function writeWhole(path: string, bytes: Uint8Array): void {
  const part = `${path}.${randomBytes(6).toString('hex')}.part`;
  try {
    writeFileSync(part, bytes, { mode: 0o600, flag: 'wx' });
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw new UserError(`${path}: can't be written: ${error instanceof Error ? error.message : String(error)}; choose another place with -o`);
  }
}
